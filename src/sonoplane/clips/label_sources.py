"""Labels of any known format become one table: what a source is, its content tells, not its name."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sonoplane.clips.label_checks import gaps, meant, refuse, told
from sonoplane.clips.label_class_table import class_table_columns, read_class_table
from sonoplane.clips.label_cvat import read_cvat
from sonoplane.clips.label_files import read_bytes, read_text
from sonoplane.clips.label_folders import read_class_folders
from sonoplane.clips.label_prepared import is_prepared_split, read_prepared_split
from sonoplane.clips.label_s1 import is_s1_layout, read_s1
from sonoplane.clips.label_settle import Source, settle
from sonoplane.clips.label_studio import read_label_studio
from sonoplane.clips.labels import COLUMNS, LabelTable, read_labels
from sonoplane.errors import LabelError

__all__ = ["read_label_source"]

#: The first bytes of files that can be told by them.
ZIP, PARQUET = b"PK\x03\x04", b"PAR1"
XML = (b"<", b"\xff\xfe<", b"\xfe\xff\x00<")


def read_label_source(
    path: Path,
    *,
    task: str | None = None,
    exhaustive: bool = False,
    classes: Iterable[str] | None = None,
    times_s: Mapping[str, Sequence[float]] | None = None,
) -> LabelTable:
    """Read labels: the label table (CSV, Parquet), CVAT XML, Label Studio JSON, or a folder or table of classes.

    Args:
        path: a file, or a folder in the layout of exams, of class numbers, or of classes.
        task: what the labels are for; where it names an attribute (CVAT) or a control (Label Studio), its values
            alone are the classes.
        exhaustive: frames without a label are background (`labels.fill_background`).
        classes: the classes that there are, where the source is not to be believed or does not say.
        times_s: recording -> its frame times, for labels in seconds.

    Raises:
        LabelError: what is wrong, by row, line or path in the source, each with what to do.
    """
    found = _read_folder(path) if path.is_dir() else _read_file(path, task=task, times_s=times_s)
    if isinstance(found, Source):
        return settle(found, classes=classes, exhaustive=exhaustive)
    if classes is not None:
        known = tuple(classes)
        refuse(
            [
                (
                    place,
                    f"{told(row)}: there is no such class{meant(row.label, known)}; correct or declare it",
                )
                for place, row in found.placed.items()
                if row.label not in known
            ],
            of=path.name,
            notes=found.notes,
        )
    notes = found.notes if exhaustive else (*found.notes, *gaps(found.placed))
    return replace(found, exhaustive=exhaustive, notes=notes)


def _read_folder(path: Path) -> Source:
    path = path.resolve()  # for its name
    if is_s1_layout(path):
        return read_s1(path)
    return read_prepared_split(path) if is_prepared_split(path) else read_class_folders(path)


def _read_file(
    path: Path, *, task: str | None, times_s: Mapping[str, Sequence[float]] | None
) -> Source | LabelTable:
    data = read_bytes(path)
    head = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(ZIP):
        raise LabelError(f"{path.name} is a ZIP file.", advice="Unpack it and give the label file in it.")
    if head.startswith(XML):
        return read_cvat(path, task=task)
    if head.startswith((b"[", b"{")):
        return read_label_studio(path, task=task, times_s=times_s)
    if (
        not head.startswith(PARQUET)
        and path.suffix.lower() != ".parquet"
        and _is_class_table(read_text(path))
    ):
        return read_class_table(path)
    return read_labels(path)


def _is_class_table(text: str) -> bool:
    """Whether a text is a table of folder, file and class rather than the label table."""
    columns = class_table_columns(text)
    words = {word.strip() for word in re.split(r"[,;\t]", text.partition("\n")[0].casefold())}
    return columns is not None and (columns.is_named or not words & {*COLUMNS})
