"""Finds writing that was painted over the image: even, hard strokes that never move, in lines as text has them."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from sonoplane.frames.motion import Steadiness
from sonoplane.frames.strokes import Line, Strokes
from sonoplane.records import Box

__all__ = ["Writing", "find_writing"]

_SCALES = (1, 2)  # letters of 5 to 25, and of 10 to 50 pixels
_LEAST_SIDE = 24
_LOOSE = 1.1  # times the pixels of two boxes that a box around both may have
_CROSSINGS = 4.0
_DENSITY = 0.85


@dataclass(frozen=True, kw_only=True, slots=True)
class Writing:
    """What was painted over the image."""

    boxes: tuple[Box, ...] = ()
    """Each covers texts or marks with a small margin."""
    doubtful: tuple[Box, ...] = ()
    """Other places that look like text, but may be tissue."""


def find_writing(seen: Steadiness) -> Writing:
    """Boxes around texts and marks that stood still in all frames, in pixels of those frames.

    Where the image moves around it, standing still tells a text from tissue; where nothing moves (a single image, or
    a part without echoes), only several strokes of one level in a row are believed. Bright and dark strokes are
    looked for, those of letters of about 6 to 50 pixels.
    """
    found: list[Box] = []
    doubtful: list[Box] = []
    mean, spread = seen.mean, seen.spread
    for scale in _SCALES:
        if scale > 1:
            mean, spread = _halved(mean), _halved(spread)
        if min(mean.shape) < _LEAST_SIDE:
            break
        for bright in (True, False):
            strokes = Strokes(mean if bright else cv2.bitwise_not(mean), spread)
            marks = bright and seen.n_frames > 1
            for line in strokes.lines(crossings=_CROSSINGS, density=_DENSITY, marks=marks):
                times = scale * seen.reduction
                if _is_text(line) or (marks and _is_mark(line)):
                    box = _enlarged(strokes.reach(line), times, margin=2 + round(line.letter_px / 4))
                    found.append(box.clip(height=seen.height, width=seen.width))
                elif _looks_like_text(line):
                    doubtful.append(_enlarged(line.box, times))
    boxes = _joined(found)
    return Writing(
        boxes=boxes,
        doubtful=tuple(box for box in _joined(doubtful) if not any(_shared(box, other) for other in boxes)),
    )


# The limits were chosen on text painted over real recordings, coded in five ways, and on 301 recordings without any.


def _looks_like_text(line: Line) -> bool:
    return (
        line.contrast >= 50
        and line.crossings >= _CROSSINGS
        and line.density >= _DENSITY
        and line.balance >= 0.3
        and line.hardness >= 0.45
        and line.unevenness <= 0.17
        and (line.noise <= 0.08 or (line.noise <= 0.13 and line.calm >= 2))
    )


def _is_text(line: Line) -> bool:
    """A word: its strokes share one level, or stand still where all else moves."""
    return _looks_like_text(line) and (line.ridge <= 0.12 or line.calm >= 1.6)


def _is_mark(line: Line) -> bool:
    """A single letter, a cross, an arrow: only what moves around it can tell it from tissue."""
    return (
        line.contrast >= 70
        and line.box.height >= 5
        and line.hardness >= 0.5
        and line.unevenness <= 0.14
        and line.noise <= 0.05
        and line.calm >= 2.5
    )


def _halved(image: np.ndarray) -> np.ndarray:
    height, width = (n // 2 for n in image.shape)
    even = np.ascontiguousarray(image[: 2 * height, : 2 * width])
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)) if even.size else even


def _enlarged(box: Box, times: int, *, margin: int = 0) -> Box:
    return Box(
        left=max(0, box.left - margin) * times,
        top=max(0, box.top - margin) * times,
        right=(box.right + margin) * times,
        bottom=(box.bottom + margin) * times,
    )


def _joined(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """The boxes, in order from top to bottom, those made one that together are nearly a box again."""
    kept: list[Box] = []
    waiting = sorted(set(boxes), key=_place)
    while waiting:
        box = waiting.pop(0)
        for other in kept:
            around = _around(box, other)
            if _area(around) <= _LOOSE * (_area(box) + _area(other) - _shared(box, other)):
                kept.remove(other)
                waiting.append(around)
                break
        else:
            kept.append(box)
    return tuple(sorted(kept, key=_place))


def _place(box: Box) -> tuple[int, int, int, int]:
    return box.top, box.left, box.bottom, box.right


def _around(a: Box, b: Box) -> Box:
    return Box(
        left=min(a.left, b.left),
        top=min(a.top, b.top),
        right=max(a.right, b.right),
        bottom=max(a.bottom, b.bottom),
    )


def _shared(a: Box, b: Box) -> int:
    """How many pixels lie in both."""
    width, height = min(a.right, b.right) - max(a.left, b.left), min(a.bottom, b.bottom) - max(a.top, b.top)
    return max(width, 0) * max(height, 0)


def _area(box: Box) -> int:
    return box.width * box.height
