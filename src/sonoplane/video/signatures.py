"""What a file is, told by its first bytes; its name is not asked."""

from pathlib import Path
from typing import Literal, TypeAlias

__all__ = ["HEAD_BYTES", "Kind", "kind_of", "looks_like_text", "read_head"]

Kind: TypeAlias = Literal["dicom", "image", "video", "foreign"]

#: How much of a file is looked at.
HEAD_BYTES = 4096

#: Where a signature stands, what it is, and what it announces. The first row that fits counts: a DICOM file may
#: begin as a TIFF (PS3.10, 7.1).
SIGNATURES: tuple[tuple[int, bytes, Kind], ...] = (
    (128, b"DICM", "dicom"),
    (0, b"\x89PNG\r\n\x1a\n", "image"),
    (0, b"\xff\xd8\xff", "image"),
    (0, b"II*\x00", "image"),
    (0, b"MM\x00*", "image"),
    (0, b"II+\x00", "image"),
    (0, b"MM\x00+", "image"),
    (0, b"GIF8", "video"),
    (4, b"ftyp", "video"),
    (4, b"moov", "video"),
    (4, b"mdat", "video"),
    (8, b"AVI ", "video"),
    (0, b"\x1aE\xdf\xa3", "video"),  # Matroska, WebM
    (0, b"\x00\x00\x01\xba", "video"),  # MPEG program stream
    (0, b"\x00\x00\x01\xb3", "video"),  # MPEG video sequence
    (0, b"0&\xb2u\x8ef\xcf\x11", "video"),  # ASF, WMV
    (0, b"FLV\x01", "video"),
    (0, b"OggS", "video"),
    (0, b"PK\x03\x04", "foreign"),
    (0, b"%PDF", "foreign"),
    (0, b"\x1f\x8b", "foreign"),
    (0, b"7z\xbc\xaf", "foreign"),
    (0, b"\x89HDF", "foreign"),
    (0, b"ID3", "foreign"),
)

#: A BMP says `BM` and, behind four zero bytes, where its pixels begin.
BMP_RESERVED = slice(6, 10)

#: Bytes that no text holds: all control characters but tab, line and page breaks, and escape.
NO_TEXT = bytes(set(range(32)) - {9, 10, 12, 13, 27})


def kind_of(head: bytes) -> Kind | None:
    """What the first bytes of a file announce; None where they are not known.

    >>> kind_of(b"GIF89a" + bytes(20)), kind_of(b"once upon a time")
    ('video', None)
    """
    for offset, signature, kind in SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return kind
    if head[:2] == b"BM" and head[BMP_RESERVED] == bytes(4):
        return "image"
    return None


def looks_like_text(head: bytes) -> bool:
    """Whether these bytes are words rather than pixels: UTF-8 or Latin without control characters, or UTF-16.

    >>> looks_like_text("Très bien\\n".encode()), looks_like_text(b"\\x00\\x01")
    (True, False)
    """
    return bool(head) and (head[:2] in (b"\xff\xfe", b"\xfe\xff") or head.translate(None, NO_TEXT) == head)


def read_head(path: Path) -> bytes:
    """The first bytes of a file; `OSError` where it cannot be read."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)
