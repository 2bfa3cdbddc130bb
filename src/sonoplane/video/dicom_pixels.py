"""The bytes of one DICOM frame become stored values: one pinned decoder for each transfer syntax."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import gdcm
import numpy as np
from PIL import Image as PillowImage
from pydicom import uid
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder

from sonoplane.video.dicom_color import ColorSpace, Stream, color_space, read_stream

__all__ = ["DECODERS", "PixelForm", "Undecodable", "decode_stored"]

Stored: TypeAlias = np.ndarray
"""Stored values, `height width` or `height width 3`, of 8, 16 or 32 bits."""

Decoded: TypeAlias = tuple[Stored, ColorSpace]
"""JPEG 2000 undoes its own color transform and libjpeg that of JPEG; all else is left as it was stored."""


class Undecodable(Exception):
    """The bytes of a frame are not what they should be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PixelForm:
    """How the pixels of every frame of a file are stored (DICOM PS3.3 C.7.6.3)."""

    syntax: uid.UID
    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    planar: bool
    """All red samples stand before all green ones."""
    photometric: str
    halved: bool = False
    """Uncompressed pixels of which two neighbors share their chroma samples (4:2:2)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a frame's stored values."""
        return (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)

    @property
    def frame_bytes(self) -> int:
        """Of an uncompressed frame."""
        pixels = self.rows * self.columns
        samples = pixels * 2 if self.halved else pixels * self.samples
        return samples * self.bits_allocated // 8


def decode_stored(data: bytes, form: PixelForm) -> tuple[Stored, ColorSpace]:
    """Stored values of one frame, and the color space they are in; `Undecodable` where that fails."""
    stream = read_stream(data) if form.syntax.is_encapsulated else None
    if stream is not None and (stream.height, stream.width) != (form.rows, form.columns):
        raise Undecodable("the frame has another size than the header says")
    space, _ = color_space(form.photometric, samples=form.samples, stream=stream)
    try:
        stored, space = DECODERS.get(form.syntax, _native)(data, form, stream, space)
    except Undecodable:
        raise
    except Exception as error:  # decoders raise whatever they like over damaged bytes
        raise Undecodable("the decoder gave up") from error
    if stored.shape != form.shape:
        raise Undecodable("the frame has another shape than the header says")
    return stored, space


def _native(data: bytes, form: PixelForm, _: Stream | None, space: ColorSpace) -> Decoded:
    if len(data) < form.frame_bytes:
        raise Undecodable("the frame is cut short")
    order = "<" if form.syntax.is_little_endian else ">"
    stored_type = np.dtype(f"{order}{'i' if form.signed else 'u'}{form.bits_allocated // 8}")
    values = np.frombuffer(data[: form.frame_bytes], dtype=stored_type).astype(stored_type.newbyteorder("="))
    if form.halved:
        values = _doubled(values.reshape(form.rows, form.columns // 2, 4))
    elif form.planar and form.samples > 1:
        values = np.moveaxis(values.reshape(form.samples, form.rows, form.columns), 0, -1)
    return _used_bits(values.reshape(form.shape), form), space


def _doubled(pairs: Stored) -> Stored:
    """Two pixels of three samples from every Y1 Y2 Cb Cr."""
    first, second = pairs[..., [0, 2, 3]], pairs[..., [1, 2, 3]]
    return np.stack([first, second], axis=2)


def _used_bits(values: Stored, form: PixelForm) -> Stored:
    """Without what old scanners keep in the unused high bits; the sign is carried up."""
    unused = form.bits_allocated - form.bits_stored
    if not unused:
        return values
    return np.asarray(np.right_shift(np.left_shift(values, unused), unused))


def _by_pydicom(plugin: str) -> "Decode":
    def decode(data: bytes, form: PixelForm, stream: Stream | None, space: ColorSpace) -> Decoded:
        options: dict[str, Any] = {
            "rows": form.rows,
            "columns": form.columns,
            "samples_per_pixel": form.samples,
            "bits_allocated": form.bits_allocated,
            "bits_stored": form.bits_stored,
            "pixel_representation": int(form.signed),
            "photometric_interpretation": _settled(form.photometric, stream),
            "planar_configuration": int(form.planar),
            "number_of_frames": 1,
            "pixel_keyword": "PixelData",
        }
        buffer = encapsulate([data], has_bot=False)
        values, _ = get_decoder(form.syntax).as_array(
            buffer, index=0, raw=True, validate=False, decoding_plugin=plugin, **options
        )
        return np.asarray(values), space

    return decode


def _settled(photometric: str, stream: Stream | None) -> str:
    """A photometric interpretation that pydicom finds no fault with; the samples are the same for each."""
    if stream is None or not stream.claims:
        return photometric
    return "RGB" if stream.claim == "rgb" else "YBR_FULL"


def _openjpeg(data: bytes, form: PixelForm, stream: Stream | None, space: ColorSpace) -> Decoded:
    """JPEG 2000 by OpenJPEG, from the bare codestream.

    pydicom searches the boxes around one for ever where a damaged box has no length (`get_j2k_parameters`), and
    OpenJPEG would convert colors as they say, which `color_space` has seen to.
    """
    if stream is None or stream.kind != "j2k" or stream.components != form.samples:
        raise Undecodable("its stream is not what the header says")
    return _PLUGIN_OPENJPEG(data[stream.start :], form, stream, space)


def _by_gdcm(data: bytes, form: PixelForm, stream: Stream | None, space: ColorSpace) -> Decoded:
    """By GDCM, which ends the whole process over streams that its codecs do not expect: checked before."""
    expected = {0xF7} if form.syntax in uid.JPEGLSTransferSyntaxes else {0xC3}
    if (
        stream is None
        or stream.marker not in expected
        or stream.components != form.samples
        or not 2 <= stream.precision <= form.bits_allocated <= 16
    ):
        raise Undecodable("its stream is not what the header says")
    return _PLUGIN_GDCM(data, form, stream, space)


def _jpeg(data: bytes, form: PixelForm, stream: Stream | None, space: ColorSpace) -> Decoded:
    """JPEG of 8 bits by libjpeg-turbo in Pillow, of 12 bits by GDCM."""
    if stream is None or stream.components != form.samples:
        raise Undecodable("the frame has other components than the header says")
    if stream.precision != 8:
        if (stream.precision, stream.marker, form.bits_allocated) != (12, 0xC1, 16):
            raise Undecodable("its stream is not what the header says")
        return _used_bits(_gdcm_12_bit(data, form, stream), form), space
    with PillowImage.open(io.BytesIO(data), formats=("JPEG",)) as image:
        if form.samples == 3 and stream.guess == "ybr":
            if space == "ybr":
                return np.array(image), "rgb"  # libjpeg converts what it takes for YCbCr
            image.draft("YCbCr", image.size)  # ... unless asked for the samples as they are
        return np.array(image), space


def _gdcm_12_bit(data: bytes, form: PixelForm, stream: Stream) -> Stored:
    """By GDCM itself: pydicom's plug-in for it refuses 12 bits, which GDCM 3 decodes."""
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((form.columns, form.rows, 1))
    image.SetDataElement(element)
    name = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2" if form.samples == 1 else "YBR_FULL")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(name))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(form.syntax))))
    precision = stream.precision
    image.SetPixelFormat(gdcm.PixelFormat(form.samples, 16, precision, precision - 1, 0))
    raw: Any = image.GetBuffer().encode("utf-8", "surrogateescape")
    values = np.frombuffer(raw, dtype=np.uint16)
    return values.reshape(form.shape).astype(np.int16 if form.signed else np.uint16)


Decode: TypeAlias = Callable[[bytes, PixelForm, Stream | None, ColorSpace], Decoded]

_PLUGIN_GDCM, _PLUGIN_OPENJPEG, _pydicom = (_by_pydicom(name) for name in ("gdcm", "pylibjpeg", "pydicom"))

#: Who decodes what. Decoders differ by a gray level, so each syntax has one, on every machine.
DECODERS: dict[uid.UID, Decode] = {
    uid.RLELossless: _pydicom,
    uid.JPEGBaseline8Bit: _jpeg,
    uid.JPEGExtended12Bit: _jpeg,
    uid.JPEGLossless: _by_gdcm,
    uid.JPEGLosslessSV1: _by_gdcm,
    uid.JPEGLSLossless: _by_gdcm,
    uid.JPEGLSNearLossless: _by_gdcm,
    uid.JPEG2000Lossless: _openjpeg,
    uid.JPEG2000: _openjpeg,
    uid.HTJ2KLossless: _openjpeg,
    uid.HTJ2KLosslessRPCL: _openjpeg,
    uid.HTJ2K: _openjpeg,
}
