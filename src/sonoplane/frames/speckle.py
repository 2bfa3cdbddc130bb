"""Whether two recordings share their speckle: copies do, recordings of different patients do not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from sonoplane.records import Image

__all__ = ["LEAST_SIDE", "Match", "show_speckle", "speckle_agreement"]

Plane: TypeAlias = Float32[np.ndarray, "_rows _columns"]
Warp: TypeAlias = Float32[np.ndarray, "2 3"]
Frames: TypeAlias = UInt8[np.ndarray, "_time _height _width *_color"]
"""Some frames of a recording: gray, or with a last axis of 3 colors."""
Match: TypeAlias = tuple[Image, Sequence[int]]
"""A frame, and the places of those that may show the same."""

#: Frames whose longer side has fewer pixels show no speckle: at 48, all of them agree by half.
LEAST_SIDE = 96
#: Frames are compared at this length of the longer side, or at their own where it is less.
_SIDE = 128
#: Speckle lies between these sigmas of a Gaussian, in pixels, and is evened out over the third.
_FINE, _COARSE, _EVENED = 0.7, 1.5, 6.0
#: Bands by which two frames are aligned, one after the other: sigmas likewise, and over how many pixels to smooth them.
_ALIGN = ((2.0, 8.0, 12.0, 3), (1.0, 4.0, 8.0, 1))
#: Contrast below about so many gray levels is noise; a pixel above so many is inside the sector.
_NOISE, _DARK = 1.5, 2
#: Aligned frames are shifted against each other by up to so many pixels, and compared in windows of so many.
_SHIFT, _WINDOW = 2, 13
#: A copy is stretched by no more than this share, and is not turned or sheared by more than that.
_STRETCH, _SHEAR = 0.25, 0.08
#: Two frames must have at least this share of the first one's speckle in common.
_LEAST_COMMON = 0.2


def show_speckle(height: int, width: int) -> bool:
    """Whether frames of this size are large enough for their speckle to tell recordings apart.

    >>> show_speckle(224, 288), show_speckle(32, 48)
    (True, False)
    """
    return max(height, width) >= LEAST_SIDE


def speckle_agreement(probes: Sequence[Match], others: Frames) -> float:
    """The median over the probes of how well the speckle of each agrees with that of its best match.

    Each probe is a frame of one recording and the places in `others` (frames of another) of those that may show the
    same, the likeliest first. All are brought to one size, aligned (shift, scale), high-passed, evened out in contrast,
    and correlated window by window; the median over the windows in which both show tissue counts: a few lines on the
    screen that a scanner draws into all recordings do not. It is 0 where there are no probes, about 0.1 for recordings
    of different patients and 0.6 to 1 for copies.

    >>> rng = np.random.default_rng(0)
    >>> one, other = rng.integers(9, 255, (2, 3, 120, 160), np.uint8)
    >>> probes = [(image, [0, 1, 2]) for image in one]
    >>> round(speckle_agreement(probes, one), 2), speckle_agreement(probes, other) < 0.2
    (1.0, True)
    """
    if not probes:
        return 0.0
    size = _size_of(probes[0][0])
    seen = [(_Speckle.of(image, size), places) for image, places in probes]
    known = {place: _Speckle.of(others[place], size) for _, places in seen for place in places}
    warps = _likeliest([(one, known[places[0]]) for one, places in seen[::2] if places])
    best = [
        max((_agreement(one, known[place], warp) for place in places for warp in warps), default=0.0)
        for one, places in seen
    ]
    return float(np.median(best))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Speckle:
    """What is compared of one frame."""

    fine: Plane
    mask: Plane
    """1 where it shows tissue, away from the outline of the sector."""
    gray: Plane

    @classmethod
    def of(cls, image: Image, size: tuple[int, int]) -> "_Speckle":
        gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        mask = _inside(small)
        return cls(fine=_band(small, mask, _FINE, _COARSE, _EVENED), mask=mask, gray=small)


def _size_of(image: Image) -> tuple[int, int]:
    """Width and height at which frames are compared."""
    height, width = image.shape[:2]
    factor = min(1.0, _SIDE / max(height, width))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _inside(gray: Plane) -> Plane:
    """1 inside the sector, holes closed, away from its outline, which all recordings of a scanner share."""
    lit = cv2.morphologyEx((gray > _DARK).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    framed = cv2.copyMakeBorder(lit, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inside: Plane = cv2.erode(framed, np.ones((9, 9), np.uint8))[1:-1, 1:-1].astype(np.float32)
    return inside


def _band(gray: Plane, mask: Plane, fine: float, coarse: float, evened: float) -> Plane:
    """What lies between two scales, at the same contrast everywhere: gamma and brightness leave it as it is."""
    passed = (_blur(gray, fine) - _blur(gray, coarse)) * mask
    variance = _blur(passed * passed, evened) / np.maximum(_blur(mask, evened), 1e-3)
    even: Plane = passed / np.sqrt(variance + _NOISE**2)
    return even


def _blur(plane: Plane, sigma: float) -> Plane:
    blurred: Plane = cv2.GaussianBlur(plane, (0, 0), sigma)
    return blurred


def _likeliest(pairs: Sequence[tuple[_Speckle, _Speckle]]) -> list[Warp]:
    """As they lie, and the alignment under which one of the pairs agrees best: all frames of a copy share it."""
    found = [(pair, warp) for pair in pairs if (warp := _aligned(*pair)) is not None]
    best = max(found, key=lambda item: _agreement(item[0][0], item[0][1], item[1]), default=None)
    return [_UNMOVED] if best is None else [_UNMOVED, best[1]]


_UNMOVED: Warp = np.eye(2, 3, dtype=np.float32)


def _aligned(one: _Speckle, other: _Speckle) -> Warp | None:
    """The map from one's pixels to the other's (Evangelidis and Psarakis 2008); None where none is found."""
    warp: Warp | None = None
    everywhere = np.ones(other.mask.shape, np.uint8)
    for *sigmas, smooth in _ALIGN:
        template, image = (_band(each.gray, each.mask, *sigmas) for each in (one, other))
        start = _UNMOVED if warp is None else warp
        stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 25, 1e-3)
        try:
            _, moved = cv2.findTransformECC(
                template, image, start.copy(), cv2.MOTION_AFFINE, stop, everywhere, smooth
            )
        except cv2.error:  # it does not converge: nothing in common
            return warp
        if not _is_plausible(moved):
            return warp
        warp = moved.astype(np.float32)
    return warp


def _is_plausible(warp: Warp) -> bool:
    """Whether a copy may have been changed so."""
    scales, shears = np.abs(np.diag(warp) - 1), np.abs([warp[0, 1], warp[1, 0]])
    return bool((scales < _STRETCH).all() and (shears < _SHEAR).all())


def _agreement(one: _Speckle, other: _Speckle, warp: Warp) -> float:
    """Median correlation of the windows, at the shift at which all of both correlates best."""
    size, flags = one.mask.shape[::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    fine = cv2.warpAffine(other.fine, warp, size, flags=flags)
    mask = cv2.warpAffine(other.mask, warp, size, flags=flags)
    back = _shift(one.fine * one.mask, fine * mask)
    fine, common = np.roll(fine, back, (0, 1)), np.roll(mask, back, (0, 1)) * one.mask
    if common.sum() <= _LEAST_COMMON * one.mask.sum():
        return 0.0
    share = _mean(common)
    inside, share = share > 0.5, np.maximum(share, 1e-3)
    mean_one, mean_other = (_mean(plane * common) / share for plane in (one.fine, fine))
    covariance = _mean(one.fine * fine * common) / share - mean_one * mean_other
    variance_one = _mean(one.fine**2 * common) / share - mean_one**2
    variance_other = _mean(fine**2 * common) / share - mean_other**2
    correlation = covariance / np.sqrt(np.maximum(variance_one * variance_other, 1e-3))
    return float(np.median(correlation[inside])) if inside.any() else 0.0


def _shift(one: Plane, other: Plane) -> tuple[int, int]:
    """By how many rows and columns to move the other onto the first."""
    whole = np.fft.irfft2(np.fft.rfft2(one) * np.fft.rfft2(other).conj(), s=one.shape)
    near = np.roll(whole, (_SHIFT, _SHIFT), (0, 1))[: 2 * _SHIFT + 1, : 2 * _SHIFT + 1]
    row, column = np.unravel_index(int(near.argmax()), near.shape)
    return int(row) - _SHIFT, int(column) - _SHIFT


def _mean(plane: Plane) -> Plane:
    mean: Plane = cv2.blur(plane, (_WINDOW, _WINDOW))
    return mean
