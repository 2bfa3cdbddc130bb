"""Finds thin strokes that never move, and measures the lines that they stand in."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from jaxtyping import Float32, Int, UInt8

from sonoplane.records import Box

__all__ = ["Line", "Strokes"]

Gray: TypeAlias = UInt8[np.ndarray, "rows columns"]
Spread: TypeAlias = Float32[np.ndarray, "rows columns"]
Labels: TypeAlias = Int[np.ndarray, "rows columns"]
Stats: TypeAlias = Int[np.ndarray, "pieces 5"]

_STROKE = 9  # pixels: wider things are no strokes
_CONTRAST = 28  # gray levels
_NOISE = 4.0  # gray levels that a codec adds to a painted stroke
_NOISE_SHARE = 1 / 12  # of its contrast
_HEIGHTS = (4, 30)  # of letters
_LONGEST = 12  # times its height
_HARD = 0.6  # of the contrast, within two pixels
_MOVES = 2.0  # gray levels of standard deviation
_WIDEST_MARK = 4  # times its height
_ALIKE = 0.2  # of the contrast, from peak to peak
_LETTERS = 10  # at most, by which a line is made longer
_GAP = 13  # pixels: letters that are nearer stand in one line


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """Strokes beside each other, as the letters of a word are."""

    box: Box
    letter_px: float
    """Height of its letters: lines close below each other may count as one."""
    level: float
    """The gray level of the strokes' peaks."""
    contrast: float
    """Gray levels between the strokes and what is around them; gray levels below are shares of it."""
    crossings: float
    """Strokes that a row of pixels crosses, on average."""
    density: float
    """Crossings along a stretch as long as the line is high."""
    balance: float
    """Upright to level edges, the lesser by the greater: layers of tissue have few upright ones."""
    hardness: float
    """How steep the edges are."""
    unevenness: float
    """How much the strokes' brighter pixels differ from each other."""
    ridge: float
    """How much the strokes' peaks differ: letters are painted in one level."""
    noise: float
    """How much the peaks change in time."""
    calm: float
    """How many times as much the surroundings change in time."""


class Strokes:
    """The strokes in one picture that are brighter than what is around them."""

    def __init__(self, mean: Gray, spread: Spread) -> None:
        self._mean, self._spread = mean, spread
        self._over = _array(cv2.morphologyEx(mean, cv2.MORPH_TOPHAT, np.ones((_STROKE, _STROKE), np.uint8)))
        self._across, self._down = _steps(mean)
        self._letters = self._find_letters()

    def lines(self, *, crossings: float, density: float, marks: bool) -> Iterator[Line]:
        """The lines that letters form: words, which have at least so many crossings, so densely.

        With `marks`, also what is about as wide as high, where the image changes in time.
        """
        letters = self._letters
        joined = cv2.morphologyEx(letters, cv2.MORPH_CLOSE, np.ones((3, _GAP), np.uint8))
        n, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
        rows, columns = np.nonzero(letters)
        line = labels[rows, columns]
        height, width = (np.maximum(stats[:, side], 1) for side in (cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH))
        first, last = (
            stats[:, cv2.CC_STAT_TOP] + height // 4,
            stats[:, cv2.CC_STAT_TOP] + height - height // 4,
        )
        starts = (columns == 0) | (letters[rows, columns - 1] == 0)
        starts &= (rows >= first[line]) & (rows < last[line])
        crossed = np.bincount(line[starts], minlength=n) / np.maximum(last - first, 1)
        dense = crossed * height / width
        across, down = (np.bincount(line, edge[rows, columns], n) for edge in (self._across, self._down))
        balance = np.minimum(across, down) / np.maximum(np.maximum(across, down), 1)
        is_word = (crossed >= crossings) & (dense >= density)
        is_word[0] = False
        if marks:
            moves = np.zeros(n, bool)
            around = cv2.dilate(self._spread, np.ones((7, 7), np.uint8))[rows, columns] >= _MOVES
            moves[line[around]] = True
            is_word |= moves & (height >= _HEIGHTS[0]) & (width <= _WIDEST_MARK * height)
        for k in np.flatnonzero(is_word):
            shape = {"crossings": crossed[k], "density": dense[k], "balance": balance[k]}
            yield self._measured(labels, stats, int(k), {name: float(value) for name, value in shape.items()})

    def reach(self, line: Line) -> Box:
        """The line's box with all strokes of its level that continue it, letters that were missed too."""
        box, size = line.box, math.ceil(line.letter_px)
        top, left = max(0, box.top - size), max(0, box.left - 6 * size)
        part = (slice(top, box.bottom + size), slice(left, box.right + 6 * size))
        noise = 2 * (_NOISE + line.contrast * _NOISE_SHARE)
        likely = ((self._over[part] >= 0.4 * line.contrast) & (self._spread[part] <= noise)).astype(np.uint8)
        n, pieces, stats, _ = cv2.connectedComponentsWithStats(likely, connectivity=8)
        peaks = np.zeros(n)
        np.maximum.at(peaks, np.asarray(pieces), self._mean[part])
        starts = stats[:, :2] + (left, top)
        ends = starts + stats[:, 2:4]
        alike = np.abs(peaks - line.level) <= _ALIKE * line.contrast
        alike &= (starts[:, 1] >= box.top - size // 2) & (ends[:, 1] <= box.bottom + size // 2)
        alike &= (stats[:, cv2.CC_STAT_WIDTH] <= _WIDEST_MARK * size) & (stats[:, cv2.CC_STAT_AREA] >= 3)
        alike[0] = False
        starts, ends = starts[alike], ends[alike]
        low, high = np.array([box.left, box.top]), np.array([box.right, box.bottom])
        for _ in range(_LETTERS):
            aside = np.array([1.2, 0.2]) * size
            near = (starts < high + aside).all(axis=1) & (ends > low - aside).all(axis=1)
            if not near.any():
                break
            low, high = np.minimum(low, starts[near].min(axis=0)), np.maximum(high, ends[near].max(axis=0))
        return Box(left=int(low[0]), top=int(low[1]), right=int(high[0]), bottom=int(high[1]))

    def _find_letters(self) -> UInt8[np.ndarray, "rows columns"]:
        """1 where a piece of stroke is that has a letter's size, stands still, and has hard edges."""
        over = self._over
        near = _array(cv2.dilate(over, np.ones((7, 7), np.uint8)))
        noise = cv2.addWeighted(over, _NOISE_SHARE, over, 0, _NOISE, dtype=cv2.CV_32F)
        strokes = ((over >= _CONTRAST) & (over >= near // 2) & (self._spread <= noise)).astype(np.uint8)
        n, pieces, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
        height, width = stats[:, cv2.CC_STAT_HEIGHT], stats[:, cv2.CC_STAT_WIDTH]
        kept = (height >= _HEIGHTS[0]) & (height <= _HEIGHTS[1]) & (width <= _LONGEST * height)
        kept &= stats[:, cv2.CC_STAT_AREA] >= 5
        kept[0] = False
        rows, columns = np.nonzero(strokes)
        piece = pieces[rows, columns]
        steep = cv2.dilate(cv2.max(self._across, self._down), np.ones((3, 3), np.uint8))
        hard = np.bincount(piece, steep[rows, columns] / over[rows, columns], n) / np.maximum(
            np.bincount(piece, minlength=n), 1
        )
        kept &= hard >= _HARD
        chosen = kept[piece]
        strokes[:] = 0
        strokes[rows[chosen], columns[chosen]] = 1
        return strokes

    def _measured(self, labels: Labels, stats: Stats, k: int, shape: dict[str, float]) -> Line:
        left, top, width, height = (int(value) for value in stats[k, :4])
        around = (slice(max(0, top - 3), top + height + 3), slice(max(0, left - 3), left + width + 3))
        mean, over, spread = self._mean[around], self._over[around], self._spread[around]
        inside = (self._letters[around] > 0) & (labels[around] == k)
        pieces = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)[2]
        contrast = float(np.percentile(over[inside], 90))
        bright = inside & (over >= 0.7 * contrast)
        peaks = inside & (over >= 0.5 * contrast) & (mean == cv2.dilate(mean, np.ones((3, 3), np.uint8)))
        if not peaks.any():
            peaks = bright
        steep = cv2.max(self._across[around], self._down[around])
        low, high = np.percentile(mean[peaks], [16, 84])
        noise = float(np.percentile(spread[peaks], 75))
        outside = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
        moves = float(np.percentile(spread[outside], 75)) if outside.any() else 0.0
        edge = cv2.dilate(bright.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        return Line(
            box=Box(left=left, top=top, right=left + width, bottom=top + height),
            letter_px=float(np.median(pieces[1:, cv2.CC_STAT_HEIGHT])),
            level=float(high),
            contrast=contrast,
            hardness=float(np.median(steep[edge])) / contrast,
            unevenness=float(mean[bright].std()) / contrast,
            ridge=float(high - low) / 2 / contrast,
            noise=noise / contrast,
            calm=(moves + 1) / (noise + 1),
            **shape,
        )


def _steps(gray: Gray) -> tuple[Gray, Gray]:
    """How much the gray changes over two pixels, from side to side and from top to bottom."""
    padded = cv2.copyMakeBorder(gray, 1, 1, 1, 1, cv2.BORDER_REFLECT_101)
    across = cv2.absdiff(padded[1:-1, 2:], padded[1:-1, :-2])
    return _array(across), _array(cv2.absdiff(padded[2:, 1:-1], padded[:-2, 1:-1]))


def _array(image: Any) -> Gray:
    return np.asarray(image, np.uint8)
