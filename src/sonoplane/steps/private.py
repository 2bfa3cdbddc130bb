"""What must not travel with an archive lies beside it: the key of its pseudonyms, and which recording got which."""

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sonoplane.errors import UsageError
from sonoplane.report.folder import Failure
from sonoplane.report.tables import write_failures
from sonoplane.video.pseudonyms import Pseudonyms

__all__ = ["KnownSource", "PrivateFolder", "open_private"]

_COLUMNS = ["recording", "archive_id", "sha256"]


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownSource:
    """A recording that an archive was prepared from."""

    recording: str
    """Its id: its path below the source folder, made safe."""
    archive_id: str
    sha256: str
    """Of the source's content."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivateFolder:
    """The folder `<archive>-private`."""

    folder: Path = field(repr=False)
    pseudonyms: Pseudonyms
    sources: dict[str, KnownSource]
    """What earlier runs prepared, by the recording's id."""

    def remember(self, sources: Iterable[KnownSource]) -> None:
        """Add to the list of what was prepared."""
        rows = self.sources | {source.recording: source for source in sources}
        temporary = self.folder / f".recordings.{os.getpid()}.csv"
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_COLUMNS)
            writer.writerows((row.recording, row.archive_id, row.sha256) for _, row in sorted(rows.items()))
        temporary.replace(self.folder / "recordings.csv")

    def list_failures(self, failures: Sequence[Failure]) -> None:
        """Write `failures.csv`: here, since it names recordings as their files are named."""
        temporary = self.folder / f".failures.{os.getpid()}.csv"
        write_failures(temporary, failures)
        temporary.replace(self.folder / "failures.csv")


def open_private(archive: Path) -> PrivateFolder:
    """The private folder of an archive, made at the first time.

    Raises:
        UsageError: the archive is there, but its key is not: all its recordings would get other pseudonyms.
    """
    archive = archive.resolve()
    folder = archive.with_name(f"{archive.name}-private")
    key = folder / "key"
    if not key.exists():
        if (archive / "archive.json").exists():
            raise UsageError(
                f"The archive '{archive.name}' is there, but '{folder.name}' with its key is not beside it.",
                advice="Put that folder back, or prepare into a new archive.",
            )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_key(key)
    return PrivateFolder(
        folder=folder,
        pseudonyms=Pseudonyms(key.read_bytes()),
        sources=_read_sources(folder / "recordings.csv"),
    )


def _make_key(path: Path) -> None:
    """A random key, whole and readable by nobody else; where another process was first, its key stays."""
    temporary = path.with_name(f".key.{os.getpid()}")
    temporary.touch(mode=0o600)
    temporary.write_bytes(os.urandom(32))
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _read_sources(path: Path) -> dict[str, KnownSource]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        return {row["recording"]: KnownSource(**{name: row[name] for name in _COLUMNS}) for row in rows}
    except KeyError as error:
        raise UsageError(
            f"'{path.parent.name}/{path.name}' lacks the column {error}.",
            advice="Put back the file that was written, or prepare into a new archive.",
        ) from error
