"""Outlines: masks as polygons of few points, which a person can read and move."""

from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from sonoplane.records import Box

__all__ = ["Points", "box_outline", "crosses_itself", "encloses", "filled", "outline_of", "overlap"]

Points: TypeAlias = tuple[tuple[int, int], ...]
"""The corners of a polygon in order, in pixels (x, y) from the top left; it covers its corners and edges too."""
Filled: TypeAlias = UInt8[np.ndarray, "height width"]
"""1 inside, 0 outside."""

_FEW_POINTS = 40
_CLOSE, _CLOSE_ENOUGH = 0.995, 0.99  # of few points, of more
_TOLERANCES_PX = (0.5, 1, 2, 3, 4)
_ERODED_PX = (0, 1, 2)
_REACH_SHARE = 1 / 640  # of the frame's longer side


def outline_of(mask: Bool[np.ndarray, "height width"]) -> Points:
    """The outer edge of the mask's largest piece, in the fewest points that still describe it; () for an empty mask.

    Filled, it covers the piece without holes to an intersection over union of 0.99, and reaches beyond it by no more
    than a pixel (in frames longer than 960 pixels, one for every 640).

    >>> mask = np.zeros((20, 30), bool)
    >>> mask[5:15, 10:25] = True
    >>> outline_of(mask)
    ((10, 5), (10, 14), (24, 14), (24, 5))
    """
    whole = _border(mask.astype(np.uint8))
    if not len(whole):
        return ()
    reach = max(1, round(max(mask.shape) * _REACH_SHARE))
    left, top, width, height = cv2.boundingRect(whole)
    pad = reach + 4
    shape = (height + 2 * pad, width + 2 * pad)
    shift = np.array([left - pad, top - pad], np.int32)
    piece = _drawn(whole - shift, *shape)
    allowed = cv2.dilate(piece, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    tries: list[tuple[float, Points]] = []
    for border in _simpler(piece):
        drawn = _drawn(border, *shape)
        points = _points(border + shift)
        if len(points) >= 3 and not (drawn > allowed).any() and not crosses_itself(points):
            tries.append((_share(drawn, piece), points))
    close = [points for share, points in tries if share >= _CLOSE and len(points) <= _FEW_POINTS]
    close_enough = [points for share, points in tries if share >= _CLOSE_ENOUGH]
    return min(close or close_enough or [_points(whole)], key=len)


def box_outline(box: Box) -> Points:
    """The rectangle as an outline.

    >>> box_outline(Box(left=2, top=1, right=10, bottom=5))
    ((2, 1), (2, 4), (9, 4), (9, 1))
    """
    right, bottom = box.right - 1, box.bottom - 1
    return (box.left, box.top), (box.left, bottom), (right, bottom), (right, box.top)


@lru_cache(maxsize=32)
def filled(outline: Points, height: int, width: int) -> Filled:
    """The pixels that an outline covers in a frame of this size; remembered, so not to be written to."""
    pixels = _drawn(np.array(outline, np.int32), height, width)
    pixels.flags.writeable = False
    return pixels


def overlap(first: Points, second: Points, *, height: int, width: int) -> float:
    """Intersection over union of what two outlines cover in a frame of this size.

    >>> square = ((0, 0), (0, 9), (9, 9), (9, 0))
    >>> overlap(square, ((0, 0), (0, 9), (4, 9), (4, 0)), height=10, width=20)
    0.5
    """
    if first == second:
        return 1.0
    return _share(filled(first, height, width), filled(second, height, width))


def encloses(outline: Points) -> bool:
    """Whether there is anything between its edges: not where all points lie on one line.

    >>> encloses(((0, 0), (5, 5), (9, 9)))
    False
    """
    return len(outline) >= 3 and cv2.contourArea(np.array(outline, np.int32)) > 0


def crosses_itself(outline: Points) -> bool:
    """Whether two edges cross; edges that only touch do not.

    >>> crosses_itself(((0, 0), (9, 9), (9, 0), (0, 9)))
    True
    >>> crosses_itself(((0, 0), (9, 0), (9, 9), (0, 9)))
    False
    """
    start = np.array(outline, np.int64)
    stop = np.roll(start, -1, axis=0)
    side_of_start = _side(start[:, None], stop[:, None], start[None])
    side_of_stop = _side(start[:, None], stop[:, None], stop[None])
    parted = side_of_start * side_of_stop < 0
    return bool((parted & parted.T).any())


def _simpler(piece: Filled) -> Iterator[np.ndarray]:
    """Its border in fewer points, several tries; all of them are points of the piece."""
    for eroded in _ERODED_PX:
        border = _border(cv2.erode(piece, _disc(eroded)))
        for tolerance in _TOLERANCES_PX:
            if tolerance > eroded and len(border):
                yield cv2.approxPolyDP(border, tolerance, True)


def _border(pixels: Filled) -> np.ndarray:
    """Every pixel along the outer edge of the largest piece, in order; of none where nothing is set."""
    borders, _ = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return max(
        borders, key=lambda border: (cv2.contourArea(border), len(border)), default=np.zeros((0, 1, 2))
    )


def _points(border: np.ndarray) -> Points:
    return tuple((int(x), int(y)) for x, y in border.reshape(-1, 2))


def _drawn(points: np.ndarray, height: int, width: int) -> Filled:
    pixels = np.zeros((height, width), np.uint8)
    cv2.fillPoly(pixels, [points.reshape(-1, 1, 2).astype(np.int32)], 1)
    return pixels


def _share(first: Filled, second: Filled) -> float:
    both = cv2.countNonZero(cv2.bitwise_and(first, second))
    return both / max(cv2.countNonZero(cv2.bitwise_or(first, second)), 1)


def _disc(radius: int) -> UInt8[np.ndarray, "rows columns"]:
    return np.asarray(
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8
    )


def _side(start: np.ndarray, stop: np.ndarray, point: np.ndarray) -> np.ndarray:
    """On which side of each edge each point lies: 1, -1, or 0 on its line."""
    edge, to_point = stop - start, point - start
    return np.asarray(np.sign(edge[..., 0] * to_point[..., 1] - edge[..., 1] * to_point[..., 0]))
