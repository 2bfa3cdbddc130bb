"""A table of folder, file and class becomes one label for each whole recording."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sonoplane.clips.label_files import read_text
from sonoplane.clips.label_settle import Item, Source
from sonoplane.errors import LabelError

__all__ = ["TableColumns", "class_table_columns", "read_class_table"]

#: Names of the columns of a class table.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "folder": ("folder", "dir", "directory", "study", "exam"),
    "file": ("file", "filename", "name", "video", "recording"),
    "class": ("class", "label", "view", "plane"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TableColumns:
    """Where a class table has what."""

    folder: int
    file: int
    class_: int
    n_cells: int
    """How many cells a row has at most."""
    is_named: bool
    """By a header; else they stand in this order."""

    @property
    def n_needed(self) -> int:
        """How many cells a row has at least."""
        return max(self.folder, self.file, self.class_) + 1


def class_table_columns(text: str) -> TableColumns | None:
    """Where a table has folder, file and class: by its header, else three columns in this order; None if neither.

    >>> class_table_columns("file;class;folder\\n").folder
    2
    """
    lines = [line for line in text.splitlines() if line.strip()][:50]
    if not lines or "\0" in text:
        return None
    rows = [_cells(line, _separator(lines)) for line in lines]
    widths = [len(row) for row in rows]
    unnamed = TableColumns(folder=0, file=1, class_=2, n_cells=3, is_named=False)
    return _header(rows[0]) or (unnamed if max(set(widths), key=widths.count) == 3 else None)


def read_class_table(path: Path) -> Source:
    """Read rows of folder, file and class, with or without a header, apart by tabs, commas, semicolons or blanks.

    A recording is named `folder/file`. Places are lines of the file.
    """
    source = Source(name=path.name)
    text = read_text(path)
    lines = text.splitlines()
    separator = _separator([line for line in lines if line.strip()])
    columns = class_table_columns(text)
    if columns is None:
        raise LabelError(f"{path.name} is no class table.", advice="Give the columns folder, file and class.")
    earlier: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines, start=1):
        cells = _cells(line, separator)
        if not line.strip() or (_header(cells) and columns.is_named and number == _first(lines)):
            continue
        fault = "the header is repeated; delete the line" if _header(cells) else _row_fault(cells, columns)
        if fault:
            source.fault(number, fault)
            continue
        folder, file, label = (cells[place] for place in (columns.folder, columns.file, columns.class_))
        recording = PurePosixPath(*_parts(folder), *_parts(file)).as_posix()
        row, known = earlier.setdefault(recording.casefold(), (number, label.strip().casefold()))
        if row != number:
            same = known == label.strip().casefold()
            text = "delete one of the two" if same else "its class is another there, so keep the right one"
            source.fault(number, f"the recording of row {row} again; {text}")
        else:
            source.items.append(Item(place=number, recording=recording, label=label))
    if not source.items and not source.faults:
        source.note("The table holds no row")
    return source


def _first(lines: Sequence[str]) -> int:
    """The number of the first line that is not empty."""
    return next(number for number, line in enumerate(lines, start=1) if line.strip())


def _separator(lines: Sequence[str]) -> str | None:
    """What stands between cells: a tab, semicolon or comma that most lines have twice, else blanks (None)."""
    for separator in "\t;,":
        if sum(line.count(separator) >= 2 for line in lines) * 2 > len(lines):
            return separator
    return None


def _cells(line: str, separator: str | None) -> list[str]:
    """The cells of a line; quotes hold one together."""
    if separator is None:
        return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', line)]
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return [line]


def _header(cells: Sequence[str]) -> TableColumns | None:
    """Where the columns are, where the cells are their names."""
    words = [cell.strip().casefold() for cell in cells]
    places = [next((i for i, word in enumerate(words) if word in names), -1) for names in COLUMNS.values()]
    if min(places) < 0 or len(set(places)) < len(places):
        return None
    folder, file, class_ = places
    return TableColumns(folder=folder, file=file, class_=class_, n_cells=len(cells), is_named=True)


def _row_fault(cells: Sequence[str], columns: TableColumns) -> str | None:
    """What is wrong with a row by itself, and what to do."""
    if len(cells) < columns.n_needed:
        return f"{len(cells)} cells where there should be {columns.n_cells}; give folder, file and class"
    if any(cell.strip() for cell in cells[columns.n_cells :]):
        found = f"{len(cells)} cells where there should be {columns.n_cells}"
        return f"{found}; put quotes around a name with blanks or commas"
    folder, file, label = (cells[i].strip() for i in (columns.folder, columns.file, columns.class_))
    empty = [name for name, cell in (("file", file), ("class", label)) if not cell]
    if empty:
        return f"{' and '.join(empty)} empty; fill in or delete the row"
    if file.endswith(("/", "\\")):
        return "the file is a folder; name the recording in it"
    if ".." in (*_parts(folder), *_parts(file)) or re.match(r"[/\\]|[A-Za-z]:", folder or file):
        return "the folder is not below the recordings; give it as it lies below the source"
    return None


def _parts(text: str) -> list[str]:
    return [part for part in re.split(r"[/\\]", text.strip()) if part not in ("", ".")]
