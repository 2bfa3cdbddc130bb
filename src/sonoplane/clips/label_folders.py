"""Folders named after classes, or a table of folder, file and class, become one label for each whole recording."""

import csv
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from pathlib import Path, PurePosixPath

from sonoplane.clips.label_files import children, read_text
from sonoplane.clips.label_frames import IMAGES, split_number
from sonoplane.clips.label_s1 import PARTS
from sonoplane.clips.label_settle import Item, Source
from sonoplane.errors import LabelError

__all__ = ["TableColumns", "class_table_columns", "read_class_folders", "read_class_table"]

#: What lies beside recordings without being one.
OTHER_FILES = re.compile(
    r"(license|licence|readme|thumbs|desktop)(\.\w+)?"
    r"|.*\.(csv|tsv|jsonl?|txt|md|xml|html?|pdf|log|ya?ml|toml|ini|py|sh|ipynb|docx?|xlsx?|parquet|zip|gz|tar)",
    re.IGNORECASE,
)

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


@dataclass(kw_only=True, slots=True)
class _Folders:
    """What is known while folders are read."""

    root: Path
    source: Source
    files: list[Path] = field(default_factory=list)
    frames: dict[str, list[tuple[str, set[int], str]]] = field(default_factory=lambda: defaultdict(list))
    """Recording that lies there as frames -> class, numbers and place of its frames, once for each class."""

    def place(self, path: Path) -> str:
        """A path below the root."""
        return path.relative_to(self.root).as_posix()


def read_class_folders(folder: Path) -> Source:
    """Read `<class>/<recording>`: video files, folders of frames, or frames `<recording>_<n>.jpg` side by side.

    The class folders may lie in `train`, `validation` and `test`, which then is the split. A recording is named by
    its path below the folder. The same content under two classes is a fault; so is a recording whose frames lie
    partly under one class and partly under another. Places are paths below the folder.
    """
    reading = _Folders(root=folder, source=Source(name=folder.name))
    inside = [entry for entry in children(folder) if entry.is_dir()]
    in_parts = bool(inside) and all(entry.name.casefold() in PARTS for entry in inside)
    for home in inside if in_parts else [folder]:
        split = PARTS[home.name.casefold()] if in_parts else None
        classes = [entry for entry in children(home) if entry.is_dir()]
        for entry in classes:
            reading.source.items += _class_items(entry, split, reading)
        if not classes:
            text = "there is no class folder; put recordings into <class>/<recording>"
            reading.source.fault(home.name, text)
        for entry in children(home):
            if entry not in classes and not OTHER_FILES.fullmatch(entry.name):
                text = "the file lies in no class folder; move it into one, or away"
                reading.source.fault(reading.place(entry), text)
    _tell_torn(reading)
    _tell_duplicates(reading)
    return reading.source


def _class_items(folder: Path, split: str | None, reading: _Folders) -> Iterator[Item]:
    """The recordings of one class."""
    source = reading.source
    frames: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    stems: dict[str, str] = {}
    entries = [e for e in children(folder) if e.is_dir() or not OTHER_FILES.fullmatch(e.name)]
    if not entries:
        source.fault(reading.place(folder), "the class folder holds no recording; fill it, or delete it")
    for entry in entries:
        place = reading.place(entry)
        numbered = split_number(entry.stem) if entry.suffix.lower() in IMAGES else None
        fault = _entry_fault(entry)
        if fault:
            source.fault(place, fault)
            continue
        reading.files += [entry] if entry.is_file() else []
        if numbered and entry.is_file():
            frames[numbered[0]].append((numbered[1], entry))
            continue
        stem = entry.stem.casefold()
        if stem in stems:
            source.note(f"Of the same name as {stems[stem]}; delete one if it is the same recording", [place])
        stems.setdefault(stem, entry.name)
        yield Item(place=place, recording=place, label=folder.name, split=split)
    for name, files in frames.items():
        yield _frames_item(folder, name, files, split, reading)


def _entry_fault(entry: Path) -> str | None:
    """Why an entry of a class folder is no recording, and what to do."""
    if entry.is_dir():
        if any(path.suffix.lower() in IMAGES for path in children(entry)):
            return None
        return "the folder holds no frames; put recordings right under their class"
    if not entry.exists():
        return "the link leads nowhere; copy the file here, or delete the link"
    return None if entry.stat().st_size else "the file is empty; copy it again, or delete it"


def _frames_item(
    folder: Path, name: str, files: list[tuple[int, Path]], split: str | None, reading: _Folders
) -> Item:
    """The one label of frames that lie side by side; missing and double numbers are told."""
    files.sort()
    first = reading.place(files[0][1])
    numbers = {number for number, _ in files}
    reading.frames[name].append((folder.name, numbers, first))
    if len(files) == 1:  # a still whose name ends in a number
        return Item(place=first, recording=first, label=folder.name, split=split)
    for (before, _), (after, path) in pairwise(files):
        if after == before:
            text = f"frame {after} of its recording lies there twice; delete one of the two"
            reading.source.fault(reading.place(path), text)
    n_there = files[-1][0] - files[0][0] + 1
    if n_there > len(numbers):
        text = f"{n_there - len(numbers)} of {n_there} frame numbers are missing; copy them again"
        reading.source.note(f"{text}, unless the frames were thinned out", [first])
    recording = reading.place(folder / name)
    return Item(place=first, recording=recording, label=folder.name, split=split)


def _tell_torn(reading: _Folders) -> None:
    """Tell recordings whose frames lie partly under one class and partly under another."""
    for parts in reading.frames.values():
        for (_, numbers, place), (_, others, other) in combinations(parts, 2):
            if not numbers & others:  # else two recordings of one name
                text = f"frames of this recording lie under another class too, from {place} on"
                reading.source.fault(other, f"{text}; move them into one folder")


def _tell_duplicates(reading: _Folders) -> None:
    """Tell files of the same content in two places; files of a size of their own are not read."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in reading.files:
        by_size[path.stat().st_size].append(path)
    for same in by_size.values():
        first: dict[bytes, Path] = {}
        for path in same if len(same) > 1 else []:
            earlier = first.setdefault(_digest(path), path)
            other = reading.place(earlier)
            if earlier.parent != path.parent:
                text = f"the same content as {other}; keep it in one folder, of the right class"
                reading.source.fault(reading.place(path), text)
            elif earlier != path and path.suffix.lower() not in IMAGES:  # frames may repeat
                reading.source.note(f"The same content as {other}; delete one of them", [reading.place(path)])


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise LabelError(
            f"{path.name} cannot be read: {error.strerror}.", advice="Check its permissions."
        ) from error


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
