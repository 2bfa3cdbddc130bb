"""How alike consecutive frames are: the mean structural similarity (SSIM), in one pass over both frames."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TypeAlias, no_type_check

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from sonoplane.errors import DamagedRecording, MissingExtra, RecordingError
from sonoplane.records import Box, Image

__all__ = ["WINDOW", "ConsecutiveSsim", "mean_ssim"]

#: Rows and columns of the window that slides over the frames; the numbers in `_band` follow from it.
WINDOW = 7

#: The constants of the formula, (0.01 x 255)^2 and (0.03 x 255)^2, scaled as `_band` scales what they are added to.
_C1 = (0.01 * 255) ** 2 * 49 * 49
_C2 = (0.03 * 255) ** 2 * 49 * 48

#: What makes RGB gray: the rounded mean of the three colors, which leaves alone what is gray already.
_MEAN_OF_COLORS: Float32[np.ndarray, "1 3"] = np.full((1, 3), 1 / 3, np.float32)

Gray: TypeAlias = UInt8[np.ndarray, "rows columns"]
Band: TypeAlias = Callable[[Gray, Gray, int, int], float]


def mean_ssim(a: Image, b: Image, *, box: Box | None = None, threads: int = 2) -> float:
    """The mean SSIM of two frames, inside `box` where one is given; 1 where they are equal.

    Wang et al. 2004 with a uniform 7 x 7 window, sample covariance, data range 255, K1 = 0.01 and K2 = 0.03; the
    mean is over the windows that lie wholly inside. It is what scikit-image's `structural_similarity(a, b,
    win_size=7, data_range=255)` gives. RGB is compared by its gray, the mean of the colors rounded to a whole level.

    >>> frame = np.arange(64, dtype=np.uint8).reshape(8, 8)
    >>> mean_ssim(frame, frame), round(mean_ssim(frame, frame[::-1]), 4)
    (1.0, -0.7492)

    Raises:
        MissingExtra: Numba is not installed.
        DamagedRecording: the frames differ in size.
        RecordingError: they are smaller than the window.
    """
    pair = ConsecutiveSsim(box=box, threads=threads)
    pair.see(a)
    similarity = pair.see(b)
    assert similarity is not None  # only a first frame has none
    return similarity


class ConsecutiveSsim:
    """Is shown the frames of one recording in order, and says of each how alike it is to the one before.

    It keeps two gray frames. The answer does not depend on `threads` (1 or 2), nor on the machine; 1 is best
    where as many recordings as there are cores are compared at once.

    >>> similarity = ConsecutiveSsim()
    >>> [similarity.see(np.full((9, 9), gray, np.uint8)) for gray in (80, 80)]
    [None, 1.0]
    """

    def __init__(self, *, box: Box | None = None, threads: int = 2) -> None:
        """`box` is what is compared of each frame (None: all of it); raises MissingExtra where Numba is missing."""
        self._box = box
        self._band = _compiled()
        self._helper = ThreadPoolExecutor(1) if threads > 1 else None
        self._before: Gray | None = None
        self._spare: Gray | None = None

    def see(self, image: Image) -> float | None:
        """The mean SSIM of this frame and the one before; None for the first. See `mean_ssim`."""
        before, now = self._before, _gray(image, self._box, into=self._spare)
        self._before, self._spare = now, before
        if before is None:
            return None
        if before.shape != now.shape:
            raise DamagedRecording(
                f"A frame of {_size(now)} pixels follows one of {_size(before)}.",
                advice="Leave the recording out, or cut it where its size changes.",
            )
        return self._mean(before, now)

    def _mean(self, a: Gray, b: Gray) -> float:
        """Of the upper and the lower half of the windows, at once; always added in this order."""
        rows, columns = len(a) - WINDOW + 1, len(a[0]) - WINDOW + 1
        if rows < 1 or columns < 1:
            raise RecordingError(
                f"Frames of {_size(a)} pixels are too small for SSIM, which compares windows of 7 x 7.",
                advice="Choose frames by another method: `every`, `even` or `none`.",
            )
        middle = rows // 2
        if self._helper is None:
            upper, lower = self._band(a, b, 0, middle), self._band(a, b, middle, rows)
        else:
            promised = self._helper.submit(self._band, a, b, 0, middle)
            lower = self._band(a, b, middle, rows)
            upper = promised.result()
        return (upper + lower) / (rows * columns)


def _gray(image: Image, box: Box | None, *, into: Gray | None) -> Gray:
    """A copy of what is compared, since a reader may decode the next frame into the same memory.

    It lies in `into` where that fits: new memory costs a tenth of a comparison.
    """
    if box is not None:
        image = image[box.clip(height=image.shape[0], width=image.shape[1]).slices]
    if into is None or into.shape != image.shape[:2]:
        into = np.empty(image.shape[:2], np.uint8)
    if image.ndim == 3:
        return np.asarray(cv2.transform(np.ascontiguousarray(image), _MEAN_OF_COLORS, dst=into))
    np.copyto(into, image, casting="no")
    return into


def _size(image: Gray) -> str:
    """Height x width, to be read."""
    return f"{image.shape[0]} x {image.shape[1]}"


@cache
def _compiled() -> Band:
    """`_band` as machine code, kept on disk where a folder can be written to."""
    try:
        import numba
    except ImportError:
        raise MissingExtra("SSIM needs Numba.", advice="Run `pip install 'sonoplane[train]'`.") from None
    frame = numba.types.Array(numba.types.uint8, 2, "C", readonly=True)
    signature = numba.types.float64(frame, frame, numba.types.int64, numba.types.int64)
    # The machine code lets go of Python's lock, so plain threads do; they bear a fork and callers on several
    # threads, which Numba's own do not.
    # Multiply-adds may be fused: all products that are added are whole numbers, so no digit changes.
    compiler = partial(numba.njit, signature, nogil=True, error_model="numpy", fastmath={"contract"})
    try:
        band: Band = compiler(cache=True)(_band)
    except RuntimeError:  # neither beside this file nor in the user's cache
        band = compiler()(_band)
    return band


@no_type_check  # it is compiled as it stands; the wrapper of a type checker is not
def _band(a, b, first, stop):
    """The sum of the SSIM of all windows whose top row is in `first` to `stop` (exclusive).

    Sums over columns of 7 pixels slide down the rows; each row of windows is summed from them. All sums are whole
    numbers, hence exact; means and variances are left multiplied by 49 and 49 x 48, which cancels in the ratio.
    Every loop writes one array and adds nothing up across columns, so that all of them run on vectors of numbers,
    in the same order on any machine.
    """
    width = a.shape[1]
    n = width - 6
    columns = np.zeros((2, width), np.int16)  # a and b over 7 rows
    products = np.zeros((2, width), np.int32)  # a a + b b and a b over 7 rows
    sums = np.zeros((2, n), np.int16)  # the same over 7 x 7 pixels
    powers = np.zeros((2, n), np.int32)
    a_column, b_column, squares_column, ab_column = columns[0], columns[1], products[0], products[1]
    a_sum, b_sum, squares_sum, ab_sum = sums[0], sums[1], powers[0], powers[1]
    nothing = np.zeros(width, np.uint8)
    total = np.zeros(n, np.float64)

    for row in range(first, stop + 6):
        a_in, b_in = a[row], b[row]
        a_out = a[row - 7] if row - first >= 7 else nothing
        b_out = b[row - 7] if row - first >= 7 else nothing
        for x in range(width):
            a_column[x] += np.int16(a_in[x]) - np.int16(a_out[x])
        for x in range(width):
            b_column[x] += np.int16(b_in[x]) - np.int16(b_out[x])
        for x in range(width):
            come = np.int32(a_in[x]) * np.int32(a_in[x]) + np.int32(b_in[x]) * np.int32(b_in[x])
            gone = np.int32(a_out[x]) * np.int32(a_out[x]) + np.int32(b_out[x]) * np.int32(b_out[x])
            squares_column[x] += come - gone
        for x in range(width):
            come = np.int32(a_in[x]) * np.int32(b_in[x])
            ab_column[x] += come - np.int32(a_out[x]) * np.int32(b_out[x])
        if row - first < 6:
            continue

        for i in range(2):
            c, s = columns[i], sums[i]
            for x in range(n):
                s[x] = c[x] + c[x + 1] + c[x + 2] + c[x + 3] + c[x + 4] + c[x + 5] + c[x + 6]
        for i in range(2):
            p, q = products[i], powers[i]
            for x in range(n):
                q[x] = p[x] + p[x + 1] + p[x + 2] + p[x + 3] + p[x + 4] + p[x + 5] + p[x + 6]
        for x in range(n):
            s_a, s_b = np.float64(a_sum[x]), np.float64(b_sum[x])
            means, squared = s_a * s_b, s_a * s_a + s_b * s_b
            above = (2.0 * means + _C1) * (2.0 * (49.0 * ab_sum[x] - means) + _C2)
            below = (squared + _C1) * (49.0 * squares_sum[x] - squared + _C2)
            total[x] += above / below

    added = 0.0
    for x in range(n):
        added += total[x]
    return added
