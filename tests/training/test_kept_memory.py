"""How memory is kept is seen in a process of its own, where nothing else asks for any."""

import subprocess
import sys

import pytest

#: Prints how many pages the system cleared for one large block, of forty that come and go (the fewest), how much
#: smaller the process is afterwards, and how many are cleared then for a smaller block.
COUNT = """
import itertools, pathlib, resource, torch
from sonoplane.training.kept_memory import kept_memory

def megabytes():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6

def cleared(megabytes):
    counts = []
    for _ in range(41):
        torch.ones(megabytes * 2**20, dtype=torch.uint8)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    return min(after - before for before, after in itertools.pairwise(counts))

with kept_memory():
    inside = cleared(64)
    size = megabytes()
print(inside, size - megabytes(), cleared(4))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it is glibc's memory that is kept")
def test_a_large_block_is_kept_inside_and_given_back_after() -> None:
    told = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True).stdout
    cleared, smaller, cleared_after = map(float, told.split())
    assert cleared < 10
    assert smaller > 50
    assert cleared_after < 10  # small blocks are kept as they were before
