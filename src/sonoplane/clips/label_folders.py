"""Folders named after classes become one label for each whole recording in them."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from pathlib import Path

from sonoplane.clips.label_exams import OTHER_FILES, PARTS
from sonoplane.clips.label_files import children
from sonoplane.clips.label_frames import IMAGES, lies_loose, recordings_among, split_number
from sonoplane.clips.label_settle import Item, Source
from sonoplane.errors import LabelError

__all__ = ["read_class_folders"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Meaning:
    """What a folder says of the recordings in it."""

    label: str
    split: str | None
    loose: bool
    """Frames of several recordings lie side by side in the folders beside it."""
    is_inner: bool = False
    """It lies in the folder of its class, and is not that folder."""


@dataclass(kw_only=True, slots=True)
class _Folders:
    """What is known while folders are read."""

    root: Path
    source: Source
    recordings: list[tuple[_Meaning, tuple[Path, ...]]] = field(default_factory=list)
    """The files of each recording."""
    frames: dict[str, list[tuple[str, set[int], str]]] = field(default_factory=lambda: defaultdict(list))
    """Recording that lies there as frames -> class, numbers and place of its frames, once for each class."""

    def place(self, path: Path) -> str:
        """A path below the root."""
        return path.relative_to(self.root).as_posix()


def read_class_folders(folder: Path) -> Source:
    """Read `<class>/<recording>`: video files, folders of frames, or frames `<recording>_<n>.jpg` side by side.

    Which images are frames of which recording, `label_frames.recordings_among` tells; where all of a class are of one
    recording, that is called as the folder is.

    The class folders may lie in `train`, `validation` and `test`, which then is the split. A recording is named by
    its path below the folder. The same content under two classes is a fault; so is a recording whose frames lie
    partly under one class and partly under another. Places are paths below the folder.
    """
    reading = _Folders(root=folder, source=Source(name=folder.name))
    inside = _folders_in(folder)
    in_parts = bool(inside) and all(entry.name.casefold() in PARTS for entry in inside)
    homes = inside if in_parts else [folder]
    loose = _frames_lie_loose([entry for home in homes for entry in _folders_in(home)])
    for home in homes:
        split = PARTS[home.name.casefold()] if in_parts else None
        classes = _folders_in(home)
        for entry in classes:
            reading.source.items += _class_items(
                entry, _Meaning(label=entry.name, split=split, loose=loose), reading
            )
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


def _folders_in(folder: Path) -> list[Path]:
    return [entry for entry in children(folder) if entry.is_dir()]


def _frames_lie_loose(folders: Sequence[Path]) -> bool:
    """Whether the frames of several recordings lie side by side in one of these folders."""
    return any(lies_loose([e.name for e in children(f) if e.suffix.lower() in IMAGES]) for f in folders)


def _class_items(folder: Path, meaning: _Meaning, reading: _Folders) -> Iterator[Item]:
    """The recordings of one class, or of a folder of several in it."""
    source = reading.source
    stems: dict[str, str] = {}
    entries = [e for e in children(folder) if e.is_dir() or not OTHER_FILES.fullmatch(e.name)]
    images: list[Path] = []
    if not entries:
        source.fault(reading.place(folder), "the class folder holds no recording; fill it, or delete it")
    inside = _frames_lie_loose([entry for entry in entries if entry.is_dir()])
    for entry in entries:
        place = reading.place(entry)
        fault = _entry_fault(entry)
        if fault:
            source.fault(place, fault)
            continue
        if entry.is_dir():
            yield from _class_items(entry, replace(meaning, loose=inside, is_inner=True), reading)
            continue
        if entry.suffix.lower() in IMAGES:
            images.append(entry)
            continue
        stem = entry.stem.casefold()
        if stem in stems:
            source.note(f"Of the same name as {stems[stem]}; delete one if it is the same recording", [place])
        stems.setdefault(stem, entry.name)
        reading.recordings.append((meaning, (entry,)))
        yield Item(place=place, recording=place, label=meaning.label, split=meaning.split)
    yield from _image_items(folder, images, meaning, reading)


def _entry_fault(entry: Path) -> str | None:
    """Why an entry of a class folder is no recording, and what to do."""
    if entry.is_dir():
        if any(path.suffix.lower() in IMAGES for path in children(entry)):
            return None
        return "the folder holds no frames; put recordings right under their class"
    if not entry.exists():
        return "the link leads nowhere; copy the file here, or delete the link"
    return None if entry.stat().st_size else "the file is empty; copy it again, or delete it"


def _image_items(
    folder: Path, images: Sequence[Path], meaning: _Meaning, reading: _Folders
) -> Iterator[Item]:
    """The recordings that images of one folder make: all of them one, one for each run of frames, or stills."""
    among = recordings_among([image.name for image in images], folder=folder.name, loose=meaning.loose)
    for name, frames in among.items():
        files = tuple(folder / frame for frame in frames)
        reading.recordings.append((meaning, files))
        _check_numbers(files, meaning, reading)
        place = reading.place(files[0])
        recording = reading.place(folder / name) if name else reading.place(folder)
        yield Item(
            place=recording if meaning.is_inner and not name else place,
            recording=recording,
            label=meaning.label,
            split=meaning.split,
        )
    if "" in among and len(among[""]) < len(images):
        aside = [reading.place(image) for image in images if image.name not in among[""]]
        reading.source.note("Images without a number beside numbered frames are no recordings", aside)


def _check_numbers(files: Sequence[Path], meaning: _Meaning, reading: _Folders) -> None:
    """Tell missing and double numbers among the frames of one recording."""
    parsed = [split_number(file.stem) for file in files]
    numbered = [(*found, file) for found, file in zip(parsed, files, strict=True) if found]
    if len(numbered) < len(files) or len({prefix for prefix, _, _ in numbered}) > 1:
        return
    numbers = {number for _, number, _ in numbered}
    first = reading.place(files[0])
    if not meaning.is_inner:
        reading.frames[numbered[0][0]].append((meaning.label, numbers, first))
    for (_, before, _), (_, after, path) in pairwise(numbered):
        if after == before:
            text = f"frame {after} of its recording lies there twice; delete one of the two"
            reading.source.fault(reading.place(path), text)
    n_there = max(numbers) - min(numbers) + 1
    if n_there > len(numbers):
        text = f"{n_there - len(numbers)} of {n_there} frame numbers are missing; copy them again"
        reading.source.note(f"{text}, unless the frames were thinned out", [first])


def _tell_torn(reading: _Folders) -> None:
    """Tell recordings whose frames lie partly under one class and partly under another."""
    for parts in reading.frames.values():
        for (_, numbers, place), (_, others, other) in combinations(parts, 2):
            if not numbers & others:  # else two recordings of one name
                text = f"frames of this recording lie under another class too, from {place} on"
                reading.source.fault(other, f"{text}; move them into one folder")


def _tell_duplicates(reading: _Folders) -> None:
    """Tell recordings of the same content in two places; files of sizes of their own are not read."""
    by_size: dict[tuple[int, ...], list[tuple[_Meaning, tuple[Path, ...]]]] = defaultdict(list)
    for meaning, files in reading.recordings:
        by_size[tuple(path.stat().st_size for path in files)].append((meaning, files))
    for same in by_size.values():
        first: dict[tuple[bytes, ...], tuple[_Meaning, Path]] = {}
        for meaning, files in same if len(same) > 1 else []:
            digests = tuple(map(_digest, files))
            place = reading.place(files[0])
            known, path = first.setdefault(digests, (meaning, files[0]))
            other = reading.place(path)
            if (known.label, known.split) != (meaning.label, meaning.split):
                text = f"the same content as {other}; keep it in one folder, of the right class"
                reading.source.fault(place, text)
            elif other != place and (len(files) > 1 or files[0].suffix.lower() not in IMAGES):
                reading.source.note(f"The same content as {other}; delete one of them", [place])


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise LabelError(
            f"{path.name} cannot be read: {error.strerror}.", advice="Check its permissions."
        ) from error
