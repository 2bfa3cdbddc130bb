"""The layout of exams with a text file per frame becomes labels with split, patient and centre."""

from collections.abc import Iterator
from pathlib import Path

from sonoplane.clips.label_exams import (
    PARTS,
    Exams,
    centres_of_exams,
    declared_classes,
    parts_in,
    patients_of_exams,
)
from sonoplane.clips.label_files import children, read_text
from sonoplane.clips.label_frames import IMAGES, natural
from sonoplane.clips.label_settle import Item, Source
from sonoplane.errors import LabelError

__all__ = ["is_s1_layout", "read_s1"]


def is_s1_layout(folder: Path) -> bool:
    """Whether a folder has a part with frames or with a text file per frame, each exam in a folder."""
    return any((part / kind).is_dir() for part in parts_in(folder) for kind in ("labels", "videos"))


def read_s1(folder: Path) -> Source:
    """Read `{train,test}/labels/<exam>/<exam>_NNN.txt`, each the class of the image of its name under `videos`.

    A frame's index is the place of its image among those of the exam in natural order, whatever its number.
    `classes.json` declares the classes (name to number), `exams.json` lists the exams of each patient, and
    `*-infos.csv` the centre, which is what stands before the first `-` of `name-cvat`. What is missing of these
    three is noted. Places are file names.
    """
    source = Source(name=folder.name)
    source.classes = tuple(declared_classes(folder, source))
    found = {part: _exams_of(part) for part in parts_in(folder)}
    names = [exam for exams in found.values() for exam in exams]
    exams = Exams(
        patients=patients_of_exams(folder, source, names), centres=centres_of_exams(folder, source, names)
    )
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


def _exams_of(part: Path) -> list[str]:
    """The exams of a part, by their labels and by their frames."""
    kinds = [part / kind for kind in ("labels", "videos") if (part / kind).is_dir()]
    names = {entry.name for kind in kinds for entry in children(kind) if entry.is_dir()}
    return sorted(names, key=natural)


def _exam_items(part: Path, exam: str, exams: Exams, source: Source) -> Iterator[Item]:
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
