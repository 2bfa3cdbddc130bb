"""Label sources are read from disk, and what the disk or the encoding does wrong becomes a LabelError."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sonoplane.errors import LabelError

__all__ = ["children", "read_bytes", "read_text"]

#: What no text of one class or one table holds.
LARGEST = 1 << 30


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LabelError(
            f"{path.name} cannot be read: {error.strerror or 'unknown reason'}.",
            advice="Check the path and its permissions.",
        ) from error
    except ValueError as error:  # UnicodeDecodeError, and paths with a NUL
        raise LabelError(f"{path.name} is not UTF-8 text.", advice="Save it with UTF-8 encoding.") from error


def read_bytes(path: Path) -> bytes:
    """The content of a file."""
    with _translated(path):
        if path.stat().st_size > LARGEST:
            raise LabelError(f"{path.name} is too large for labels.", advice="Name the label file.")
        return path.read_bytes()


def read_text(path: Path) -> str:
    """The content of a UTF-8 file, its byte order mark dropped."""
    data = read_bytes(path)
    with _translated(path):
        return data.decode("utf-8-sig")


def children(folder: Path) -> list[Path]:
    """What lies in a folder, hidden entries left out, in the order of names."""
    with _translated(folder):
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
