"""What each pixel did over a run of frames, kept in memory that does not grow with the run."""

from collections.abc import Iterable
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from sonoplane.records import Image

__all__ = ["Motion", "watch"]

Gray: TypeAlias = UInt8[np.ndarray, "rows columns"]
"""A reduced frame: fewer rows and columns than the source has."""


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
        gray = self._reduced(image)
        cv2.max(self.brightest, gray, dst=self.brightest)
        cv2.min(self.darkest, gray, dst=self.darkest)
        cv2.accumulate(gray, self._sum)
        self.n_frames += 1

    @property
    def mean(self) -> Float32[np.ndarray, "rows columns"]:
        """The mean value of each pixel."""
        return self._sum / max(self.n_frames, 1)

    def _reduced(self, image: Image) -> Gray:
        rows, columns = (n * self.reduction for n in self.brightest.shape)
        part = image[:rows, :columns]
        if self.reduction > 1:
            size = (columns // self.reduction, rows // self.reduction)
            part = cv2.resize(np.ascontiguousarray(part), size, interpolation=cv2.INTER_AREA)
        if part.ndim == 3:
            red, green, blue = cv2.split(np.ascontiguousarray(part))
            return np.asarray(cv2.max(cv2.max(red, green), blue))
        return np.ascontiguousarray(part)


def watch(images: Iterable[Image], *, height: int, width: int, working_px: int) -> Motion:
    """Look at all images of this size, reduced until the longer side is at most about `working_px`."""
    motion = Motion(height=height, width=width, reduction=round(max(height, width) / working_px))
    for image in images:
        motion.add(image)
    return motion
