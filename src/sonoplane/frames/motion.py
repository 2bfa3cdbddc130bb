"""What each pixel did over a run of frames, kept in memory that does not grow with the run."""

from collections.abc import Iterable
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from sonoplane.records import Image

__all__ = ["Motion", "Steadiness", "watch"]

Gray: TypeAlias = UInt8[np.ndarray, "rows columns"]
"""A reduced frame: fewer rows and columns than the source has."""

_LONGEST_PX = 2000
_ALL_OF_FIRST = 8
_THEN_EACH = 4


class Motion:
    """Darkest, brightest and mean value of every pixel of the reduced frames seen so far.

    Color counts by its strongest channel. `reduction` is the whole number by which frames are reduced.

    >>> motion = Motion(height=4, width=6, reduction=2)
    >>> motion.add(np.full((4, 6), 10, np.uint8))
    >>> motion.add(np.full((4, 6), 30, np.uint8))
    >>> motion.brightest.shape, int(motion.darkest[0, 0]), float(motion.mean[0, 0])
    ((2, 3), 10, 20.0)
    """

    def __init__(self, *, height: int, width: int, reduction: int = 1) -> None:
        self.reduction = max(1, min(reduction, height, width))
        self.n_frames = 0
        shape = (height // self.reduction, width // self.reduction)
        self.brightest: Gray = np.zeros(shape, np.uint8)
        self.darkest: Gray = np.full(shape, 255, np.uint8)
        self._sum = np.zeros(shape, np.float32)

    def add(self, image: Image) -> None:
        """Take one more frame into account."""
        gray = _reduced(image, self.reduction)
        cv2.max(self.brightest, gray, dst=self.brightest)
        cv2.min(self.darkest, gray, dst=self.darkest)
        cv2.accumulate(gray, self._sum)
        self.n_frames += 1

    @property
    def mean(self) -> Float32[np.ndarray, "rows columns"]:
        """The mean value of each pixel."""
        return self._sum / max(self.n_frames, 1)


class Steadiness:
    """Mean and standard deviation of every pixel, at the frames' full size unless that is huge.

    All of the first eight frames count, then every fourth: what never moves shows in fewer frames as well. Color
    counts by its strongest channel.

    >>> seen = Steadiness(height=4, width=6)
    >>> seen.add(np.full((4, 6), 10, np.uint8))
    >>> seen.add(np.full((4, 6), 30, np.uint8))
    >>> int(seen.mean[0, 0]), float(seen.spread[0, 0])
    (20, 10.0)
    """

    def __init__(self, *, height: int, width: int) -> None:
        self.height = height
        self.width = width
        self.reduction = min(-(-max(height, width) // _LONGEST_PX), height, width)
        self.n_frames = 0
        self._offered = 0
        shape = (height // self.reduction, width // self.reduction)
        self._sum = np.zeros(shape, np.float32)
        self._squares = np.zeros(shape, np.float32)

    def add(self, image: Image) -> None:
        """Take one more frame into account, or pass it over."""
        if self._offered < _ALL_OF_FIRST or self._offered % _THEN_EACH == 0:
            gray = _reduced(image, self.reduction)
            cv2.accumulate(gray, self._sum)
            cv2.accumulateSquare(gray, self._squares)
            self.n_frames += 1
        self._offered += 1

    @property
    def mean(self) -> Gray:
        """The mean value of each pixel, rounded."""
        return np.rint(self._sum / max(self.n_frames, 1)).astype(np.uint8)

    @property
    def spread(self) -> Float32[np.ndarray, "rows columns"]:
        """The standard deviation of each pixel over the frames, in gray levels."""
        n = np.float32(max(self.n_frames, 1))
        return np.asarray(np.sqrt(np.maximum(self._squares / n - np.square(self._sum / n), 0)), np.float32)


def watch(images: Iterable[Image], *, height: int, width: int, working_px: int) -> tuple[Motion, Steadiness]:
    """Look at all images of this size, for motion reduced until the longer side is at most about `working_px`."""
    motion = Motion(height=height, width=width, reduction=round(max(height, width) / working_px))
    steadiness = Steadiness(height=height, width=width)
    for image in images:
        motion.add(image)
        steadiness.add(image)
    return motion, steadiness


def _reduced(image: Image, reduction: int) -> Gray:
    """The strongest channel of the image, its sides divided by a whole number; what is left over is cut off."""
    rows, columns = (n // reduction * reduction for n in image.shape[:2])
    part = np.ascontiguousarray(image[:rows, :columns])
    if reduction > 1:
        size = (columns // reduction, rows // reduction)
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA))
    if part.ndim == 3:
        red, green, blue = cv2.split(part)
        return np.asarray(cv2.max(cv2.max(red, green), blue))
    return part
