"""What a recording's file or folder holds, as one number: equal content, equal digest, whatever it is called."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["content_digest"]


def content_digest(path: Path, *, frames: Sequence[Path] = ()) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files, or of the `frames` of a recording.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a").write_bytes(b"abc")
    ...     content_digest(Path(folder) / "a")[:8]
    'ba7816bf'
    """
    if frames:
        return _of_files(frames)
    if path.is_dir():
        return _of_files(file for file in path.iterdir() if file.is_file())
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_files(files: Iterable[Path]) -> str:
    ordered = sorted(files, key=lambda file: file.name)
    parts = "\n".join(f"{file.name} {content_digest(file)}" for file in ordered)
    return hashlib.sha256(parts.encode("utf-8", "surrogateescape")).hexdigest()
