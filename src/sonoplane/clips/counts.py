"""How many recordings, patients and frames show each class, in each part of the split."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Int64

from sonoplane.clips.labels import frame_labels
from sonoplane.records import Label

__all__ = [
    "ALL",
    "NO_LABEL",
    "NO_PART",
    "CountedRecording",
    "Counts",
    "Row",
    "Table",
    "count_classes",
    "count_parts",
    "numbered",
    "parts_of",
]

#: What a table calls the sum over all parts, frames without a label, and recordings outside every part.
ALL, NO_LABEL, NO_PART = "all", "(unlabelled)", "(no part)"

#: The order in which parts are told.
ORDER = ("train", "validation", "test")

#: What is counted of each class besides patients.
COUNTED = ("recordings", "frames", "subsampled")

Row: TypeAlias = Mapping[str, str | int | float | None]
Table: TypeAlias = tuple[Row, ...]
"""Rows with the same columns, as CSV and JSON hold them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CountedRecording:
    """What is counted of a recording besides its labels."""

    id: str
    n_frames: int
    """As decoded."""
    patient: str
    centre: str | None = None
    split: str | None = None
    duration_s: float | None = None
    n_claimed: int | None = None
    """How many frames the file says it has."""
    subsample: Sequence[int] | Int64[np.ndarray, "chosen"] | None = None
    """The frames that sub-sampling chose; None: all."""

    @property
    def part(self) -> str:
        """Its part of the split, in words where it has none."""
        return self.split or NO_PART


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """The frames of one task's classes, counted as training sees them."""

    classes: tuple[str, ...]
    parts: tuple[str, ...]
    """Parts of the split, in the order they are told."""
    by_patient: Table
    """`split, centre, patient, class, recordings, frames, subsampled`: a row where there is a recording. Frames
    that nobody labelled are of the class `(unlabelled)`."""
    by_class: Table
    """`split, class, patients, recordings, frames, subsampled`: a row for every part, and for `all`, and every
    class, zeros included. A recording that shows several classes stands in the row of each."""
    imbalance: Mapping[str, float | None]
    """For each part and for `all`: frames of the commonest class over frames of the rarest; None where a class
    is missing."""
    warnings: tuple[str, ...]
    """What a part lacks, a sentence each."""


def count_classes(
    recordings: Sequence[CountedRecording],
    labels: Iterable[Label],
    classes: Sequence[str],
    *,
    parts: Sequence[str] = (),
) -> Counts:
    """Count every class of a task; `parts` are those that the split should have, besides those that occur.

    >>> sweeps = [
    ...     CountedRecording(id="a", n_frames=9, patient="p1", split="train"),
    ...     CountedRecording(id="b", n_frames=5, patient="p2", split="test"),
    ... ]
    >>> rows = [Label(recording="a", label="liver", start=0, stop=6), Label(recording="b", label="liver")]
    >>> counts = count_classes(sweeps, rows, ["liver"])
    >>> [(row["split"], row["class"], row["frames"]) for row in counts.by_class][:2]
    [('train', 'liver', 6), ('train', '(unlabelled)', 3)]
    >>> counts.warnings[0]
    "'liver' has only one patient in 'train'."

    Raises:
        LabelError: a class that is not among `classes`, labels past the last frame, labels that overlap.
    """
    order = parts_of(recordings, parts)
    names = (*classes, NO_LABEL)
    counts: Counter[tuple[str, ...]] = Counter()
    for recording, numbers in numbered(recordings, labels, classes):
        chosen = numbers if recording.subsample is None else numbers[np.asarray(recording.subsample, np.intp)]
        n_frames, n_chosen = (
            np.bincount(taken % len(names), minlength=len(names)) for taken in (numbers, chosen)
        )
        whose = (recording.part, recording.centre or "", recording.patient)
        shown = np.flatnonzero(n_frames).tolist() or [len(classes)]
        for number in shown:
            counts[*whose, names[number], "recordings"] += 1
            counts[*whose, names[number], "frames"] += int(n_frames[number])
            counts[*whose, names[number], "subsampled"] += int(n_chosen[number])
    by_patient = _patient_rows(counts, order, names)
    by_class = _class_rows(by_patient, order, names)
    return Counts(
        classes=tuple(classes),
        parts=order,
        by_patient=by_patient,
        by_class=by_class,
        imbalance={part: _imbalance(by_class, part) for part in (*order, ALL)},
        warnings=tuple(_lacks(by_class, order)),
    )


def count_parts(recordings: Sequence[CountedRecording], *, parts: Sequence[str] = ()) -> Table:
    """`split, patients, recordings, centres, frames, subsampled, duration_s`: a row for every part, and for `all`.

    The duration is None where one recording's is not known.

    >>> count_parts([CountedRecording(id="a", n_frames=9, patient="p1", split="train", duration_s=0.3)])[0]["frames"]
    9
    """
    order = parts_of(recordings, parts)
    mine = {part: [item for item in recordings if item.part == part] for part in order}
    return tuple(_part_row(part, items) for part, items in [*mine.items(), (ALL, recordings)])


def parts_of(recordings: Iterable[CountedRecording], expected: Sequence[str] = ()) -> tuple[str, ...]:
    """The parts that recordings are in, and those expected: train, validation, test, then the others.

    >>> parts_of([CountedRecording(id="a", n_frames=9, patient="p1", split="test")], ["train", "test"])
    ('train', 'test')
    """
    found = {*expected, *(item.part for item in recordings)}
    return (*(part for part in ORDER if part in found), *sorted(found - {*ORDER}))


def numbered(
    recordings: Iterable[CountedRecording], labels: Iterable[Label], classes: Sequence[str]
) -> Iterator[tuple[CountedRecording, Int64[np.ndarray, "time"]]]:
    """Each recording with the class number of its every frame, -1 where nobody labelled it."""
    rows: dict[str, list[Label]] = defaultdict(list)
    for row in labels:
        rows[row.recording].append(row)
    for recording in recordings:
        mine = rows.get(recording.id, ())
        yield recording, frame_labels(mine, recording.id, recording.n_frames, classes)


def _patient_rows(counts: Mapping[tuple[str, ...], int], parts: Sequence[str], names: Sequence[str]) -> Table:
    part_place = {part: place for place, part in enumerate(parts)}
    name_place = {name: place for place, name in enumerate(names)}
    keys = sorted(
        {key[:4] for key in counts}, key=lambda key: (part_place[key[0]], key[1], key[2], name_place[key[3]])
    )
    return tuple(
        {
            **dict(zip(("split", "centre", "patient", "class"), key, strict=True)),
            **{what: counts[*key, what] for what in COUNTED},
        }
        for key in keys
    )


def _class_rows(by_patient: Table, parts: Sequence[str], names: Sequence[str]) -> Table:
    mine: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in by_patient:
        for part in (str(row["split"]), ALL):
            mine[part, str(row["class"])].append(row)
    return tuple(
        {
            "split": part,
            "class": name,
            "patients": len({row["patient"] for row in mine[part, name]}),
            **{what: sum(_whole(row, what) for row in mine[part, name]) for what in COUNTED},
        }
        for part in (*parts, ALL)
        for name in names
    )


def _part_row(part: str, items: Sequence[CountedRecording]) -> Row:
    durations = [item.duration_s for item in items]
    known = [duration for duration in durations if duration is not None]
    return {
        "split": part,
        "patients": len({item.patient for item in items}),
        "recordings": len(items),
        "centres": len({item.centre for item in items if item.centre}),
        "frames": sum(item.n_frames for item in items),
        "subsampled": sum(item.n_frames if item.subsample is None else len(item.subsample) for item in items),
        "duration_s": round(sum(known), 3) if len(known) == len(durations) else None,
    }


def _imbalance(by_class: Table, part: str) -> float | None:
    frames = [_whole(row, "frames") for row in by_class if row["split"] == part and row["class"] != NO_LABEL]
    rarest = min(frames, default=0)
    return round(max(frames) / rarest, 2) if rarest else None


def _lacks(by_class: Table, parts: Sequence[str]) -> Iterator[str]:
    for part in parts:
        rows = [row for row in by_class if row["split"] == part]
        if not any(row["recordings"] for row in rows):
            yield f"No recording is in '{part}'."
            continue
        for row in rows:
            if row["class"] != NO_LABEL and _whole(row, "patients") < 2:
                many = "only one" if row["patients"] else "no"
                yield f"'{row['class']}' has {many} patient in '{part}'."


def _whole(row: Row, column: str) -> int:
    value = row[column]
    assert isinstance(value, int)
    return value
