"""Files and folders become the list of recordings in them, each with a name that is safe and unique."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from sonoplane.video.numbering import frame_numbers, natural_order
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

#: Names that Windows keeps for devices, whatever follows a dot.
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)

#: Leaves room for what is written beside a recording, within the 255 bytes of a name.
LONGEST_ID = 120
DIGEST_DIGITS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One recording: where it lies, and what it is called."""

    path: Path
    id: str
    below: str = ""
    """Its path below the source that was named, with suffix and `/` between parts; the name of a source that is
    itself the recording. Unlike the id it stays the same whatever else is found, and is not always unique."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: Path
    relative: PurePath
    """Below the source that was named."""
    whole: bool
    """A folder that is one recording: its name has no suffix."""

    @property
    def name(self) -> str:
        parts = self.relative.parts
        last = parts[-1] if self.whole else without_suffix(parts[-1])
        return safe_id("/".join((*parts[:-1], last)))


def find_recordings(paths: Sequence[Path]) -> list[Found]:
    """Every recording among the files and below the folders that are named, once each, in their order.

    A folder whose images form one numbered sequence is one recording. Below a named folder, hidden entries and
    files that are plainly something else are passed over, and so is what sonoplane itself wrote, with all that
    lies in it: a folder that holds `findings.json`, `archive.json` or `bundle.json`, and a folder named `*-private`
    that holds `key`. A folder that is named itself is always searched, whatever it holds. Links that lead nowhere and
    files that cannot be read stay in the list, so that opening them says what is wrong. Ids are paths below the named
    folder (or file names) without suffix, made safe by `safe_id`; where two would be equal, letter case aside, a digest
    of the path is appended to both, whatever the order.
    """
    candidates: dict[Path, _Candidate] = {}
    for path in map(Path, paths):
        for candidate in _below(path) if path.is_dir() else [_Candidate(path, PurePath(path.name), False)]:
            candidates.setdefault(_identity(candidate.path), candidate)
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
    for path, whole in _walk(folder, seen=set(), named=True):
        relative = PurePath(path.relative_to(folder))
        yield _Candidate(path, relative if relative.parts else source, whole)


def _walk(folder: Path, *, seen: set[tuple[int, int]], named: bool = False) -> Iterator[tuple[Path, bool]]:
    """Recordings in natural order, those of a folder before those of its folders; linked circles end.

    `named`: by the user, so searched even where it is an output.
    """
    try:
        place = folder.stat()
        entries = sorted(folder.iterdir(), key=lambda entry: natural_order(entry.name))
    except OSError:
        yield folder, True
        return
    if (place.st_dev, place.st_ino) in seen:
        return
    seen.add((place.st_dev, place.st_ino))
    if not named and _is_output(folder, {entry.name for entry in entries}):
        return
    entries = [entry for entry in entries if not _is_passed_over(entry)]
    files = [entry for entry in entries if not entry.is_dir()]
    images = [file for file in files if _is_image(file)]
    if frame_numbers([image.name for image in images]):
        yield folder, True
        sequence = set(images)
        files = [file for file in files if file not in sequence]
    for file in files:
        yield file, False
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry, seen=seen)


def _is_output(folder: Path, names: set[str]) -> bool:
    """Whether sonoplane wrote this folder, as the names in it tell."""
    private = folder.name.endswith("-private") and "key" in names
    return private or any(marks <= names for marks in OUTPUTS)


def _is_passed_over(entry: Path) -> bool:
    """Whether an entry of a folder is hidden, or plainly no recording."""
    return entry.name.startswith(".") or bool(OTHER_FILES.fullmatch(entry.name) and not entry.is_dir())


def _is_image(file: Path) -> bool:
    try:
        return file.is_file() and kind_of(read_head(file)) == "image"
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
        Found(path=candidate.path, id=name, below=candidate.relative.as_posix())
        for candidate, name in zip(candidates, ids, strict=True)
    ]
