"""The page `docs/speed.md` from `results.json`: `python -m benchmarks.page` writes it."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.runner import available

__all__ = ["PAGE", "RESULTS", "speed_page"]

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
PAGE = FOLDER.parent / "docs" / "speed.md"

Row = Mapping[str, Any]

#: What every row has; all else is a benchmark's own.
SHARED = {
    "name", "baseline", "ratio", "low", "high", "unit", "piece", "turns", "baseline_ms", "ours_ms", "machine"
}  # fmt: skip
#: The last word of a fact's name, where it is a unit.
UNITS = {"mb": "MB", "ms": "ms", "percent": "%", "s": "s"}

TOP = """\
# How fast is it?

Each figure is a ratio: how many times as fast as a stated baseline sonoplane does a piece of work. Both run in turns,
so that what slows the machine slows both; behind the ratio is where 95 % of the ratios of resampled turns lie. A ratio
below 1 means that ours takes longer, as it must where it does more than its baseline.

`python -m benchmarks.page` makes this page from `benchmarks/results.json`.
"""
BESIDE = """\
## What was found beside

Labels and differences are against PyTorch in float32, which answers the same frames in the same mode; peak memory is
that of `sonoplane predict` in a process of its own, which compiles its model. The networks are not trained: their
weights are drawn; in all but `predict-2d` and `predict-dicom`, the last layer is fitted to tell simulated patients
apart, so that labels change along the recording (`benchmarks/drawn.py`). How well trained networks bear coarse
arithmetic they do not tell.

Of `predict-dicom`, `first` is with an empty cache and `kept` with the compiled model in it: `python` until it begins,
`imports` of libraries, the `network` opened, the `recording` opened and its region found, the `answers` (the model is
compiled, or read from the cache, when the first is asked for), and the `report`.
"""
BOTTOM = """\
## Run them

Close other programs first. The first line prints a table, the second one JSON:

```sh
python -m benchmarks dense-3d-float32
python -m benchmarks dense-3d-float32 --json
```

Without a name all of them run, and `--list` tells which there are. `--turns 5` is quicker and less sure; `--long` adds
what takes many minutes, such as whether memory grows in a long stream. With `--keep benchmarks/results.json` each
result goes into that file as soon as it is there, and those of other benchmarks stay, so that a list of names can be
gone through bit by bit. What a benchmark does in detail is told at the top of its file, and of the file that it calls.
"""


def speed_page(rows: Sequence[Row]) -> str:
    """The page in Markdown."""
    told = available(FOLDER)
    machines = sorted({row["machine"] for row in rows})
    parts = [TOP, "Measured on:\n", "".join(f"- {machine}\n" for machine in machines)]
    parts.append(_table(["benchmark", "times as fast", "ours", "baseline"], map(_ratio, rows)))
    parts.append(
        "".join(f"- `{row['name']}`: {told[row['name']]} Against: {row['baseline']}.\n" for row in rows)
    )
    if beside := [row for row in rows if _own(row)]:
        parts.append(BESIDE)
        for names, group in groupby(sorted(beside, key=_own), key=_own):
            cells = ([f"`{row['name']}`", *(_number(row[name]) for name in names)] for row in group)
            parts.append(_table(["benchmark", *map(_words, names)], cells))
    return "\n".join([*parts, BOTTOM])


def _ratio(row: Row) -> list[str]:
    ratio, low, high = (_number(row[name]) for name in ("ratio", "low", "high"))
    times = (f"{_number(row[f'{who}_ms'])} ms a {row['piece']}" for who in ("ours", "baseline"))
    return [f"`{row['name']}`", f"{ratio} ({low} to {high})", *times]


def _own(row: Row) -> tuple[str, ...]:
    """The names of what this benchmark found beside the ratio."""
    return tuple(name for name in row if name not in SHARED)


def _words(name: str) -> str:
    """A fact's name for reading.

    >>> _words("peak_memory_mb")
    'peak memory, MB'
    """
    *words, last = name.split("_")
    return f"{' '.join(words)}, {UNITS[last]}" if last in UNITS else " ".join([*words, last])


def _number(value: float | str) -> str:
    """Three digits, which is more than is sure.

    >>> [_number(value) for value in (812.3, 36.04, 0.0123, 0, 100.0, 4e-06)]
    ['812', '36', '0.0123', '0', '100', '4e-06']
    """
    return value if isinstance(value, str) else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _table(head: Sequence[str], rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(speed_page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
