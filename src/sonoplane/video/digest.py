"""What a recording's file or folder holds, as one number: equal content, equal digest, whatever it is called."""

import hashlib
from pathlib import Path

__all__ = ["content_digest"]


def content_digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a").write_bytes(b"abc")
    ...     content_digest(Path(folder) / "a")[:8]
    'ba7816bf'
    """
    if path.is_dir():
        names = sorted(file for file in path.iterdir() if file.is_file())
        parts = "\n".join(f"{file.name} {content_digest(file)}" for file in names)
        return hashlib.sha256(parts.encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
