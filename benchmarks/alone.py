"""How much memory `sonoplane` takes in a process of its own.

`python -m benchmarks.alone ARGUMENTS...` runs `sonoplane ARGUMENTS...` and tells the most memory that it held.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["memory_mb", "peak_mb", "say_last"]

ROOT = Path(__file__).parents[1]


def peak_mb(*arguments: str | Path) -> float:
    """The most memory that `sonoplane ARGUMENTS...` held at any time, models compiled anew; Linux only."""
    return float(say_last("benchmarks.alone", *arguments))


def say_last(module: str, *arguments: str | Path) -> str:
    """The last line that a module prints when it is run; RuntimeError where it fails."""
    with TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "SONOPLANE_CACHE": cache},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise RuntimeError(f"{module} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout.splitlines()[-1]


def memory_mb(which: str) -> float:
    """Of this process: `VmRSS`, what it holds now, or `VmHWM`, the most that it held."""
    # Not resource.getrusage: a child's peak starts from that of the process it was forked from.
    found = re.search(rf"^{which}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"), re.M)
    assert found
    return int(found[1]) * 1024 / 1e6


def _main(arguments: Sequence[str]) -> int:
    from sonoplane.cli.main import main

    sys.argv = ["sonoplane", *arguments]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            return int(ended.code)
    print(memory_mb("VmHWM"))
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
