"""What can be wrong with the rows of a label table, told row by row."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TypeAlias

import numpy as np

from sonoplane.errors import LabelError
from sonoplane.records import Label

__all__ = ["OPTIONAL", "Fault", "contradictions", "count", "meant", "overlaps", "refuse", "told"]

#: What a recording has one of, if any.
OPTIONAL = ("patient", "centre", "split")

#: How many faults one error shows.
SHOWN = 20

Fault: TypeAlias = tuple[int, str]
"""Row of the file (the header is row 1), what is wrong and what to do."""


def contradictions(labels: Mapping[int, Label]) -> list[Fault]:
    """Rows that differ from an earlier one in what a recording or a patient has only one of."""
    faults: list[Fault] = []
    first: dict[tuple[str, str], tuple[int, str]] = {}
    spelt: dict[str, tuple[int, str]] = {}
    for row, label in labels.items():
        for column in OPTIONAL:
            value = getattr(label, column)
            if value is None:
                continue
            earlier, known = first.setdefault((label.recording, column), (row, value))
            if known != value:
                faults.append((row, f"another {column} than in row {earlier}; a recording has one {column}"))
        if label.patient is not None:
            earlier, known = spelt.setdefault(label.patient.casefold(), (row, label.patient))
            if known != label.patient:
                faults.append(
                    (row, f"the patient of row {earlier} but for its case; spell a patient one way")
                )
    return faults


def overlaps(labels: Mapping[int, Label]) -> list[Fault]:
    """Rows that claim frames which another row of the same recording has."""
    faults: list[Fault] = []
    runs = defaultdict(list)
    for row, label in labels.items():
        start, stop = (0, np.inf) if label.start is None or label.stop is None else (label.start, label.stop)
        runs[label.recording].append((start, stop, row))
    for mine in runs.values():
        mine.sort()
        _, reach, holder = mine[0]
        for start, stop, row in mine[1:]:
            if start < reach:
                later, earlier = max(row, holder), min(row, holder)
                faults.append((later, _clash(labels[later], labels[earlier], earlier)))
            if stop > reach:
                reach, holder = stop, row
    return faults


def _clash(label: Label, other: Label, row: int) -> str:
    """How two rows clash, and what to do."""
    if (label.start, label.stop, label.label) == (other.start, other.stop, other.label):
        return f"the same as row {row}; delete one of them"
    return f"{told(label)}: overlaps row {row} ({told(other)}); a frame has one label"


def told(label: Label) -> str:
    """A row without its recording."""
    where = "the whole recording" if label.start is None else f"frames {label.start} to {label.stop}"
    return f"'{label.label}' for {where}"


def meant(word: str, known: Iterable[str]) -> str:
    """A guess at what was meant, to append."""
    close = get_close_matches(word.casefold(), known, n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else ""


def count(n: int) -> str:
    """A number of rows in words."""
    return "1 row" if n == 1 else f"{n} rows"


def refuse(faults: Sequence[Fault], *, of: str) -> None:
    """Raise one error that lists all rows at fault, if there are any."""
    if not faults:
        return
    lines = [f"  row {row}: {text}" for row, text in sorted(faults)]
    more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    head = f"{of}: {count(len({row for row, _ in faults}))} cannot be used."
    raise LabelError(
        "\n".join([head, *lines[:SHOWN], *more]) + "\n", advice="Correct them and read the table again."
    )
