"""Runs a baseline and ours in turns, and says how many times faster ours is, and how sure that is."""

import ast
import importlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

__all__ = ["Contest", "Result", "Turns", "available", "compare", "machine", "measure", "run", "table"]

#: Files of this folder that are no benchmarks.
NOT_BENCHMARKS = {"__init__", "__main__", "old_training", "runner"}

#: Libraries whose versions change the figures.
LIBRARIES = ("numpy", "numba", "av", "opencv-python-headless", "pydicom", "openvino", "onnxruntime", "torch")

Work = Callable[[], int]
"""Does the work once; returns how many pieces of it (frames, pairs) were done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """Two ways to do the same work."""

    baseline: str
    """What ours is measured against, in words."""
    piece: str
    """What one piece of the work is: `frame`, `pair of frames`."""
    run_baseline: Work
    run_ours: Work
    end: Callable[[], None] = lambda: None
    """Called after the last turn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turns:
    """Seconds of each turn; turn i of both ran one right after the other."""

    baseline_s: tuple[float, ...]
    ours_s: tuple[float, ...]
    pieces: int
    """How many pieces of work one turn was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a benchmark found."""

    name: str
    baseline: str
    ratio: float
    """Median time of the baseline / median time of ours: above 1, ours is faster."""
    low: float
    high: float
    """Where 95 % of the ratios of resampled turns lie."""
    unit: str = "times as fast"

    def as_row(self) -> dict[str, str | float]:
        """For JSON."""
        return {
            key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(self).items()
        }


def available(folder: Path) -> dict[str, str]:
    """The benchmarks of a folder: name -> what it measures, without importing any."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        if path.stem not in NOT_BENCHMARKS:
            told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            found[path.stem.replace("_", "-")] = told.partition("\n")[0]
    return found


def run(name: str, *, turns: int, tell: Callable[[str], None]) -> Result:
    """Run one benchmark by its name; `tell` hears of the progress and of the times."""
    module = importlib.import_module(f"benchmarks.{name.replace('-', '_')}")
    with tempfile.TemporaryDirectory() as folder:
        contest: Contest = module.prepare(Path(folder))
        try:
            taken = measure(contest, turns=turns, tell=tell)
        finally:
            contest.end()
    result = compare(name, contest, taken)
    for who, seconds in (("baseline", taken.baseline_s), ("ours", taken.ours_s)):
        tell(
            f"{who}: {np.median(seconds) / taken.pieces * 1000:.3f} ms a {contest.piece} (median of {turns} turns)"
        )
    return result


def measure(contest: Contest, *, turns: int, tell: Callable[[str], None]) -> Turns:
    """Time both ways in turns, after a warm-up of each; who begins changes with every turn.

    Raises ValueError where the two did not do the same work.
    """
    pieces, ours = contest.run_baseline(), contest.run_ours()  # also warms up caches and threads
    if pieces != ours or pieces < 1:
        raise ValueError(f"the baseline did {pieces} {contest.piece}s, ours {ours}: not the same work")
    seconds: tuple[list[float], list[float]] = ([], [])
    last = time.monotonic()
    for turn in range(turns):
        for which in (0, 1) if turn % 2 == 0 else (1, 0):
            work = (contest.run_baseline, contest.run_ours)[which]
            start = time.perf_counter()
            work()
            seconds[which].append(time.perf_counter() - start)
        if time.monotonic() - last > 2:
            tell(f"turn {turn + 1} of {turns}")
            last = time.monotonic()
    return Turns(baseline_s=tuple(seconds[0]), ours_s=tuple(seconds[1]), pieces=pieces)


def compare(name: str, contest: Contest, turns: Turns, *, draws: int = 4000) -> Result:
    """The ratio of the medians, its spread by a bootstrap over turns, both times of a turn together."""
    baseline, ours = np.array(turns.baseline_s), np.array(turns.ours_s)
    drawn = np.random.default_rng(0).integers(len(ours), size=(draws, len(ours)))
    ratios = np.median(baseline[drawn], axis=1) / np.median(ours[drawn], axis=1)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return Result(
        name=name,
        baseline=contest.baseline,
        ratio=float(np.median(baseline) / np.median(ours)),
        low=float(low),
        high=float(high),
    )


def machine() -> str:
    """Where the figures come from: processor, cores, versions; never the machine's name."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = [f"Python {platform.python_version()}"]
    for library in LIBRARIES:
        try:
            versions.append(f"{library} {metadata.version(library)}")
        except metadata.PackageNotFoundError:
            continue
    return f"{_processor()}, {cores} cores, {platform.system()}; {', '.join(versions)}"


def table(results: Sequence[Result]) -> str:
    """The results for reading."""
    rows = [("benchmark", "ratio", "95 % of resampled turns", "against")]
    rows += [(r.name, f"{r.ratio:.2f} {r.unit}", f"{r.low:.2f} to {r.high:.2f}", r.baseline) for r in results]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _processor() -> str:
    """The processor's model."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
