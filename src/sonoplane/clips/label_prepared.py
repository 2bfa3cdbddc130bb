"""The split of single frames by class numbers becomes labels of the exams that the frames are of."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sonoplane.clips.label_exams import (
    OTHER_FILES,
    PARTS,
    Exams,
    centres_of_exams,
    declared_classes,
    parts_in,
    patients_of_exams,
)
from sonoplane.clips.label_files import children
from sonoplane.clips.label_frames import IMAGES, natural, split_number
from sonoplane.clips.label_settle import Item, Source

__all__ = ["is_prepared_split", "read_prepared_split"]


def is_prepared_split(folder: Path) -> bool:
    """Whether a folder's parts hold folders named by numbers, and nothing else."""
    parts = parts_in(folder)
    inside = [entry for part in parts for entry in children(part) if entry.is_dir()]
    return bool(inside) and all(entry.name.isdecimal() for entry in inside)


def read_prepared_split(folder: Path) -> Source:
    """Read `<part>/<class number>/<exam>_NNN.png`: the frames of an exam in a part are one recording, `<part>/<exam>`.

    A frame's index is its place among those of its exam in the order of their numbers, whatever folder it is in. Files
    of any other name are recordings with one label. `classes.json` in the folder or beside it gives the numbers their
    names, `exams.json` the patients and `*-infos.csv` the centres. Places are paths below the folder.
    """
    source = Source(name=folder.name)
    home = folder if (folder / "classes.json").exists() else folder.parent
    numbers = {number: name for name, number in declared_classes(home, source).items()}
    found = [frame for part in parts_in(folder) for frame in _prepared(part, numbers, source)]
    names = sorted({frame.exam for frame in found}, key=natural)
    exams = Exams(
        patients=patients_of_exams(home, source, names, complete=False),
        centres=centres_of_exams(home, source, names),
    )
    spread: dict[str, list[_Prepared]] = defaultdict(list)
    for frame in found:
        spread[frame.recording].append(frame)
    for recording, frames in spread.items():
        frames.sort(key=lambda frame: (frame.number or 0, frame.place))
        for index, frame in enumerate(frames):
            is_frame = frame.number is not None
            if index and frame.number == frames[index - 1].number:
                text = (
                    f"the frame of this number lies at {frames[index - 1].place} too; delete one of the two"
                )
                source.fault(frame.place, text)
            source.items.append(
                Item(
                    place=frame.place,
                    recording=recording,
                    label=frame.label,
                    start=index if is_frame else None,
                    stop=index + 1 if is_frame else None,
                    is_frame=is_frame,
                    patient=(exams.patients or {}).get(frame.exam),
                    centre=exams.centres.get(frame.exam),
                    split=frame.split,
                )
            )
        if frames[0].number is not None:
            source.seen[recording] = (range(len(frames)),)
    return source


@dataclass(frozen=True, kw_only=True, slots=True)
class _Prepared:
    """A file in the folder of a class number."""

    place: str
    recording: str
    exam: str
    number: int | None
    """Of the frame; None where the file is a recording by itself."""
    label: str
    split: str


def _prepared(part: Path, numbers: Mapping[int, str], source: Source) -> Iterator[_Prepared]:
    """What lies in the class folders of a part; classes that are not declared are told."""
    for folder in children(part):
        if not folder.is_dir():
            continue
        files = [path for path in children(folder) if path.is_dir() or not OTHER_FILES.fullmatch(path.name)]
        label = numbers.get(int(folder.name), folder.name)
        if files and numbers and int(folder.name) not in numbers:
            remedy = "add it to classes.json, or move what is in it"
            source.fault(f"{part.name}/{folder.name}", f"there is no class {int(folder.name)}; {remedy}")
            continue
        for file in files:
            is_image = file.suffix.lower() in IMAGES and file.is_file()
            numbered = split_number(file.stem) if is_image else None
            exam, number = numbered or (file.stem, None)
            place = f"{part.name}/{folder.name}/{file.name}"
            yield _Prepared(
                place=place,
                recording=f"{part.name}/{exam}" if numbered else place,
                exam=exam,
                number=number,
                label=label,
                split=PARTS[part.name.casefold()],
            )
