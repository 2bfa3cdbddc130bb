"""Which color space the samples of a frame are in: what the header says, checked against the stream."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import UInt8

__all__ = ["ColorSpace", "Stream", "color_space", "header_space", "read_stream", "ybr_to_rgb"]

ColorSpace: TypeAlias = Literal["gray", "palette", "rgb", "ybr", "ybr-partial"]
"""What three samples mean: RGB, YCbCr of full range (`ybr`) or of studio range (`ybr-partial`)."""

#: Photometric interpretations (DICOM PS3.3 C.7.6.3.1.2); the two JPEG 2000 transforms are undone by the decoder.
SPACES: dict[str, ColorSpace] = {
    "MONOCHROME1": "gray",
    "MONOCHROME2": "gray",
    "PALETTE COLOR": "palette",
    "RGB": "rgb",
    "YBR_FULL": "ybr",
    "YBR_FULL_422": "ybr",
    "YBR_PARTIAL_420": "ybr-partial",
    "YBR_PARTIAL_422": "ybr-partial",
    "YBR_ICT": "rgb",
    "YBR_RCT": "rgb",
}

#: Start-of-frame markers of JPEG and JPEG-LS (0xF7); 0xC4, 0xC8 and 0xCC mean something else.
FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}

#: Three components named in ASCII are what they are called.
NAMED_RGB = {b"RGB", b"rgb"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """What a compressed frame says about itself."""

    kind: Literal["jpeg", "j2k"]
    height: int
    width: int
    components: int
    precision: int
    start: int = 0
    """Where its JPEG 2000 codestream starts: behind the boxes of a file format, which DICOM does not want."""
    marker: int = 0
    """The JPEG process: the second byte of its start-of-frame marker."""
    claims: tuple[ColorSpace, ...] = ()
    """What its marks say its color space is; no mark, no claim."""
    guess: ColorSpace = "rgb"
    """What libjpeg takes it for, and would convert it from."""

    @property
    def claim(self) -> ColorSpace | None:
        """Its color space, where all its marks agree."""
        return self.claims[0] if len(set(self.claims)) == 1 else None


def header_space(photometric: str, *, samples: int) -> ColorSpace | None:
    """The color space that the header names; None where it does not fit the number of samples."""
    space = SPACES.get(photometric)
    return space if (space in ("gray", "palette")) == (samples == 1) else None


def color_space(photometric: str, *, samples: int, stream: Stream | None) -> tuple[ColorSpace, str | None]:
    """The color space of decoded samples, and a sentence where header and stream disagree.

    A compressed stream knows how it was coded, so it is believed over the header. Where it makes no claim, or
    contradicts itself, the header decides.
    """
    if samples == 1:
        return ("palette" if photometric == "PALETTE COLOR" else "gray"), None
    said = header_space(photometric, samples=samples)
    found = stream.claim if stream else None
    if said is None and found is None:
        return "rgb", "The header does not say what its colors are: taken for RGB."
    if found is None or (said == "ybr-partial" and found == "ybr"):
        return said or "rgb", None
    if said != found:
        names = {"rgb": "RGB", "ybr": "YCbCr"}
        return (
            found,
            f"The header says {photometric}, the pixels are {names.get(found, found)}: those are believed.",
        )
    return found, None


def read_stream(data: bytes) -> Stream | None:
    """What a compressed frame says about itself; None where it is neither JPEG nor JPEG 2000.

    >>> read_stream(b"no image") is None
    True
    """
    try:
        if data.startswith(b"\xff\xd8"):
            return _read_jpeg(data)
        if data.startswith(b"\x00\x00\x00\x0cjP  "):
            return _read_j2k(
                data, data.index(b"\xff\x4f\xff\x51"), sycc=b"colr\x01\x00\x00\x00\x00\x00\x12" in data[:512]
            )
        if data.startswith(b"\xff\x4f\xff\x51"):
            return _read_j2k(data, 0)
    except (IndexError, ValueError, struct.error):
        pass
    return None


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The marker segments of a JPEG stream up to its first scan."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise ValueError
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes may stand before any marker
            at += 1
            continue
        if marker == 0xDA:
            return
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length


def _read_jpeg(data: bytes) -> Stream | None:
    claims: list[ColorSpace] = []
    jfif = adobe = False
    frame: tuple[int, bytes] | None = None
    for marker, body in _segments(data):
        if marker == 0xE0 and body.startswith(b"JFIF\0"):
            jfif = True
            claims.insert(0, "ybr")
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            adobe = True
            claims.append("rgb" if body[11] == 0 else "ybr")
        elif marker in FRAME_MARKERS and frame is None:
            frame = marker, body
    if frame is None:
        return None
    marker, body = frame
    precision, height, width, components = struct.unpack(">BHHB", body[:6])
    guess: ColorSpace = claims[0] if jfif or adobe else "rgb" if body[6:15:3] == b"RGB" else "ybr"
    ids, sampling = body[6 : 6 + 3 * components : 3], body[7 : 7 + 3 * components : 3]
    if components == 3:
        if ids in NAMED_RGB:
            claims.append("rgb")
        if len(set(sampling)) > 1:  # nobody stores less green or blue than red
            claims.append("ybr")
    return Stream(
        kind="jpeg", height=height, width=width, components=components, precision=precision, marker=marker,
        claims=tuple(claims) if components == 3 else (), guess=guess,
    )  # fmt: skip


def _read_j2k(data: bytes, start: int, *, sycc: bool = False) -> Stream:
    """The size and coding-style segments of a JPEG 2000 codestream (ISO 15444-1, A.5.1 and A.6.1)."""
    right, bottom, left, top = struct.unpack(">4L", data[start + 8 : start + 24])
    (components,) = struct.unpack(">H", data[start + 40 : start + 42])
    precision = (data[start + 42] & 0x7F) + 1
    style = data.index(b"\xff\x52", start + 42)
    transformed = data[style + 8] & 1
    claims: tuple[ColorSpace, ...] = ("rgb",) if transformed else ("ybr",) if sycc else ()
    return Stream(
        kind="j2k", start=start, height=bottom - top, width=right - left, components=components, precision=precision,
        claims=claims if components == 3 else (),
    )  # fmt: skip


#: 16 bits of fraction: exact to the grey level for the formulas of PS3.3 C.7.6.3.1.2.
UNIT = 1 << 16


def ybr_to_rgb(
    pixels: UInt8[np.ndarray, "height width 3"], *, partial: bool = False
) -> UInt8[np.ndarray, "height width 3"]:
    """YCbCr to RGB as ITU-R BT.601 has it, of full range or (`partial`) of studio range.

    >>> ybr_to_rgb(np.array([[[76, 85, 255]]], dtype=np.uint8)).tolist()
    [[[254, 0, 0]]]
    """
    luma_gain, chroma_gain, black = (255 / 219, 255 / 224, 16) if partial else (1.0, 1.0, 0)
    level = np.arange(256, dtype=np.float64)
    luma = np.rint((level - black) * luma_gain * UNIT).astype(np.int32)
    chroma = (level - 128) * chroma_gain * UNIT

    def part(weight: float) -> np.ndarray:
        return np.rint(chroma * weight).astype(np.int32)

    y, cb, cr = luma[pixels[..., 0]] + UNIT // 2, pixels[..., 1], pixels[..., 2]
    red = y + part(1.402)[cr]
    green = y + part(-0.114 * 1.772 / 0.587)[cb] + part(-0.299 * 1.402 / 0.587)[cr]
    blue = y + part(1.772)[cb]
    rgb: UInt8[np.ndarray, "height width 3"] = np.stack(
        [np.clip(channel >> 16, 0, 255).astype(np.uint8) for channel in (red, green, blue)], axis=-1
    )
    return rgb
