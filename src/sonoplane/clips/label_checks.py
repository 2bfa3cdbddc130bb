"""What can be wrong with the rows of a label table, told row by row."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TypeAlias

import numpy as np

from sonoplane.errors import LabelError
from sonoplane.records import Label

__all__ = [
    "LISTED",
    "OPTIONAL",
    "Fault",
    "Place",
    "contradictions",
    "count",
    "gaps",
    "listed",
    "meant",
    "overlaps",
    "past_end",
    "place_order",
    "refuse",
    "told",
    "where",
]

#: What a recording has one of, if any.
OPTIONAL = ("patient", "centre", "split")

#: How many faults one error shows.
SHOWN = 20

#: How many places one note lists.
LISTED = 5

Place: TypeAlias = int | str
"""Where something stands in its source: the row of a table (the header is row 1), or a place in words."""

Fault: TypeAlias = tuple[Place, str]
"""Where it stands, what is wrong and what to do."""


def contradictions(labels: Mapping[Place, Label]) -> list[Fault]:
    """Rows that differ from an earlier one in what a recording or a patient has only one of."""
    faults: list[Fault] = []
    first: dict[tuple[str, str], tuple[Place, str]] = {}
    spelt: dict[str, tuple[Place, str]] = {}
    for row, label in labels.items():
        for column in OPTIONAL:
            value = getattr(label, column)
            if value is None:
                continue
            earlier, known = first.setdefault((label.recording, column), (row, value))
            if known != value:
                text = f"another {column} than in {where(earlier)}; a recording has one {column}"
                faults.append((row, text))
        if label.patient is not None:
            earlier, known = spelt.setdefault(label.patient.casefold(), (row, label.patient))
            if known != label.patient:
                text = f"the patient of {where(earlier)} but for its case; spell a patient one way"
                faults.append((row, text))
    return faults


def overlaps(labels: Mapping[Place, Label]) -> list[Fault]:
    """Rows that claim frames which another row of the same recording has."""
    faults: list[Fault] = []
    runs = defaultdict(list)
    places = list(labels)
    for row, label in enumerate(labels.values()):
        start, stop = (0, np.inf) if label.start is None or label.stop is None else (label.start, label.stop)
        runs[label.recording].append((start, stop, row))
    for mine in runs.values():
        mine.sort()
        _, reach, holder = mine[0]
        for start, stop, row in mine[1:]:
            if start < reach:
                later, earlier = places[max(row, holder)], places[min(row, holder)]
                faults.append((later, _clash(labels[later], labels[earlier], earlier)))
            if stop > reach:
                reach, holder = stop, row
    return faults


def past_end(labels: Mapping[Place, Label], n_frames: Mapping[str, int]) -> list[Fault]:
    """Rows that go on after the last frame of their recording, where its length is known."""
    faults: list[Fault] = []
    for row, label in labels.items():
        length = n_frames.get(label.recording)
        if length is not None and label.stop is not None and label.stop > length:
            end = f"{told(label)}: the recording ends after {length} frames"
            advice = f"give stop <= {length}, or check that this is the video that was labelled"
            faults.append((row, f"{end}; {advice}"))
    return faults


def gaps(labels: Mapping[Place, Label]) -> list[str]:
    """A note where frames between two labels of a recording have none, with the places of the labels after them."""
    runs: dict[str, list[tuple[int, int, Place]]] = defaultdict(list)
    for place, row in labels.items():
        if row.start is not None and row.stop is not None:
            runs[row.recording].append((row.start, row.stop, place))
    after: list[Place] = []
    n_frames = 0
    for mine in runs.values():
        reach: int | None = None
        for start, stop, place in sorted(mine, key=lambda run: run[:2]):
            if reach is not None and start > reach:
                n_frames += start - reach
                after.append(place)
            reach = max(stop, reach or 0)
    if not after:
        return []
    frames = "1 frame" if n_frames == 1 else f"{n_frames} frames"
    text = (
        f"{len(after)} gap{'s' * (len(after) > 1)} between labels: {frames} unlabelled, left out of training"
    )
    remedy = "label them, or declare the source exhaustive if they are background"
    return [f"{text}; {remedy} (before {listed(after)})."]


def _clash(label: Label, other: Label, place: Place) -> str:
    """How two rows clash, and what to do."""
    if (label.start, label.stop, label.label) == (other.start, other.stop, other.label):
        return f"the same as {where(place)}; delete one of them"
    return f"{told(label)}: overlaps {where(place)} ({told(other)}); a frame has one label"


def where(place: Place) -> str:
    """A place in words.

    >>> where(3), where("line 12")
    ('row 3', 'line 12')
    """
    return f"row {place}" if isinstance(place, int) else place


def place_order(place: Place) -> list[str | int]:
    """A key that sorts places as they stand in the source: numbers by their value."""
    parts: list[str | int] = list(re.split(r"([0-9]{1,18})", str(place)))
    parts[1::2] = [int(part) for part in parts[1::2]]
    return parts


def told(label: Label) -> str:
    """A row without its recording."""
    where = "the whole recording" if label.start is None else f"frames {label.start} to {label.stop}"
    return f"'{label.label}' for {where}"


def meant(word: str, known: Iterable[str]) -> str:
    """A guess at what was meant, to append."""
    close = get_close_matches(word.casefold(), known, n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else ""


def listed(places: Sequence[Place]) -> str:
    """The first few places in words.

    >>> listed([2, 5])
    'row 2, row 5'
    """
    more = f" and {len(places) - LISTED} more" if len(places) > LISTED else ""
    return ", ".join(where(place) for place in places[:LISTED]) + more


def count(n: int) -> str:
    """A number of rows in words."""
    return "1 row" if n == 1 else f"{n} rows"


def refuse(faults: Sequence[Fault], *, of: str, notes: Sequence[str] = ()) -> None:
    """Raise one error that lists all rows at fault, if there are any, and then what was forgiven."""
    if not faults:
        return
    ordered = sorted(faults, key=lambda fault: (place_order(fault[0]), fault[1]))
    lines = [f"  {where(place)}: {text}" for place, text in ordered]
    more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    places = {place for place, _ in faults}
    rows = count(len(places))
    if not all(isinstance(place, int) for place in places):
        rows = rows.replace("row", "place")
    forgiven = [f"Noted besides: {note}" for note in notes]
    raise LabelError(
        "\n".join([f"{of}: {rows} cannot be used.", *lines[:SHOWN], *more, *forgiven]) + "\n",
        advice="Correct them and read the table again.",
    )
