"""A picture as a video decoder leaves it becomes an image: gray or RGB, eight bits, upright, one size."""

from typing import TypeAlias

import cv2
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from jaxtyping import UInt8

from sonoplane.records import Image

__all__ = ["Painter", "over_black"]

#: `AVCOL_RANGE_MPEG`: black is 16 and white 235.
LIMITED = 1
LIMITED_TO_FULL = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)

#: Formats for which swscale has a quick way to RGB where the height is even: it rounds down, as OpenCV's readers
#: do. All others go the exact way; the default one is up to three levels too dark.
QUICK_FORMATS = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p"}
EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT

#: Formats with a plane of brightness and two of color, eight bits each.
PLANAR_FORMATS = QUICK_FORMATS | {"yuv444p", "yuvj444p", "yuv440p", "yuvj440p", "yuv411p", "yuv410p"}
NO_COLOR = 128

_Turn: TypeAlias = tuple[bool, bool, bool]
"""Whether rows and columns swap, and then whether left and right, top and bottom do."""


class Painter:
    """Turns the decoded pictures of one stream into images of one kind and size: those of the first.

    A picture without color in a stream that could have some becomes an RGB image whose three channels are one and the
    same memory (a stride of 0, read only): whatever looks at it need not do the same work three times.
    """

    def __init__(self, first: VideoFrame) -> None:
        self._reformatter = VideoReformatter()
        self._size = (first.width, first.height)
        self._gray = _is_gray(first.format)
        self._turn = _turn_of(first)
        self._levels: dict[tuple[str, int, int, bool], np.ndarray | None] = {}

    def paint(self, picture: VideoFrame) -> tuple[Image, str | None]:
        """The image, and a note where it had to be brought to the size of the first."""
        note = None
        if (picture.width, picture.height) != self._size:
            note = (
                f"The picture size changed to {picture.width} x {picture.height}; this frame is scaled back."
            )
        if self._gray:
            return _turned(self._gray_image(picture), self._turn), note
        gray = self._colorless(picture) if note is None else None
        if gray is None:
            return _turned(self._rgb_image(picture), self._turn), note
        gray = _turned(gray, self._turn)
        return np.broadcast_to(gray[..., None], (*gray.shape, 3)), note

    def _gray_image(self, picture: VideoFrame) -> Image:
        bits = picture.format.components[0].bits
        scaled = (picture.width, picture.height) != self._size
        image: Image
        if picture.format.name.startswith("gray") and 8 < bits <= 16 and not scaled:
            # The top eight bits; swscale would dither.
            values = np.asarray(picture.to_ndarray(), dtype=np.uint16)
            image = (values >> (bits - 8)).astype(np.uint8)
        else:
            image = self._reformat(picture, "gray")
        return LIMITED_TO_FULL[image] if picture.color_range == LIMITED else image

    def _rgb_image(self, picture: VideoFrame) -> Image:
        if not any(component.is_alpha for component in picture.format.components):
            return self._reformat(picture, "rgb24")
        rgba = self._reformat(picture, "rgba")
        return over_black(rgba[..., :3], rgba[..., 3])

    def _colorless(self, picture: VideoFrame) -> np.ndarray | None:
        """What red, green and blue all are where a picture has no color at all; None where it has some."""
        if picture.format.name not in PLANAR_FORMATS:
            return None
        light, *colors = (_plane(picture, number) for number in range(3))
        if any((color != NO_COLOR).any() for color in colors):
            return None
        key = (picture.format.name, picture.colorspace, picture.color_range, picture.height % 2 == 0)
        if key not in self._levels:
            self._levels[key] = _levels(picture)
        levels = self._levels[key]
        return None if levels is None else np.asarray(cv2.LUT(light, levels), np.uint8)

    def _reformat(self, picture: VideoFrame, pixel_format: str) -> np.ndarray:
        # The picture's own tags choose the matrix and the range. One thread: the decoder's threads are busy
        # with the next pictures, and swscale's would only get in their way.
        return _reformatted(self._reformatter, picture, self._size, pixel_format)


def over_black(
    rgb: UInt8[np.ndarray, "height width 3"], alpha: UInt8[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Color laid over black, which is what surrounds every ultrasound image.

    >>> over_black(np.full((1, 2, 3), 200, np.uint8), np.array([[255, 0]], np.uint8))[..., 0].tolist()
    [[200, 0]]
    """
    if (alpha == 255).all():
        return np.ascontiguousarray(rgb)
    weighed = rgb.astype(np.uint16) * alpha[..., None]
    return np.asarray((weighed + 127) // 255, dtype=np.uint8)


def _reformatted(
    reformatter: VideoReformatter, picture: VideoFrame, size: tuple[int, int], pixel_format: str
) -> np.ndarray:
    quick = picture.format.name in QUICK_FORMATS and picture.height % 2 == 0
    converted = reformatter.reformat(
        picture,
        width=size[0],
        height=size[1],
        format=pixel_format,
        interpolation=Interpolation.BILINEAR if quick else EXACT,
        threads=1,
    )
    return np.asarray(converted.to_ndarray(), dtype=np.uint8)


def _plane(picture: VideoFrame, number: int) -> UInt8[np.ndarray, "rows columns"]:
    """One plane of a picture, where it lies."""
    plane = picture.planes[number]
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
        : plane.height, : plane.width
    ]


def _levels(picture: VideoFrame) -> UInt8[np.ndarray, "256"] | None:
    """What swscale makes of each level of brightness in such a picture where it has no color; None: no gray."""
    ramp = VideoFrame(256, 2 + picture.height % 2, picture.format.name)
    ramp.colorspace, ramp.color_range = picture.colorspace, picture.color_range
    for plane in ramp.planes:
        plane.update(bytes([NO_COLOR]) * plane.buffer_size)
    light = ramp.planes[0]
    light.update(bytes(range(256)).ljust(light.line_size, b"\0") * light.height)
    image = _reformatted(VideoReformatter(), ramp, (ramp.width, ramp.height), "rgb24")
    levels = image[0, :, 0]
    return np.ascontiguousarray(levels) if (image == levels[:, None]).all() else None


def _is_gray(pixel_format: VideoFormat) -> bool:
    """Whether pictures of this format have brightness alone, perhaps with transparency."""
    return pixel_format.name.startswith(("gray", "ya8", "ya16", "yaf", "mono"))


def _turn_of(picture: VideoFrame) -> _Turn:
    """How a picture is turned for display, to the nearest quarter, by its matrix (ISO 14496-12, 6.2.2)."""
    matrix = picture.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, SideData):
        return False, False, False
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), dtype=np.int32).tolist()
    # A point (x, y) of the picture is shown at (a x + c y, b x + d y).
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
    return True, c < 0, b < 0


def _turned(image: np.ndarray, turn: _Turn) -> np.ndarray:
    """The image turned for display."""
    swap, mirror, flip = turn
    if not any(turn):
        return image
    image = image.swapaxes(0, 1) if swap else image
    image = image[:, ::-1] if mirror else image
    image = image[::-1] if flip else image
    return np.ascontiguousarray(image)
