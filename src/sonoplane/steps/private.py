"""What must not travel with an archive lies beside it: the key of its pseudonyms, and which recording got which."""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from sonoplane.errors import UsageError
from sonoplane.report.folder import Failure
from sonoplane.report.tables import write_failures
from sonoplane.video.pseudonyms import Pseudonyms, read_pseudonyms

__all__ = ["OWN_SECRETS", "KnownSource", "PrivateFolder", "Secrets", "open_private", "private_folder"]

_COLUMNS = ["recording", "archive_id", "sha256", "stamp", "part"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Secrets:
    """Where the pseudonyms come from; `open_private` tells more."""

    folder: Path | None = None
    key: Path | None = None
    pseudonyms: Path | None = None


OWN_SECRETS = Secrets()


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownSource:
    """A recording that an archive was prepared from."""

    recording: str
    """Its id: its path below the source folder, made safe."""
    archive_id: str
    sha256: str
    """Of the source's content."""
    stamp: str = ""
    """Size and time of change of the source: as long as it stays, the content is not read again."""
    part: str = ""
    """Of the split: decided before anything is stored, so that a run that goes on after a killed one decides alike."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivateFolder:
    """The folder `<archive>-private`."""

    folder: Path = field(repr=False)
    pseudonyms: Pseudonyms
    sources: dict[str, KnownSource]
    """What earlier runs prepared, by the recording's id."""

    def remember(self, sources: Iterable[KnownSource]) -> "PrivateFolder":
        """The folder with these added to the list of what was prepared, on disk too."""
        rows = self.sources | {source.recording: source for source in sources}
        with self._whole("recordings.csv") as path, path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_COLUMNS)
            writer.writerows([getattr(row, name) for name in _COLUMNS] for _, row in sorted(rows.items()))
        return replace(self, sources=rows)

    def keep_names(self) -> None:
        """Keep the chosen names for the runs to come."""
        if not self.pseudonyms.given:
            return
        with self._whole("pseudonyms.csv") as path, path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["kind", "original", "pseudonym"])
            writer.writerows((*pair, name) for pair, name in sorted(self.pseudonyms.given.items()))

    def list_failures(self, failures: Sequence[Failure]) -> None:
        """Write `failures.csv`: here, since it names recordings as their files are named."""
        with self._whole("failures.csv") as path:
            write_failures(path, failures)

    def write_text(self, name: str, text: str) -> Path:
        """Write a whole text file into the folder."""
        with self._whole(name) as path:
            path.write_text(text, encoding="utf-8")
        return self.folder / name

    def read_text(self, name: str) -> str | None:
        """A text file of the folder; None where it is not there."""
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else None

    @property
    def names(self) -> Mapping[str, str]:
        """The archive's id -> what the recording is called where it came from."""
        return {source.archive_id: source.recording for source in self.sources.values()}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A `with` block for one process at a time: two that store the same recording would spoil it.

        Where the file system knows no locks, nothing is watched.

        Raises:
            UsageError: another process is in its block.
        """
        with (self.folder / "key").open("rb") as key:
            try:
                _lock(key)
            except BlockingIOError:
                raise UsageError(
                    "Another process prepares this archive now.",
                    advice="Wait for its end, and run this again.",
                ) from None
            yield

    @contextmanager
    def _whole(self, name: str) -> Iterator[Path]:
        """A temporary path that takes the file's place at the end."""
        temporary = self.folder / f".{name}.{os.getpid()}.part"
        yield temporary
        temporary.replace(self.folder / name)


def private_folder(archive: str, folder: Path | None = None) -> Path:
    """Where an archive's private folder is: beside it, unless somebody says otherwise.

    Raises:
        UsageError: the archive lies on a server, and nobody said where its private folder is.
    """
    if folder is not None:
        return folder
    if "://" in archive:
        raise UsageError(
            "The archive lies on a server; its key must lie elsewhere.",
            advice="Say where: --private FOLDER, a folder on this machine.",
        )
    place = Path(archive).resolve()
    return place.with_name(f"{place.name}-private")


def open_private(
    archive: Path | str,
    *,
    folder: Path | None = None,
    key: Path | None = None,
    pseudonyms: Path | None = None,
    is_begun: bool | None = None,
) -> PrivateFolder:
    """The private folder of an archive, made at the first time.

    `folder` says where it is; `key` is a file with the project's key, shared by archives in which a patient is to have
    the same pseudonym; `pseudonyms` a table of chosen names (`read_pseudonyms`), which like the key hold for good once
    they are kept.
    `is_begun` says whether the archive has recordings already (None: look).

    Raises:
        UsageError: the archive is there, but its key is not, or another key is given: all its recordings would get
            other pseudonyms.
    """
    place = private_folder(str(archive), folder)
    if is_begun is None:
        is_begun = (Path(archive) / "archive.json").exists()
    own = place / "key"
    if is_begun and not own.exists():
        raise UsageError(
            f"The archive is there, but '{place.name}' with its key is not beside it.",
            advice="Put that folder back, or prepare into a new archive.",
        )
    secret = _read_key(key) if key else None
    if secret is not None and own.exists() and own.read_bytes() != secret:
        raise UsageError(
            "The archive was begun with another key.",
            advice="Go on without --key, or prepare into a new archive.",
        )
    given = read_pseudonyms(pseudonyms) if pseudonyms else {}
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not own.exists():
        _keep_key(own, secret or os.urandom(32))
    return PrivateFolder(
        folder=place,
        pseudonyms=Pseudonyms(own.read_bytes(), _names(place / "pseudonyms.csv", given, is_begun=is_begun)),
        sources=_read_sources(place / "recordings.csv"),
    )


def _lock(file: BinaryIO) -> None:
    """Hold a file until it is closed; a BlockingIOError where another process does."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return


def _read_key(path: Path) -> bytes:
    """The key in a file, tried out."""
    secret = path.read_bytes()
    Pseudonyms(secret)
    return secret


def _keep_key(path: Path, secret: bytes) -> None:
    """Keep the key, whole and readable by nobody else; where another process was first, its key stays."""
    temporary = path.with_name(f".key.{os.getpid()}")
    temporary.touch(mode=0o600)
    temporary.write_bytes(secret)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _names(kept: Path, given: dict[tuple[str, str], str], *, is_begun: bool) -> dict[tuple[str, str], str]:
    """The chosen names, those of earlier runs and those given now."""
    before = read_pseudonyms(kept) if kept.exists() else {}
    changed = [pair for pair, name in given.items() if before.get(pair, name) != name]
    if is_begun and changed:
        raise UsageError(
            f"The table of pseudonyms gives {len(changed)} other names than the archive was begun with.",
            advice="Leave known rows as they are, or prepare into a new archive.",
        )
    return before | given


def _read_sources(path: Path) -> dict[str, KnownSource]:
    if not path.exists():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{"part": ""} | row for row in csv.DictReader(file)]
        return {row["recording"]: KnownSource(**{name: row[name] or "" for name in _COLUMNS}) for row in rows}
    except (KeyError, TypeError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"'{path.parent.name}/{path.name}' is not as it was written.",
            advice="Put it back, or delete it: then all sources are read, and stored, again.",
        ) from error
