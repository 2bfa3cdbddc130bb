"""Where in a DICOM file the bytes of each frame lie."""

import io
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from sonoplane.errors import DamagedRecording

__all__ = [
    "ByteStream",
    "Layout",
    "Span",
    "cut_short",
    "encapsulated_layout",
    "fragments",
    "native_layout",
    "read_spans",
]

ByteStream: TypeAlias = io.BufferedReader | io.BytesIO
"""An open file, or what it inflates to."""

ITEM, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"

#: How a compressed frame begins: JPEG and JPEG-LS, a JPEG 2000 codestream, a JPEG 2000 file.
FRAME_STARTS = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")


class Span(NamedTuple):
    """A run of bytes: where it starts in the file, and how many they are."""

    start: int
    length: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The bytes of every frame, in order."""

    frames: tuple[tuple[Span, ...], ...]
    """The spans of a frame are to be joined."""
    notes: tuple[str, ...] = ()


def read_spans(stream: ByteStream, spans: tuple[Span, ...]) -> bytes:
    """The bytes of some spans, joined."""
    parts = []
    for span in spans:
        stream.seek(span.start)
        parts.append(stream.read(span.length))
    return b"".join(parts)


def cut_short(found: str) -> DamagedRecording:
    """The error for a file that ends too soon."""
    return DamagedRecording(
        f"The DICOM file is cut short: {found}.", advice="Copy or export it again from where it came."
    )


def native_layout(data: Span, *, frame_bytes: int, claimed: int | None, file_bytes: int) -> Layout:
    """Frames of uncompressed pixels, one behind the other."""
    held = data.length // frame_bytes
    if claimed and 0 <= data.length - claimed * frame_bytes <= 1:
        held = claimed  # an odd length is padded, and the pad of a tiny frame could pass for a frame
    if data.start + data.length > file_bytes:
        there = max(file_bytes - data.start, 0) // frame_bytes
        raise cut_short(f"{there} of {held} frames are there")
    if held == 0:
        raise cut_short("it holds less than one frame")
    spans = [Span(data.start + index * frame_bytes, frame_bytes) for index in range(held)]
    return Layout(frames=tuple((span,) for span in spans), notes=_count_notes(held, claimed))


def fragments(stream: ByteStream, start: int, *, file_bytes: int) -> tuple[Span, list[Span], bool]:
    """The offset table, every fragment, and whether the data end as they should (DICOM PS3.5 A.4)."""
    spans: list[Span] = []
    at, closed = start, False
    while True:
        stream.seek(at)
        item = stream.read(8)
        if item[:4] == SEQUENCE_END:
            closed = True
            break
        if len(item) < 8:
            break
        if item[:4] != ITEM:
            raise DamagedRecording(
                f"The compressed pixel data break off after {max(len(spans) - 1, 0)} fragments.",
                advice="Export the recording again from where it came.",
            )
        (length,) = struct.unpack("<L", item[4:])
        if at + 8 + length > file_bytes:
            raise cut_short(f"it ends within fragment {max(len(spans), 1)} of its compressed pixels")
        spans.append(Span(at + 8, length))
        at += 8 + length
    if len(spans) < 2:
        raise cut_short("it holds no compressed pixels")
    return spans[0], spans[1:], closed


def encapsulated_layout(
    stream: ByteStream,
    start: int,
    *,
    claimed: int | None,
    file_bytes: int,
    whole_fragments: bool = False,
    extended_offsets: bytes = b"",
) -> Layout:
    """Frames of compressed pixels, each of one or more fragments.

    `whole_fragments`: every fragment is a frame, as run-length coding demands. Else one fragment a frame
    where the numbers agree, else what the offset tables say, else a frame begins where its marker stands.
    """
    table, spans, closed = fragments(stream, start, file_bytes=file_bytes)
    if len(spans) != claimed:
        spans = [span for span in spans if span.length] or spans
    if whole_fragments or len(spans) == claimed:
        groups: list[tuple[Span, ...]] = [(span,) for span in spans]
    else:
        offsets = _offsets(stream, table, extended_offsets)
        groups = _grouped(spans, _starts(stream, spans, offsets, claimed))
    if not closed and claimed is not None and len(groups) < claimed:
        raise cut_short(f"{len(groups)} of {claimed} frames are there")
    notes = list(_count_notes(len(groups), claimed))
    if not closed:
        notes.append("The compressed pixel data have no end mark.")
    return Layout(frames=tuple(groups), notes=tuple(notes))


def _offsets(stream: ByteStream, table: Span, extended: bytes) -> list[int]:
    """Where frames start, counted from the first fragment's item, as the file's own tables say."""
    if extended:
        return list(struct.unpack(f"<{len(extended) // 8}Q", extended[: len(extended) // 8 * 8]))
    raw = read_spans(stream, (table,))
    return list(struct.unpack(f"<{len(raw) // 4}L", raw[: len(raw) // 4 * 4]))


def _starts(stream: ByteStream, spans: list[Span], offsets: list[int], claimed: int | None) -> list[int]:
    """The fragments (by number) that begin a frame."""
    number_at = {span.start - 8 - (spans[0].start - 8): number for number, span in enumerate(spans)}
    told = [number_at[offset] for offset in offsets if offset in number_at]
    whole = len(told) == len(offsets) > 0 and told[0] == 0 and all(a < b for a, b in pairwise(told))
    if whole and (len(told) == claimed or len(told) > 1):
        return told
    marked = [
        number
        for number, span in enumerate(spans)
        if read_spans(stream, (Span(span.start, min(span.length, 8)),)).startswith(FRAME_STARTS)
    ]
    return marked if marked and marked[0] == 0 else [0]


def _grouped(spans: list[Span], starts: list[int]) -> list[tuple[Span, ...]]:
    return [tuple(spans[first:last]) for first, last in pairwise([*starts, len(spans)])]


def _count_notes(held: int, claimed: int | None) -> tuple[str, ...]:
    if claimed is None and held > 1:
        return (f"The header gives no number of frames, the pixel data hold {held}: all are used.",)
    if claimed is not None and held != claimed:
        return (f"The header says {claimed} frames, the pixel data hold {held}: those are used.",)
    return ()
