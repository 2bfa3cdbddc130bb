"""The tables beside exams tell their classes, patients and centres: `classes.json`, `exams.json`, `*-infos.csv`."""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonoplane.clips.label_files import children, read_text
from sonoplane.clips.label_frames import natural
from sonoplane.clips.label_settle import Source
from sonoplane.errors import LabelError

__all__ = [
    "OTHER_FILES",
    "PARTS",
    "Exams",
    "centres_of_exams",
    "declared_classes",
    "parts_in",
    "patients_of_exams",
]

#: The folders of a data set, and what its parts are called here.
PARTS = {"train": "train", "training": "train", "val": "validation", "valid": "validation"}
PARTS |= {"validation": "validation", "test": "test"}

#: What lies beside recordings without being one.
OTHER_FILES = re.compile(
    r"(license|licence|readme|thumbs|desktop)(\.\w+)?"
    r"|.*\.(csv|tsv|jsonl?|txt|md|xml|html?|pdf|log|ya?ml|toml|ini|py|sh|ipynb|docx?|xlsx?|parquet|zip|gz|tar)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Exams:
    """What the files beside the frames tell of the exams."""

    patients: Mapping[str, str] | None
    """Exam -> patient; None where there is no `exams.json`."""
    centres: Mapping[str, str]


def parts_in(folder: Path) -> list[Path]:
    """The folders of the parts of a data set."""
    return [entry for entry in children(folder) if entry.name.casefold() in PARTS and entry.is_dir()]


def _json(folder: Path, name: str, without: str, source: Source) -> Any:
    """The content of a JSON file; None where it is missing, which is noted, or broken, which is told."""
    path = folder / name
    if not path.exists():
        source.note(f"There is no {name}: {without}")
        return None
    try:
        return json.loads(read_text(path))
    except LabelError as error:
        source.fault(name, f"{error.message} {error.advice}".rstrip("."))
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        source.fault(name, f"not whole JSON{f', line {line}' if line else ''}; write the file again")
    return None


def declared_classes(folder: Path, source: Source) -> dict[str, int]:
    """The classes that `classes.json` declares, with their numbers."""
    content = _json(folder, "classes.json", "any class is taken", source)
    if content is None:
        return {}
    if not isinstance(content, dict):
        source.fault("classes.json", 'no object of names and numbers; write {"class": 0, ...}')
        return {}
    classes: dict[str, int] = {}
    for name, number in content.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            source.fault(
                "classes.json", f"the number of '{_shown(name)}' is no whole number from 0 on; give one"
            )
        elif number in classes.values():
            source.fault("classes.json", f"'{_shown(name)}' has the number of another class; give it its own")
        else:
            classes[name.strip()] = number
    return classes


def _shown(name: str) -> str:
    return name if name.isprintable() else "?"


def patients_of_exams(
    folder: Path, source: Source, exams: Sequence[str], *, complete: bool = True
) -> dict[str, str] | None:
    """Exam -> patient, by `exams.json`; None where there is none. A patient is named by its place in the list."""
    content = _json(folder, "exams.json", "patients must be told in another way", source)
    if content is None:
        return None
    lists = list(content.values()) if isinstance(content, dict) else content
    if not isinstance(lists, list):
        source.fault("exams.json", "no list of lists; write one list of exams for each patient")
        return {}
    patients: dict[str, str] = {}
    for number, mine in enumerate(lists):
        place = f"exams.json[{number}]"
        if not isinstance(mine, list) or any(
            isinstance(e, bool) or not isinstance(e, str | int) for e in mine
        ):
            source.fault(place, 'no list of exams; write the patient\'s exams as ["exam", ...]')
            continue
        for index, exam in enumerate(str(exam).strip() for exam in mine):
            if exam in patients:
                text = (
                    "listed with a patient before"
                    if patients[exam] != f"patient-{number + 1}"
                    else "listed twice"
                )
                source.fault(
                    f"{place}[{index}]", f"the exam is {text}; an exam has one patient, so delete one"
                )
            elif exam not in exams and complete:
                source.note("An exam of exams.json has neither frames nor labels here", [f"{place}[{index}]"])
            patients.setdefault(exam, f"patient-{number + 1}")
    return patients


def centres_of_exams(folder: Path, source: Source, exams: Sequence[str]) -> dict[str, str]:
    """Exam -> centre, by the tables of the exams."""
    centres: dict[str, str] = {}
    tables = [path for path in children(folder) if path.name.casefold().endswith("-infos.csv")]
    if not tables:
        source.note("There is no *-infos.csv: the centres are not known")
    for path in tables:
        for row, cells in _table(path, source):
            place = f"{path.name} row {row}"
            exam = next((cells[c] for c in ("name-video", "id-video") if cells.get(c) in exams), None)
            centre, dash, _ = cells.get("name-cvat", "").partition("-")
            if exam is None:
                text = "A row is of an exam that has neither frames nor labels here; correct its name"
                source.note(text, [place])
            elif exam in centres and centres[exam] != centre.strip():
                source.fault(place, "the exam has another centre in an earlier row; keep the right row")
            elif exam in centres:
                source.fault(place, "the exam is listed in an earlier row; delete one of the two")
            elif not dash or not centre.strip():
                source.fault(place, "name-cvat has no centre before a '-'; write it as centre-name")
            else:
                centres[exam] = centre.strip()
    unlisted = sorted(set(exams) - centres.keys(), key=natural)
    if tables and unlisted:
        source.note("Exams without a row in *-infos.csv have no centre", unlisted)
    return centres


def _table(path: Path, source: Source) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table of exams: number (the header is row 1) and cells by column."""
    try:
        text = read_text(path)
    except LabelError as error:
        source.fault(path.name, f"{error.message} {error.advice}".rstrip("."))
        return
    first = text.partition("\n")[0]
    rows = csv.reader(text.splitlines(), delimiter=max(",;\t", key=first.count))
    try:
        header = [re.sub(r"[\s_]+", "-", column.strip().casefold()) for column in next(rows, [])]
        if "name-cvat" not in header or not {"name-video", "id-video"} & set(header):
            source.fault(path.name, "columns are missing; give id-video, name-video, name-cvat and date")
            return
        for number, row in enumerate(rows, start=2):
            if any(cell.strip() for cell in row):
                yield number, dict(zip(header, (cell.strip() for cell in row), strict=False))
    except csv.Error:
        source.fault(path.name, "the table cannot be read as CSV; save it again")
