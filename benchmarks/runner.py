"""Runs a baseline and ours in turns, and says how many times faster ours is, and how sure that is."""

import ast
import importlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path

import numpy as np

__all__ = [
    "TURNS",
    "Contest",
    "Facts",
    "Result",
    "Turns",
    "Work",
    "available",
    "compare",
    "machine",
    "measure",
    "run",
    "table",
    "told",
]

#: Turns of each side where nobody says how many.
TURNS = 15

#: Files of this folder that are no benchmarks.
NOT_BENCHMARKS = {
    "__init__",
    "__main__",
    "alone",
    "drawn",
    "every_frame",
    "frame_by_frame",
    "old_training",
    "one_key_frame",
    "page",
    "runner",
    "stages",
    "udp_feed",
}

#: Libraries whose versions change the figures.
LIBRARIES = ("numpy", "numba", "av", "opencv-python-headless", "pydicom", "openvino", "onnxruntime", "torch")

Work = Callable[[], int | Sequence[float]]
"""Does the work once; returns how many pieces of it (frames, pairs) were done, or the seconds that each took."""
Facts = Mapping[str, float | str]
"""What else was found, each with its unit in its name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """Two ways to do the same kind of work."""

    baseline: str
    """What ours is measured against, in words."""
    piece: str
    """What one piece of the work is: `frame`, `pair of frames`."""
    run_baseline: Work
    run_ours: Work
    same_work: bool = True
    """Whether a turn of both has as many pieces. Where one way takes far longer, its turn may have fewer."""
    facts: Callable[[], Facts] = dict
    """Asked after the last turn: what is to be known beside the ratio."""
    long_facts: Callable[[], Facts] = dict
    """The same, but only asked where there is time."""
    end: Callable[[], None] = lambda: None
    """Called after the last turn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turns:
    """Seconds a piece of each turn; turn i of both ran one right after the other.

    A turn whose pieces were timed one by one stands for their median.
    """

    baseline_s: tuple[float, ...]
    ours_s: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a benchmark found."""

    name: str
    baseline: str
    ratio: float
    """Median time of a piece by the baseline / by ours: above 1, ours is faster."""
    low: float
    high: float
    """Where 95 % of the ratios of resampled turns lie."""
    unit: str = "times as fast"
    facts: Facts = field(default_factory=dict)
    """What else was found: `baseline_ms` and `ours_ms` of a `piece`, how many `turns`, and the benchmark's own."""
    machine: str = ""
    """Where the figures come from."""

    def as_row(self) -> dict[str, object]:
        """For JSON."""
        told = {"name": self.name, "baseline": self.baseline, "ratio": self.ratio, "low": self.low}
        told |= {"high": self.high, "unit": self.unit, **self.facts, "machine": self.machine}
        return {key: round(value, 4) if isinstance(value, float) else value for key, value in told.items()}


def available(folder: Path) -> dict[str, str]:
    """The benchmarks of a folder: name -> what it measures, without importing any."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        if path.stem not in NOT_BENCHMARKS:
            told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            found[path.stem.replace("_", "-")] = told.partition("\n")[0]
    return found


def run(name: str, *, turns: int | None, long: bool = False, tell: Callable[[str], None]) -> Result:
    """Run one benchmark by its name; `tell` hears of the progress and of the times."""
    module = importlib.import_module(f"benchmarks.{name.replace('-', '_')}")
    with tempfile.TemporaryDirectory() as folder, _cache_in(Path(folder) / "cache"):
        contest: Contest = module.prepare(Path(folder))
        try:
            taken = measure(contest, turns=turns or TURNS, tell=tell)
            found = {**contest.facts(), **(contest.long_facts() if long else {})}
        finally:
            contest.end()
    facts: dict[str, float | str] = {"piece": contest.piece, "turns": len(taken.ours_s)}
    for who, seconds in (("baseline", taken.baseline_s), ("ours", taken.ours_s)):
        facts[f"{who}_ms"] = float(np.median(seconds)) * 1000
        tell(f"{who}: {facts[f'{who}_ms']:.3f} ms a {contest.piece} (median of {len(seconds)} turns)")
    for fact, value in found.items():
        tell(told(fact, value))
    return replace(compare(name, contest, taken), facts=facts | found, machine=machine())


def measure(contest: Contest, *, turns: int, tell: Callable[[str], None]) -> Turns:
    """Time both ways in turns, after a warm-up of each; who begins changes with every turn.

    Raises ValueError where the two did not do the same work.
    """
    ways = contest.run_baseline, contest.run_ours
    pieces, ours = (_timed(way)[1] for way in ways)  # also warms up caches and threads
    if min(pieces, ours) < 1 or (contest.same_work and pieces != ours):
        raise ValueError(f"the baseline did {pieces} {contest.piece}s, ours {ours}: not the same work")
    seconds: tuple[list[float], list[float]] = ([], [])
    last = time.monotonic()
    for turn in range(turns):
        for which in (0, 1) if turn % 2 == 0 else (1, 0):
            seconds[which].append(_timed(ways[which])[0])
        if time.monotonic() - last > 2:
            tell(f"turn {turn + 1} of {turns}")
            last = time.monotonic()
    return Turns(baseline_s=tuple(seconds[0]), ours_s=tuple(seconds[1]))


def _timed(work: Work) -> tuple[float, int]:
    """Seconds a piece, and the number of pieces."""
    start = time.perf_counter()
    done = work()
    taken = time.perf_counter() - start
    if isinstance(done, int):
        return taken / max(done, 1), done
    return float(np.median(done)), len(done)


@contextmanager
def _cache_in(folder: Path) -> Iterator[None]:
    """What a benchmark makes ready is kept there and not in the user's own cache, also by processes it starts."""
    before = os.environ.get("SONOPLANE_CACHE")
    os.environ["SONOPLANE_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SONOPLANE_CACHE"]
        else:
            os.environ["SONOPLANE_CACHE"] = before


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
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    for result in results:
        lines += ["", f"{result.name}:", *(f"  {told(name, value)}" for name, value in result.facts.items())]
    return "\n".join(lines)


def told(name: str, value: float | str) -> str:
    """A fact for reading.

    >>> told("peak_memory_mb", 812.345)
    'peak memory mb: 812.3'
    """
    return f"{name.replace('_', ' ')}: {value if isinstance(value, str) else format(value, '.4g')}"


def _processor() -> str:
    """The processor's model."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
