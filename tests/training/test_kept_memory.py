"""How memory is kept is seen in a process of its own, where nothing else asks for any."""

import subprocess
import sys

import pytest

#: Prints how many pages the system cleared for one large block, of forty that come and go (the fewest), and how much
#: smaller the process is afterwards.
COUNT = """
import itertools, pathlib, resource, torch
from sonoplane.training.kept_memory import kept_memory

def megabytes():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6

with kept_memory():
    counts = []
    for _ in range(41):
        torch.ones(64 * 2**20, dtype=torch.uint8)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    inside = megabytes()
print(min(after - before for before, after in itertools.pairwise(counts)), inside - megabytes())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it is glibc's memory that is kept")
def test_a_large_block_is_kept_inside_and_given_back_after() -> None:
    told = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True).stdout
    cleared, smaller = map(float, told.split())
    assert cleared < 10
    assert smaller > 50
