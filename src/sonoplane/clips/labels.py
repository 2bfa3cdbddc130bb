"""The label table: which run of frames of which recording shows which class."""

import csv
import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Int64

from sonoplane.clips.label_checks import (
    OPTIONAL,
    Fault,
    Place,
    contradictions,
    count,
    meant,
    overlaps,
    past_end,
    refuse,
    told,
)
from sonoplane.errors import LabelError
from sonoplane.records import Label

__all__ = [
    "COLUMNS",
    "UNLABELLED",
    "LabelTable",
    "classes_of",
    "fill_background",
    "frame_labels",
    "read_labels",
    "write_labels",
]

#: The columns every table has.
REQUIRED = ("recording", "start", "stop", "label")
#: Those, then the columns it may have.
COLUMNS = REQUIRED + OPTIONAL

#: The class number of a frame that nobody labelled.
UNLABELLED = -1

#: Columns in which case is a slip of the pen: the commonest spelling wins.
CASELESS = ("label", "split", "centre")

Cells: TypeAlias = dict[str, str]
"""One row: column -> its text, without the blanks around it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelTable:
    """A table as it was read."""

    rows: tuple[Label, ...]
    """In the file's order."""
    notes: tuple[str, ...] = ()
    """What was forgiven, a sentence each."""
    places: tuple[Place, ...] = ()
    """Where each row stands in its source, in the rows' order."""
    exhaustive: bool = False
    """Who labelled looked at every frame: what is not labelled is background."""
    seen: Mapping[str, tuple[range, ...]] = field(default_factory=dict)
    """Recording -> the frames that were looked at, where the source says so."""

    @property
    def placed(self) -> dict[Place, Label]:
        """The rows by where they stand."""
        places = self.places or tuple(range(2, len(self.rows) + 2))
        return dict(zip(places, self.rows, strict=True))


def read_labels(path: Path) -> LabelTable:
    """Read a label table: CSV (comma, semicolon or tab), or Parquet where the name ends in `.parquet`.

    Columns `recording, start, stop, label`, optionally `patient, centre, split`; frame indices count from 0,
    stop exclusive, both empty = the whole recording. Blanks around a cell, the case of classes, splits and
    centres, and whole numbers written as `12.0` are forgiven and noted.

    Raises LabelError that lists every wrong row (at most 20 are shown); row 1 is the header. It never quotes
    a recording or a patient.
    """
    header, body = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    columns, notes = _columns(header, path.name)
    faults: list[Fault] = []
    cells: dict[int, Cells] = {}
    n_trimmed = 0
    for row, values in enumerate(_rows(body, path.name), start=2):
        if len(values) > len(columns) and any(value.strip() for value in values[len(columns) :]):
            found = f"{len(values)} cells under {len(columns)} columns"
            faults.append((row, f"{found}; put quotes around a cell that holds the separator"))
        trimmed = {column: value.strip() for column, value in zip(columns, values, strict=False)}
        if any(trimmed.values()):
            n_trimmed += trimmed != dict(zip(columns, values, strict=False))
            cells[row] = trimmed
    if n_trimmed:
        notes.append(f"Blanks around the cells of {count(n_trimmed)} were dropped.")
    for column in CASELESS:
        notes += _respell(cells, column)
    labels: dict[Place, Label] = {}
    for row, trimmed in cells.items():
        try:
            labels[row] = _label(trimmed)
        except LabelError as fault:
            faults.append((row, fault.message))
    refuse(faults + contradictions(labels) + overlaps(labels), of=path.name)
    return LabelTable(rows=tuple(labels.values()), notes=tuple(notes), places=tuple(labels))


def write_labels(path: Path, rows: Sequence[Label]) -> None:
    """Write a table that `read_labels` reads back, all or nothing: CSV, or Parquet by its name's ending.

    Optional columns that no row fills are left out.
    """
    columns = [*REQUIRED, *(c for c in OPTIONAL if any(getattr(row, c) is not None for row in rows))]
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".labels-")
    os.close(handle)
    temporary = Path(name)
    try:
        if path.suffix.lower() == ".parquet":
            import polars  # half the start-up time of a program that reads CSV only

            numbers = dict.fromkeys(("start", "stop"), polars.Int64)
            schema = {column: numbers.get(column, polars.String) for column in columns}
            table = {column: [getattr(row, column) for row in rows] for column in columns}
            polars.DataFrame(table, schema=schema).write_parquet(temporary)
        else:
            with temporary.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(columns)
                writer.writerows([getattr(row, column) for column in columns] for row in rows)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def classes_of(rows: Iterable[Label], *, background: str = "background") -> tuple[str, ...]:
    """The classes of a table in alphabetical order, the background first where it occurs.

    >>> classes_of([Label(recording="a", label=name) for name in ("kidney", "background", "gallbladder")])
    ('background', 'gallbladder', 'kidney')
    """
    return tuple(sorted({row.label for row in rows}, key=lambda name: (name != background, name)))


def fill_background(
    table: LabelTable, n_frames: Mapping[str, int], *, background: str = "background"
) -> LabelTable:
    """Label the frames that were looked at and that nobody labelled as background; for exhaustive sources.

    `n_frames` tells how long each recording is. Only recordings that the table knows are filled, and where it
    knows which frames were looked at, only those, and the frames between two of them that follow each other.
    Raises LabelError for labels past the last frame.

    >>> table = LabelTable(rows=(Label(recording="a", label="kidney", start=1, stop=3),), exhaustive=True)
    >>> [(row.label, row.start, row.stop) for row in fill_background(table, {"a": 5}).rows]
    [('kidney', 1, 3), ('background', 0, 1), ('background', 3, 5)]
    """
    refuse(past_end(table.placed, n_frames), of="The labels")
    mine: dict[str, list[Label]] = {name: [] for name in table.seen}
    for row in table.rows:
        mine.setdefault(row.recording, []).append(row)
    spelled = {row.label.casefold(): row.label for row in table.rows}.get(background.casefold(), background)
    added: list[Label] = []
    places: list[Place] = []
    for name, rows in mine.items():
        if name not in n_frames:
            continue
        like = rows[0] if rows else Label(recording=name, label=spelled)
        unlabelled = np.ones(n_frames[name], dtype=bool)
        for row in rows:
            unlabelled[row.start : row.stop] = False
        for start, stop in _free_runs(unlabelled, table.seen.get(name) or (range(n_frames[name]),)):
            added.append(replace(like, label=spelled, start=start, stop=stop))
            places.append(f"background {len(added)}")
    return replace(table, rows=(*table.rows, *added), places=(*table.placed, *places))


def frame_labels(
    rows: Iterable[Label], recording: str, n_frames: int, classes: Sequence[str]
) -> Int64[np.ndarray, "time"]:
    """The class number of every frame of a recording; -1 where nobody labelled it.

    Raises LabelError for a class that is not among `classes`, for labels past the last frame and for labels
    that overlap, each told by its place among the recording's own rows.

    >>> rows = [Label(recording="a", label="kidney", start=1, stop=3)]
    >>> frame_labels(rows, "a", 5, ("background", "kidney"))
    array([-1,  1,  1, -1, -1])
    """
    mine: dict[Place, Label] = {}
    mine.update(enumerate((row for row in rows if row.recording == recording), start=1))
    faults = overlaps(mine) + past_end(mine, {recording: n_frames})
    numbers = np.full(n_frames, UNLABELLED, dtype=np.int64)
    for place, row in mine.items():
        if row.label not in classes:
            faults.append((place, f"{told(row)}: no such class{meant(row.label, classes)}"))
        else:
            numbers[row.start : row.stop] = list(classes).index(row.label)
    refuse(faults, of="a recording's labels")
    return numbers


def _free_runs(unlabelled: Bool[np.ndarray, "time"], seen: Iterable[range]) -> list[tuple[int, int]]:
    """Runs of unlabelled frames, start and stop, each from one seen frame to another."""
    free = np.zeros_like(unlabelled)
    for frames in seen:
        looked_at = [frame for frame in frames if frame < len(free) and unlabelled[frame]]
        free[looked_at] = True
        for before, after in pairwise(looked_at):
            if after - before == frames.step and unlabelled[before:after].all():
                free[before:after] = True
    edges = np.flatnonzero(np.diff(np.concatenate(([False], free, [False])).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _read_csv(path: Path) -> tuple[list[str], Iterator[list[str]]]:
    """The header and the rows, as text."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabelError(
            f"{path.name} is not UTF-8 text.", advice="Save the table as CSV with UTF-8 encoding."
        ) from error
    except OSError as error:
        raise LabelError(
            f"{path.name} cannot be read: {error.strerror}.", advice="Check the path and its permissions."
        ) from error
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)  # the first of equals: a comma
    rows = csv.reader(text.splitlines(keepends=True), delimiter=separator)
    return next(_rows(rows, path.name), []), rows


def _rows(body: Iterable[list[str]], name: str) -> Iterator[list[str]]:
    """The rows, as far as they can be told apart."""
    try:
        yield from body
    except csv.Error as error:
        raise LabelError(
            f"{name} cannot be read as a table: {error}.",
            advice="A quote may be open, or it is no text: save it as CSV again.",
        ) from error


def _read_parquet(path: Path) -> tuple[list[str], Iterator[list[str]]]:
    """The header and the rows, as text."""
    import polars  # half the start-up time of a program that reads CSV only

    try:
        table = polars.read_parquet(path)
    except (OSError, polars.exceptions.PolarsError) as error:
        raise LabelError(
            f"{path.name} is not a readable Parquet file.", advice="Write the table again, or as CSV."
        ) from error
    rows = (["" if cell is None else str(cell) for cell in row] for row in table.iter_rows())
    return table.columns, rows


def _columns(header: Sequence[str], name: str) -> tuple[list[str], list[str]]:
    """The columns' proper names and what was forgiven; an error where one is missing, unknown or double."""
    columns = [column.strip().lower() for column in header]
    advice = f"Give the columns {', '.join(REQUIRED)}, and if you like {', '.join(OPTIONAL)}."
    if not any(columns):
        raise LabelError(f"{name} has no header.", advice=advice)
    wrong = [
        *(f"column '{c}' is missing" for c in REQUIRED if c not in columns),
        *(f"column {i} is unknown{meant(c, COLUMNS)}" for i, c in enumerate(columns, 1) if c not in COLUMNS),
        *(f"column '{c}' occurs twice" for c, n in Counter(columns).items() if n > 1 and c in COLUMNS),
    ]
    if wrong:
        raise LabelError(f"The header of {name} does not fit: {'; '.join(wrong)}.", advice=advice)
    return columns, ["The header's case or blanks were put right."] if columns != list(header) else []


def _respell(cells: Mapping[int, Cells], column: str) -> list[str]:
    """Spell words that differ in case alone as most rows do (among equals the first); tell which."""
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for row in cells.values():
        word = row.get(column, "")
        spellings[word.casefold()][word] += 1
    notes = []
    for counts in spellings.values():
        (best, _), *others = counts.most_common()
        notes += [f"'{other}' was read as {column} '{best}' in {count(n)}." for other, n in others]
    for row in cells.values():
        if column in row:
            row[column] = spellings[row[column].casefold()].most_common(1)[0][0]
    return notes


def _label(cells: Cells) -> Label:
    """One row, checked by itself; the error's message tells what to do."""
    missing = [column for column in ("recording", "label") if not cells.get(column)]
    if missing:
        raise LabelError(f"{' and '.join(missing)} empty; fill in or delete the row")
    start, stop = (_number(cells.get(column, ""), column) for column in ("start", "stop"))
    if (start is None) != (stop is None):
        raise LabelError("only one of start and stop is given; give both, or neither for the whole recording")
    if start is not None and stop is not None and start >= stop:
        raise LabelError(f"start {start} is not below stop {stop}; stop is exclusive, so give start < stop")
    optional = {column: cells.get(column) or None for column in OPTIONAL}
    return Label(recording=cells["recording"], label=cells["label"], start=start, stop=stop, **optional)


def _number(text: str, column: str) -> int | None:
    """A frame index; None where the cell is empty."""
    if not text:
        return None
    whole, dot, rest = text.partition(".")  # programs that know no empty integer write 12.0
    sign, digits = whole[:1], whole.lstrip("+-")
    if not (digits.isascii() and digits.isdigit()) or (dot and rest.strip("0")):
        raise LabelError(f"{column} is no whole number; give a frame index, counted from 0")
    if sign == "-" and int(digits):
        raise LabelError(f"{column} {text} is negative; frames count from 0")
    return int(digits)
