"""The frames of a DICOM file whose pixel data are single images, uncompressed or compressed one by one."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import UInt8
from pydicom import Dataset, uid

from sonoplane.errors import DamagedRecording, UsageError
from sonoplane.records import Frame, Image
from sonoplane.video.dicom_color import ColorSpace, color_space, header_space, read_stream, ybr_to_rgb
from sonoplane.video.dicom_frames import (
    ByteStream,
    Layout,
    Span,
    cut_short,
    encapsulated_layout,
    fragments,
    native_layout,
    read_spans,
)
from sonoplane.video.dicom_header import Header, open_data, uid_name
from sonoplane.video.dicom_pixels import DECODERS, PixelForm, Stored, Undecodable, decode_stored
from sonoplane.video.dicom_tables import gray_table, palette_table, scale_to_bytes
from sonoplane.video.dicom_times import Clock

__all__ = ["ImageSource", "open_images"]

EXPORT_AGAIN = "Export the recording again from the scanner or the archive."

NATIVE = {
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
}

#: What an image stream's own mark says of its transfer syntax; a JPEG 2000 stream has none (0).
SYNTAX_OF_MARKER = {
    0x00: uid.JPEG2000,
    0xC0: uid.JPEGBaseline8Bit,
    0xC1: uid.JPEGExtended12Bit,
    0xC3: uid.JPEGLossless,
    0xF7: uid.JPEGLSNearLossless,
}

#: Samples that differ by no more are gray, after lossy compression too.
GRAY = 3

Table: TypeAlias = UInt8[np.ndarray, "values"] | UInt8[np.ndarray, "values 3"]
"""The shade or color of every stored value, ascending."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSource:
    """The images of one file."""

    path: Path
    frames: tuple[tuple[Span, ...], ...] = field(repr=False)
    form: PixelForm
    words: Span | None
    """The pixel data, where they are 8-bit samples in big-endian words: pairs of bytes are to be swapped."""
    table: Table | None = field(repr=False)
    """None where stored values are shades already."""
    clock: Clock = field(repr=False)

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Frames `start` to `stop` (exclusive), decoded as they are asked for."""
        if start < 0 or (stop is not None and stop < start):
            raise UsageError(f"There are no frames {start} to {stop}.", advice="Give 0 <= start <= stop.")
        return self._read(range(len(self.frames))[start:stop])

    def _read(self, indices: range) -> Iterator[Frame]:
        if not indices:
            return
        with open_data(self.path) as stream:
            for index in indices:
                data = _bytes_of(stream, self.frames[index], self.words)
                try:
                    stored, space = decode_stored(data, self.form)
                except Undecodable as error:
                    raise DamagedRecording(
                        f"Frame {index} of the DICOM file cannot be decoded: {error}.", advice=EXPORT_AGAIN
                    ) from error
                image = _shown(stored, space, self.form, self.table)
                yield Frame(index=index, time_s=self.clock.time_s(index), image=image)


def open_images(path: Path, header: Header) -> tuple[ImageSource, list[str]]:
    """The images of a file, without times yet, and what was odd.

    No frame is decoded, save the first where the amount of pixel data contradicts the header.
    """
    with open_data(path) as stream:
        form, notes = _read_form(header, _true_syntax(stream, header))
        layout, form, odd = _lay_out(stream, header, form)
        notes += [*layout.notes, *odd]
        first = read_stream(read_spans(stream, layout.frames[0])) if form.syntax.is_encapsulated else None
    _, odd_color = color_space(form.photometric, samples=form.samples, stream=first)
    table, odd_table = _read_table(header, form)
    source = ImageSource(
        path=path,
        frames=layout.frames,
        form=form,
        words=header.pixels if _in_words(header, form) else None,
        table=table,
        clock=Clock(),
    )
    return source, [*notes, *([odd_color] if odd_color else []), *odd_table]


def _true_syntax(stream: ByteStream, header: Header) -> uid.UID:
    """The transfer syntax; where it cannot be the header's, as for pixels in fragments, the stream's own."""
    assert header.pixels is not None
    if header.pixels.length >= 0 or header.syntax not in NATIVE:
        return header.syntax
    _, spans, _ = fragments(stream, header.pixels.start, file_bytes=header.file_bytes)
    facts = read_stream(read_spans(stream, (spans[0],)))
    if facts is None or facts.marker not in SYNTAX_OF_MARKER:
        raise DamagedRecording(
            "The pixel data are compressed in a way that the header does not name.", advice=EXPORT_AGAIN
        )
    return SYNTAX_OF_MARKER[facts.marker]


def _read_form(header: Header, syntax: uid.UID) -> tuple[PixelForm, list[str]]:
    """How pixels are stored; `DamagedRecording` for a form that no ultrasound has."""
    rows, columns = header.number("Rows") or 0, header.number("Columns") or 0
    photometric = header.text("PhotometricInterpretation").upper()
    samples = header.number("SamplesPerPixel") or (1 if header_space(photometric, samples=1) else 3)
    allocated = header.number("BitsAllocated") or 8
    stored = header.number("BitsStored") or allocated
    if rows <= 0 or columns <= 0:
        raise DamagedRecording("The DICOM header gives no frame size.", advice=EXPORT_AGAIN)
    if samples not in (1, 3) or allocated not in (8, 16, 32):
        raise DamagedRecording(
            f"Pixels of {samples} samples with {allocated} bits each cannot be shown.",
            advice="Export the recording as 8-bit gray or RGB.",
        )
    if syntax not in NATIVE and syntax not in DECODERS:
        raise DamagedRecording(
            f"The transfer syntax {uid_name(syntax) or 'of the file'} cannot be decoded.",
            advice="Export the recording uncompressed, as JPEG or as H.264.",
        )
    notes = (
        [] if syntax == header.syntax else [f"The pixels are {syntax.name}, which the header does not say."]
    )
    if not 0 < stored <= allocated:
        notes.append(f"The header says that {stored} of {allocated} bits are stored: taken for {allocated}.")
        stored = allocated
    form = PixelForm(
        syntax=syntax,
        rows=rows,
        columns=columns,
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        signed=header.number("PixelRepresentation") == 1,
        planar=header.number("PlanarConfiguration") == 1,
        photometric=photometric,
        halved=syntax in NATIVE and samples == 3 and photometric.endswith("_422"),
    )
    return form, notes


def _lay_out(stream: ByteStream, header: Header, form: PixelForm) -> tuple[Layout, PixelForm, list[str]]:
    """Where the frames lie, and the form corrected where the amount of pixel data proves it wrong."""
    assert header.pixels is not None
    claimed = header.number("NumberOfFrames")
    claimed = claimed if claimed and claimed > 0 else None
    if form.syntax.is_encapsulated:
        extended = header.data.get("ExtendedOffsetTable")
        layout = encapsulated_layout(
            stream,
            header.pixels.start,
            claimed=claimed,
            file_bytes=header.file_bytes,
            whole_fragments=form.syntax == uid.RLELossless,
            extended_offsets=extended if isinstance(extended, bytes) else b"",
        )
        return layout, form, []
    form, notes = _corrected(stream, header.pixels, form, n_frames=claimed or 1)
    layout = native_layout(
        header.pixels, frame_bytes=form.frame_bytes, claimed=claimed, file_bytes=header.file_bytes
    )
    return layout, form, notes


def _corrected(
    stream: ByteStream, pixels: Span, form: PixelForm, *, n_frames: int
) -> tuple[PixelForm, list[str]]:
    """A header often still says 4:2:2 after its pixels were decompressed: then they are RGB or full YCbCr.

    Which of the two, the first frame tells: an ultrasound image is mostly gray.
    """
    if not form.halved:
        return form, []
    full = replace(form, halved=False)
    if pixels.length < n_frames * full.frame_bytes:
        if form.columns % 2:
            raise DamagedRecording("Pixels in pairs cannot fill an odd row.", advice=EXPORT_AGAIN)
        return form, []
    try:
        frame, _ = decode_stored(read_spans(stream, (Span(pixels.start, full.frame_bytes),)), full)
    except Undecodable as error:
        raise cut_short("it holds less than one frame") from error
    chroma, spread = np.abs(frame[..., 1:].astype(int) - 128).max(axis=-1), np.ptp(frame, axis=-1)
    photometric = "RGB" if (spread <= GRAY).mean() > (chroma <= GRAY).mean() else "YBR_FULL"
    note = f"The header says {form.photometric}, the pixels are {photometric}: those are believed."
    return replace(full, photometric=photometric), [note]


def _in_words(header: Header, form: PixelForm) -> bool:
    """Whether 8-bit samples stand in big-endian words (DICOM PS3.5, 8.1.1 and annex A.3)."""
    return header.syntax == uid.ExplicitVRBigEndian and header.pixel_vr == "OW" and form.bits_allocated == 8


def _bytes_of(stream: ByteStream, spans: tuple[Span, ...], words: Span | None) -> bytes:
    """The bytes of a frame, in their order; `words` is as in `ImageSource`."""
    if words is None:
        return read_spans(stream, spans)
    (span,) = spans
    before = (span.start - words.start) % 2
    length = span.length + before + (span.length + before) % 2
    raw = np.frombuffer(read_spans(stream, (Span(span.start - before, length),)), dtype=np.uint16)
    return raw.byteswap().tobytes()[before : before + span.length]


def _read_table(header: Header, form: PixelForm) -> tuple[Table | None, list[str]]:
    """How stored values of one sample are shown."""
    if form.samples != 1:
        return None, []
    bits = min(form.bits_stored, 16)
    if form.photometric == "PALETTE COLOR":
        big = header.syntax == uid.ExplicitVRBigEndian
        try:
            return palette_table(header.data, bits=bits, signed=form.signed, big_endian=big), []
        except Exception as error:  # whatever is wrong with a palette, pydicom and NumPy have a word for it
            raise DamagedRecording(
                "The palette of the DICOM file is damaged.", advice=EXPORT_AGAIN
            ) from error
    inverted = form.photometric == "MONOCHROME1"
    try:
        table, notes = gray_table(header.data, bits=bits, signed=form.signed, inverted=inverted)
    except Exception:  # as above; the pixels can be shown without
        return gray_table(Dataset(), bits=bits, signed=form.signed, inverted=inverted)[0], [
            "The header's gray scale cannot be used: the full range of values is shown."
        ]
    plain = not form.signed and np.array_equal(table, np.arange(256))
    return None if plain else table, notes


def _shown(stored: Stored, space: ColorSpace, form: PixelForm, table: Table | None) -> Image:
    """Stored values as 8-bit gray or RGB."""
    if table is not None:
        if form.bits_stored > 16:
            stored = stored >> (form.bits_stored - 16)
        if form.signed:
            stored = stored.view(f"i{stored.dtype.itemsize}").astype(np.int64) + len(table) // 2
        image: Image = table.take(stored, axis=0, mode="clip")
        return image
    if stored.dtype != np.uint8 or form.bits_stored < 8:
        stored = scale_to_bytes(stored, low=0, high=2**form.bits_stored - 1)
    if space in ("ybr", "ybr-partial"):
        return ybr_to_rgb(stored, partial=space == "ybr-partial")
    return np.ascontiguousarray(stored)
