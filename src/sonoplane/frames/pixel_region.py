"""Finds the ultrasound in the pixels alone: what moves or is ever lit, without text and furniture."""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from sonoplane.frames.motion import Motion
from sonoplane.frames.region_settings import RegionSettings

__all__ = ["FoundMask", "find_mask"]

Mask: TypeAlias = Bool[np.ndarray, "rows columns"]
"""Pixels of the reduced frame."""

_DARK = 64  # gray levels: a screen is darker
_SCREEN_SHARE = 0.02  # of the frame: fewer unmoving dark pixels are no screen
_CLEAN_SHARE = 0.15
_FAINT = 2  # gray levels above a clean screen
_PAINTED = 16  # gray levels: panels are brighter
_SATURATED = 250
_STILL = 2  # gray levels
_WRITING_ABOVE = 40  # gray levels above the screen, at all times
_MOVING_SHARE = 0.02  # of the frame
_PIECE_SHARE = 0.02  # of the largest piece
_STILL_PIECE_SHARE = 0.1
_STILL_CONFIDENCE = 0.7


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundMask:
    """Which pixels are ultrasound, as far as the pixels tell."""

    mask: Bool[np.ndarray, "height width"]
    confidence: float
    """0 to 1: the share of the outline's inside that was seen to be ultrasound; less where nothing moved."""
    moving: bool
    """Whether motion was seen: else the mask shows what is lit."""


def find_mask(motion: Motion, *, height: int, width: int, settings: RegionSettings) -> FoundMask:
    """The mask of the ultrasound in frames of `height` x `width`, from what their pixels did.

    The mask may be empty, with confidence 0, where nothing is lit.
    """
    thin = _odd(settings.thin_share * max(motion.brightest.shape))
    screen = _screen(motion)
    lit = _lit(motion, screen, settings)
    moves = _moves(motion, screen, settings)
    moving = motion.n_frames > 1 and bool(_open(lit & moves, thin).mean() >= _MOVING_SHARE)
    if moving:
        painted = _stuck(motion, screen)
        seen = _pieces(_open(lit & _dilate(moves, thin) & ~painted, thin), least=_PIECE_SHARE)
    else:
        painted = _panels(motion, thin) | _bars(motion, thin)
        seen = _pieces(_open(lit & ~painted, thin), least=_STILL_PIECE_SHARE, same_columns=True)
    if not seen.any():
        return FoundMask(mask=np.zeros((height, width), bool), confidence=0.0, moving=False)
    hull = _hull(seen)
    body = _close(seen, 4 * thin + 1)
    writing = (motion.darkest >= min(screen.level + _WRITING_ABOVE, 255)) & ~body
    mask = hull & ~_dilate(writing | _reaching(painted, ~hull), 3)
    mask = _pieces(_open(mask, thin), least=1.0)
    confidence = float(body[hull].mean()) * (1.0 if moving else _STILL_CONFIDENCE)
    return FoundMask(
        mask=_enlarge(mask, motion.reduction, height, width, settings.margin_px),
        confidence=min(confidence, 1.0),
        moving=moving,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Screen:
    """The empty part of the scanner's screen."""

    level: int
    """Its gray level."""
    clean: bool
    """Whether it shows nothing but this level: then the faintest noise tells the image from it."""


def _screen(motion: Motion) -> _Screen:
    """The gray level that most of the unmoving dark pixels have; 0 where there are hardly any."""
    still = (cv2.absdiff(motion.brightest, motion.darkest) <= _STILL) & (motion.darkest < _DARK)
    level = int(np.bincount(motion.darkest[still], minlength=_DARK).argmax())
    share = float(((motion.darkest == level) & still).mean())
    if share < _SCREEN_SHARE:
        return _Screen(level=0, clean=False)
    return _Screen(level=level, clean=share > _CLEAN_SHARE)


def _lit(motion: Motion, screen: _Screen, settings: RegionSettings) -> Mask:
    above = _FAINT if screen.clean else settings.lit_above
    bright = motion.brightest >= min(screen.level + above, 255)
    return np.asarray(bright | (motion.mean >= screen.level + settings.lit_above / 2))


def _moves(motion: Motion, screen: _Screen, settings: RegionSettings) -> Mask:
    above = _FAINT if screen.clean else settings.moves_above
    return np.asarray(cv2.blur(cv2.absdiff(motion.brightest, motion.darkest), (3, 3)) >= above)


def _stuck(motion: Motion, screen: _Screen) -> Mask:
    """What was painted over a moving image: bright, and the same at all times."""
    still = cv2.absdiff(motion.brightest, motion.darkest) <= _STILL
    return _open(still & (motion.darkest >= min(screen.level + _PAINTED, 255)), 3)


def _panels(motion: Motion, thin: int) -> Mask:
    """Painted panels: their rows hardly change from column to column, as no row of tissue does."""
    rows = _opened(_even(motion), rows=3, columns=2 * thin + 1)
    joined = cv2.morphologyEx(
        rows.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((thin, 12 * thin + 1), np.uint8)
    )
    return _dilate(joined > 0, thin)


def _bars(motion: Motion, thin: int) -> Mask:
    """Upright gray bars: narrow, but even from side to side over many rows."""
    return _dilate(_opened(_even(motion), rows=6 * thin + 1, columns=2), thin)


def _even(motion: Motion) -> Mask:
    steps = np.abs(np.diff(motion.brightest.astype(np.int16), axis=1, append=0))
    return (steps <= 1) & (motion.brightest >= _PAINTED) & (motion.brightest < _SATURATED)


def _opened(mask: Mask, *, rows: int, columns: int) -> Mask:
    kernel = np.ones((rows, columns), np.uint8)
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0)


def _reaching(mask: Mask, place: Mask) -> Mask:
    """The connected pieces of the mask that have a pixel in this place."""
    n, pieces = cv2.connectedComponents(mask.astype(np.uint8))
    there = np.zeros(n, bool)
    there[np.unique(pieces[place])] = True
    there[0] = False
    return np.asarray(there[pieces])


def _kernel(size: int) -> UInt8[np.ndarray, "rows columns"]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def _morph(mask: Mask, how: int, size: int) -> Mask:
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), how, _kernel(size)) > 0)


def _open(mask: Mask, size: int) -> Mask:
    return _morph(mask, cv2.MORPH_OPEN, size)


def _close(mask: Mask, size: int) -> Mask:
    return _morph(mask, cv2.MORPH_CLOSE, size)


def _dilate(mask: Mask, size: int) -> Mask:
    return _morph(mask, cv2.MORPH_DILATE, size)


def _pieces(mask: Mask, *, least: float, same_columns: bool = False) -> Mask:
    """The connected pieces that have at least this share of the largest one's pixels.

    With `same_columns`, only those whose middle column is one of the largest piece's.
    """
    _, pieces, stats, middles = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    largest = int(areas.argmax())
    kept = areas >= max(1, least * areas[largest])
    if same_columns:
        left, columns = stats[largest, cv2.CC_STAT_LEFT], stats[largest, cv2.CC_STAT_WIDTH]
        kept &= (middles[:, 0] >= left) & (middles[:, 0] < left + columns)
    return np.asarray(kept[pieces])


def _hull(mask: Mask) -> Mask:
    """The convex outline, filled: sectors and linear images are convex but for the arc at the probe."""
    points = cv2.findNonZero(mask.astype(np.uint8))
    filled = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(points), 1)
    return filled > 0


def _enlarge(
    mask: Mask, reduction: int, height: int, width: int, margin_px: int
) -> Bool[np.ndarray, "height width"]:
    """The mask at the size of the frame, eroded by the margin but not at the frame's edges."""
    full = mask.astype(np.uint8)
    if reduction > 1:
        full = np.repeat(np.repeat(full, reduction, axis=0), reduction, axis=1)
        bottom, right = height - full.shape[0], width - full.shape[1]
        full = np.pad(full, ((0, bottom), (0, right)), mode="edge")
    if margin_px:
        full = np.asarray(cv2.erode(full, _kernel(2 * margin_px + 1)))
    return full > 0


def _odd(size: float) -> int:
    return max(3, 2 * round((size - 1) / 2) + 1)
