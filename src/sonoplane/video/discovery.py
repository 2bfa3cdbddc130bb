"""Files and folders become the list of recordings in them, each with a name that is safe and unique."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeAlias

from sonoplane.video.numbering import (
    has_image_name,
    lies_loose,
    natural_order,
    recordings_among,
    split_number,
)
from sonoplane.video.signatures import kind_of, read_head

__all__ = ["Found", "find_recordings", "safe_id", "without_suffix"]

#: What lies beside recordings without being one: passed over in folders, yet opened where it is named itself.
OTHER_FILES = re.compile(
    r"dicomdir|(license|licence|copying|notice|readme|changelog|makefile|thumbs|desktop)(\.\w+)?"
    r"|.*\.(csv|tsv|jsonl?|txt|md|rst|xml|html?|pdf|log|ya?ml|toml|ini|cfg|py|sh|ipynb|docx?|xlsx?|parquet"
    r"|npz|npy|pth|ckpt|zip|gz|tar|md5|sha1|sha256)",
    re.IGNORECASE,
)

#: What our own output folders hold: each of these sets of names marks one (findings of a recording, a prepared
#: archive, a bundle). They are passed over, so that no output is read back as input.
OUTPUTS = ({"findings.json"}, {"archive.json"}, {"bundle.json"})

#: Folders of the parts of a data set.
PARTS = ("train", "training", "val", "valid", "validation", "test")

#: Names that Windows keeps for devices, whatever follows a dot.
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)

#: Leaves room for what is written beside a recording, within the 255 bytes of a name.
LONGEST_ID = 120
DIGEST_DIGITS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One recording: where it lies, and what it is called."""

    path: Path
    """The file or folder that it is; for frames that lie among those of others the name that they share, in their
    folder, where there need not be any file."""
    id: str
    frames: tuple[Path, ...] = ()
    """The images that are its frames, in order; empty where `path` itself is the recording."""
    below: str = ""
    """Its path below the source that was named, with suffix and `/` between parts; the name of a source that is
    itself the recording. Unlike the id it stays the same whatever else is found, and is not always unique."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: Path
    relative: PurePath
    """Below the source that was named."""
    whole: bool
    """A folder that is one recording, or the name of loose frames: it has no suffix."""
    frames: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        parts = self.relative.parts
        last = parts[-1] if self.whole else without_suffix(parts[-1])
        return safe_id("/".join((*parts[:-1], last)))


def find_recordings(paths: Sequence[Path]) -> list[Found]:
    """Every recording among the files and below the folders that are named, once each, in their order.

    A folder whose images form one numbered sequence is one recording. Frames of several recordings that lie side by
    side in a folder (`<recording>_<n>`) are grouped by the name before the number, and so are the frames of an exam
    that are spread over `<part>/<class number>/`; `numbering.recordings_among` tells how. Below a named folder,
    hidden entries and files that are plainly something else are passed over, and so is what sonoplane itself wrote,
    with all that lies in it: a folder that holds `findings.json`, `archive.json` or `bundle.json`, and a folder
    named `*-private` that holds `key`. A folder that is named itself is always searched, whatever it holds. Links
    that lead nowhere and files that cannot be read stay in the list, so that opening them says what is wrong. Ids
    are paths below the named folder (or file names) without suffix, made safe by `safe_id`; where two would be
    equal, letter case aside, a digest of the path is appended to both, whatever the order.
    """
    candidates: dict[tuple[Path, bool], _Candidate] = {}
    for path in map(Path, paths):
        for candidate in _below(path) if path.is_dir() else [_Candidate(path, PurePath(path.name), False)]:
            candidates.setdefault((_identity(candidate.path), bool(candidate.frames)), candidate)
    return _named(list(candidates.values()))


def safe_id(text: str) -> str:
    """A name for a folder on any system: ASCII letters, digits, dot, dash, underscore; `__` between path parts.

    >>> safe_id("patient 7/Befund 3 (später).v2")
    'patient_7__Befund_3_spater_.v2'
    >>> safe_id("con"), safe_id("../..")
    ('recording_con', 'recording')
    """
    parts = [_safe_part(part) for part in re.split(r"[/\\]", text)]
    name = "__".join(part for part in parts if part)
    if len(name) > LONGEST_ID:
        name = f"{name[: LONGEST_ID - DIGEST_DIGITS - 1]}-{_digest(text)}"
    if not name:
        return "recording"
    return f"recording_{name}" if RESERVED.match(name) else name


def without_suffix(name: str) -> str:
    """A file's name without what tells its format; the numbers of a DICOM uid are no suffix.

    >>> without_suffix("sweep.v2.MP4"), without_suffix("1.2.840.113619"), without_suffix("IM0001")
    ('sweep.v2', '1.2.840.113619', 'IM0001')
    """
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and stem and re.fullmatch(r"(?=\d*[a-zA-Z])[0-9a-zA-Z]{1,5}", suffix) else name


def _safe_part(text: str) -> str:
    """One part of a path: accents dropped, all that is not allowed one underscore, nothing odd at its ends."""
    letters = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"[^0-9A-Za-z._-]+", "_", plain).strip("._-")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:DIGEST_DIGITS]


def _identity(path: Path) -> Path:
    """Equal for two ways to write one path; a link is not the file that it leads to."""
    absolute = path.absolute()
    return (
        absolute.parent.resolve() / absolute.name if absolute.name not in ("", "..") else absolute.resolve()
    )


def _below(folder: Path) -> Iterator[_Candidate]:
    """The recordings of a folder, named as paths below it; it may be one itself."""
    source = PurePath(folder.resolve().name)
    for path, whole, frames in _Walk(set()).through(folder, named=True):
        relative = PurePath(path.relative_to(folder))
        yield _Candidate(path, relative if relative.parts else source, whole, frames)


_Step: TypeAlias = tuple[Path, bool, tuple[Path, ...]]
"""A recording's path, whether it has no suffix, and its frames where they lie loose."""


@dataclass(frozen=True, slots=True)
class _Walk:
    """A walk through folders: recordings in natural order, those of a folder before those of its folders."""

    seen: set[tuple[int, int]]
    """Folders, so that linked circles end."""

    def through(
        self,
        folder: Path,
        *,
        named: bool = False,
        loose: bool = False,
        inside: bool | None = None,
        taken: frozenset[Path] = frozenset(),
    ) -> Iterator[_Step]:
        """The recordings below a folder.

        `named`: by the user, so searched even where it is an output. `loose`: frames lie loose in the folders beside
        it; `inside`: in those in it, where that is known. `taken`: frames of recordings that were found already.
        """
        try:
            place = folder.stat()
            entries = sorted(folder.iterdir(), key=lambda entry: natural_order(entry.name))
        except OSError:
            yield folder, True, ()
            return
        if (place.st_dev, place.st_ino) in self.seen:
            return
        self.seen.add((place.st_dev, place.st_ino))
        if not named and _is_output(folder, {entry.name for entry in entries}):
            return
        entries = [entry for entry in entries if not _is_passed_over(entry) and entry not in taken]
        folders = [entry for entry in entries if entry.is_dir()]
        inner = {*folders}
        yield from _recordings_in(folder, [entry for entry in entries if entry not in inner], loose=loose)
        if _is_part(folder) and folders and all(entry.name.isdecimal() for entry in folders):
            spread = _spread_over(folders)
            taken = frozenset(frame for frames in spread.values() for frame in frames)
            yield from ((folder / exam, True, frames) for exam, frames in spread.items())
        if inside is None:
            inside = _frames_lie_loose(folders)
        parts = bool(folders) and all(map(_is_part, folders))
        below = _frames_lie_loose([e for part in folders for e in _folders_in(part)]) if parts else None
        for entry in folders:
            yield from self.through(entry, loose=inside, inside=below, taken=taken)


def _recordings_in(folder: Path, files: Sequence[Path], *, loose: bool) -> Iterator[_Step]:
    """The recordings that files of one folder make."""
    images = [file for file in files if _is_image(file)]
    among = recordings_among([image.name for image in images], folder=folder.name, loose=loose)
    for name, frames in among.items():
        if name == "":
            yield folder, True, ()
        elif len(frames) > 1:
            yield folder / name, True, tuple(folder / frame for frame in frames)
    sequences = {frame for frames in among.values() if len(frames) > 1 for frame in frames}
    aside = {image.name for image in images} if "" in among else sequences
    for file in files:
        if file.name not in aside:
            yield file, False, ()


def _spread_over(classes: Sequence[Path]) -> dict[str, tuple[Path, ...]]:
    """Exam -> its frames, which lie in the folders of their classes, in the order of their numbers."""
    exams: dict[str, list[tuple[int, str, Path]]] = {}
    for folder in classes:
        for image in filter(_is_image, _listed(folder)):
            numbered = split_number(image.name)
            if numbered:
                exam, number = numbered
                exams.setdefault(exam, []).append((number, folder.name, image))
    return {
        exam: tuple(image for _, _, image in sorted(exams[exam])) for exam in sorted(exams, key=natural_order)
    }


def _frames_lie_loose(folders: Sequence[Path]) -> bool:
    """Whether the frames of several recordings lie side by side in one of these folders."""
    return any(lies_loose([e.name for e in _listed(folder) if has_image_name(e)]) for folder in folders)


def _folders_in(folder: Path) -> list[Path]:
    return [entry for entry in _listed(folder) if entry.is_dir() and not _is_passed_over(entry)]


def _listed(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where it cannot be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _is_part(folder: Path) -> bool:
    return folder.name.casefold() in PARTS


def _is_output(folder: Path, names: set[str]) -> bool:
    """Whether sonoplane wrote this folder, as the names in it tell."""
    private = folder.name.endswith("-private") and "key" in names
    return private or any(marks <= names for marks in OUTPUTS)


def _is_passed_over(entry: Path) -> bool:
    """Whether an entry of a folder is hidden, or plainly no recording."""
    return entry.name.startswith(".") or bool(OTHER_FILES.fullmatch(entry.name) and not entry.is_dir())


def _is_image(file: Path) -> bool:
    """Whether a file is an image, by its name or its content: a damaged frame is a frame, and opening it tells."""
    try:
        if file.name.startswith(".") or not file.is_file():
            return False
        return has_image_name(file) or kind_of(read_head(file)) == "image"
    except OSError:
        return False


#: What tells recordings of one name apart, in the order in which it is tried.
DISTINCTIONS: tuple[Callable[[_Candidate], str], ...] = (
    lambda candidate: candidate.relative.as_posix(),
    lambda candidate: candidate.path.as_posix(),
    lambda candidate: _identity(candidate.path).as_posix(),
)


def _named(candidates: list[_Candidate]) -> list[Found]:
    """Each with an id of its own: those that share a name get digests, of ever more of their path."""
    ids = [candidate.name for candidate in candidates]
    for distinction in DISTINCTIONS:
        shared = {key for key, count in Counter(map(str.casefold, ids)).items() if count > 1}
        ids = [
            f"{candidate.name}-{_digest(distinction(candidate))}" if name.casefold() in shared else name
            for candidate, name in zip(candidates, ids, strict=True)
        ]
    return [
        Found(path=candidate.path, id=name, frames=candidate.frames, below=candidate.relative.as_posix())
        for candidate, name in zip(candidates, ids, strict=True)
    ]
