"""A recording's fingerprint: a few bits of each of some frames, which a copy of the recording shares."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from sonoplane.records import Image

__all__ = ["FINGERPRINT_VERSION", "Fingerprint", "step_of"]

#: Changes with the meaning of the bits: fingerprints of different versions cannot be compared.
FINGERPRINT_VERSION = 2

#: The frame is reduced to so many rows and columns of cells.
_CELLS = 12
#: Each cell, less what is around it (in cells, as the sigma of a Gaussian).
_AROUND = 2.0
#: Differences below this share of the frame's mean difference tell nothing: in the dark all frames are alike.
_LEAST_DIFFERENCE = 0.25
#: Frames whose cells differ by less than this many gray levels, or with fewer telling bits than this share, are flat.
_LEAST_CONTRAST = 3.0
_LEAST_TOLD = 0.25
#: A cell is averaged over at least about this many rows and columns, however large the frame.
_PIXELS_A_CELL = 16


class Fingerprint:
    """Is shown the prepared frames of one recording in order, then has its fingerprint.

    A frame's bits tell whether a cell of a 12 x 12 grid is brighter than its right neighbor, than its lower neighbor
    and than its surroundings, so that brightness, gamma, size, codec and a cut of a few per cent hardly change them.
    No more than `most` frames are kept, every 2^n-th from the first; flat ones, such as black, have no bit that tells
    something.

    >>> fingerprint = Fingerprint(most=4)
    >>> for image in np.random.default_rng(0).integers(0, 256, (9, 24, 24), np.uint8):
    ...     fingerprint.see(image)
    >>> fingerprint.hashes.shape  # of frames 0, 4 and 8
    (3, 102)
    """

    def __init__(self, *, most: int = 128) -> None:
        self.most = most
        self.n_frames = 0
        """How many were shown so far."""
        self._step = 1
        self._kept: dict[int, UInt8[np.ndarray, " bytes"]] = {}

    def see(self, image: Image) -> None:
        """The next frame: gray or RGB, of any size, cut to the ultrasound region."""
        index = self.n_frames
        self.n_frames += 1
        if index % self._step:
            return
        self._kept[index] = _bits_of(_cells(image))
        if len(self._kept) > self.most:
            self._step *= 2
            self._kept = {i: bits for i, bits in self._kept.items() if i % self._step == 0}

    @property
    def hashes(self) -> UInt8[np.ndarray, "samples bytes"]:
        """A row for each kept frame: half of it are the bits, the other half tells which of them tell something."""
        rows = list(self._kept.values())
        return np.stack(rows) if rows else np.zeros((0, 2 * _half()), np.uint8)


def step_of(n_frames: int, n_samples: int) -> int:
    """Every so many-th frame of a recording was kept: row k of its hashes is of frame k times this.

    >>> step_of(9, 3), step_of(100, 100)
    (4, 1)
    """
    step = 1
    while -(-n_frames // step) > max(1, n_samples):
        step *= 2
    return step


def _half() -> int:
    n_bits = 2 * _CELLS * (_CELLS - 1) + _CELLS**2
    return -(-n_bits // 8)


def _cells(image: Image) -> Float32[np.ndarray, "rows columns"]:
    """The mean gray level of each cell; of large frames every so many pixels are enough."""
    rows, columns = (max(1, size // (_CELLS * _PIXELS_A_CELL)) for size in image.shape[:2])
    fewer = image[::rows, ::columns]
    gray = fewer if fewer.ndim == 2 else cv2.cvtColor(fewer, cv2.COLOR_RGB2GRAY)
    cells: Float32[np.ndarray, "rows columns"] = cv2.resize(
        gray.astype(np.float32), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA
    )
    return cells


def _bits_of(cells: Float32[np.ndarray, "rows columns"]) -> UInt8[np.ndarray, " bytes"]:
    """The frame's bits and which of them tell something; none does where it is flat."""
    nothing = np.zeros(2 * _half(), np.uint8)
    if np.ptp(cells) < _LEAST_CONTRAST:
        return nothing
    slopes = np.concatenate([np.diff(cells, axis=1).ravel(), np.diff(cells, axis=0).ravel()])
    heights = (cells - cv2.GaussianBlur(cells, (0, 0), _AROUND)).ravel()
    signs = np.concatenate([slopes > 0, heights > 0])
    told = np.concatenate([_tells(slopes), _tells(heights)])
    if told.mean() < _LEAST_TOLD:
        return nothing
    return np.concatenate([np.packbits(signs & told), np.packbits(told)])


def _tells(differences: Float32[np.ndarray, " bits"]) -> Bool[np.ndarray, " bits"]:
    size = np.abs(differences)
    told: Bool[np.ndarray, " bits"] = size > _LEAST_DIFFERENCE * size.mean()
    return told
