"""The layout of exams with a text file per frame becomes labels with split, patient and centre."""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonoplane.clips.label_files import children, read_text
from sonoplane.clips.label_frames import IMAGES, natural, split_number
from sonoplane.clips.label_settle import Item, Source
from sonoplane.errors import LabelError

__all__ = ["PARTS", "is_prepared_split", "is_s1_layout", "read_prepared_split", "read_s1"]

#: The folders of a data set, and what its parts are called here.
PARTS = {"train": "train", "training": "train", "val": "validation", "valid": "validation"}
PARTS |= {"validation": "validation", "test": "test"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Exams:
    """What the files beside the frames tell of the exams."""

    patients: Mapping[str, str] | None
    """Exam -> patient; None where there is no `exams.json`."""
    centres: Mapping[str, str]


def is_s1_layout(folder: Path) -> bool:
    """Whether a folder has a part with frames or with a text file per frame, each exam in a folder."""
    return any((part / kind).is_dir() for part in _parts(folder) for kind in ("labels", "videos"))


def is_prepared_split(folder: Path) -> bool:
    """Whether a folder's parts hold folders named by numbers, and nothing else."""
    parts = _parts(folder)
    inside = [entry for part in parts for entry in children(part) if entry.is_dir()]
    return bool(inside) and all(entry.name.isdecimal() for entry in inside)


def read_s1(folder: Path) -> Source:
    """Read `{train,test}/labels/<exam>/<exam>_NNN.txt`, each the class of the image of its name under `videos`.

    A frame's index is the place of its image among those of the exam in natural order, whatever its number.
    `classes.json` declares the classes (name to number), `exams.json` lists the exams of each patient, and
    `*-infos.csv` the centre, which is what stands before the first `-` of `name-cvat`. What is missing of these
    three is noted. Places are file names.
    """
    source = Source(name=folder.name)
    source.classes = tuple(_classes(folder, source))
    found = {part: _exams_of(part) for part in _parts(folder)}
    names = [exam for exams in found.values() for exam in exams]
    exams = _Exams(patients=_patients(folder, source, names), centres=_centres(folder, source, names))
    where: dict[str, str] = {}
    for part, mine in found.items():
        for exam in mine:
            if exam in where:
                remedy = f"it is in {where[exam]} too; keep it in one part"
                source.fault(f"{part.name}: {exam}", f"the exam is in two parts: {remedy}")
                continue
            where[exam] = part.name
            source.items += _exam_items(part, exam, exams, source)
    if not names:
        source.fault(folder.name, "there is no exam under labels; put <exam>/<exam>_NNN.txt there")
    return source


def read_prepared_split(folder: Path) -> Source:
    """Read `<part>/<class number>/<frame>`: every image is a recording of one frame.

    `classes.json` in the folder or beside it gives the numbers their names; `exams.json` the patients.
    """
    source = Source(name=folder.name)
    home = folder if (folder / "classes.json").exists() else folder.parent
    numbers = {number: name for name, number in _classes(home, source).items()}
    images = [
        (part, place, image)
        for part in _parts(folder)
        for place in children(part)
        if place.is_dir()
        for image in sorted(children(place), key=lambda path: natural(path.name))
        if image.suffix.lower() in IMAGES
    ]
    exams = {image: (split_number(image.stem) or (image.stem, 0))[0] for _, _, image in images}
    patients = _patients(home, source, sorted(set(exams.values())), complete=False)
    for part, place, image in images:
        number = int(place.name)
        if numbers and number not in numbers:
            remedy = "add it to classes.json, or move its frames"
            source.fault(f"{part.name}/{place.name}/{image.name}", f"there is no class {number}; {remedy}")
            continue
        source.items.append(
            Item(
                place=f"{part.name}/{place.name}/{image.name}",
                recording=f"{part.name}/{place.name}/{image.name}",
                label=numbers.get(number, place.name),
                patient=(patients or {}).get(exams[image]),
                split=PARTS[part.name.casefold()],
            )
        )
    return source


def _parts(folder: Path) -> list[Path]:
    return [entry for entry in children(folder) if entry.name.casefold() in PARTS and entry.is_dir()]


def _exams_of(part: Path) -> list[str]:
    """The exams of a part, by their labels and by their frames."""
    kinds = [part / kind for kind in ("labels", "videos") if (part / kind).is_dir()]
    names = {entry.name for kind in kinds for entry in children(kind) if entry.is_dir()}
    return sorted(names, key=natural)


def _exam_items(part: Path, exam: str, exams: _Exams, source: Source) -> Iterator[Item]:
    """The labels of one exam's frames; what is wrong with its files is told."""
    labels, videos = part / "labels" / exam, part / "videos" / exam
    at = f"{part.name}: {exam}"
    texts = [path for path in children(labels) if path.suffix.lower() == ".txt"] if labels.is_dir() else []
    images = [p for p in children(videos) if p.suffix.lower() in IMAGES] if videos.is_dir() else []
    if not images:
        text = "Labels of an exam that has no frames under videos were left out; copy the frames there"
        source.note(text, [at])
        return
    if not texts:
        source.note("An exam has frames but no text file, and stays unlabelled; add its labels", [at])
        return
    images.sort(key=lambda path: natural(path.name))
    index = {image.stem.casefold(): frame for frame, image in enumerate(images)}
    if exams.patients is not None and exam not in exams.patients:
        source.fault(at, "no patient in exams.json has this exam; add it to its patient's list")
    for path in sorted(texts, key=lambda path: natural(path.name)):
        frame = index.get(path.stem.casefold())
        place = f"{part.name}: {path.name}"
        if frame is None:
            fault = "there is no frame of this name under videos; copy it there, or delete the label"
            source.fault(place, fault)
            continue
        label = _class_in(path, place, source)
        if label is not None:
            yield Item(
                place=place,
                recording=exam,
                label=label,
                start=frame,
                stop=frame + 1,
                is_frame=True,
                patient=(exams.patients or {}).get(exam),
                centre=exams.centres.get(exam),
                split=PARTS[part.name.casefold()],
            )
    source.seen[exam] = (range(len(images)),)
    n_missing = len(images) - len({path.stem.casefold() for path in texts} & index.keys())
    if n_missing:
        source.note(f"{n_missing} of {len(images)} frames have no text file and stay unlabelled", [at])


def _class_in(path: Path, place: str, source: Source) -> str | None:
    """The class that a text file names; None where it does not name one, which is told."""
    try:
        lines = [line for line in read_text(path).splitlines() if line.strip()]
    except LabelError as error:
        source.fault(place, f"{error.message} {error.advice}".rstrip("."))
        return None
    if len(lines) == 1:
        return lines[0]
    found = f"{len(lines)} lines" if lines else "nothing"
    source.fault(place, f"the file holds {found}; write one class into it")
    return None


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


def _classes(folder: Path, source: Source) -> dict[str, int]:
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


def _patients(
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


def _centres(folder: Path, source: Source, exams: Sequence[str]) -> dict[str, str]:
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
