"""One strip of three panels shows what was blanked: the frame before, the region in it, what is stored.

Nobody shall read in the strip what the archive does not hold. So every pixel outside the region is drawn as part of a
mosaic of three grays: nothing, something, bright. A cell is a sixteenth of the frame's shorter side high and twice as
wide, at least 24 x 48 of its pixels: two or three lines of common text high, about eight letters wide. A box of writing
inside the region is one cell.

What can still be told: in which cells something is, hence where a line of text ends, to half a dozen letters, and which
scanner's layout it is; large bright areas; whether tissue was cut off. Someone who knows the font and a list of 1,000
patients, and draws each one's banner, is left with about 400 who fit (letters a thirtieth of the frame high, on black;
on a ground as gray as 28 or 90, with all 1,000); with letters a twelfth of the frame high, dark on light gray, with a
handful. On such layouts keep the sheet as private as the recordings.
"""

import io
import math

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image as Pillow

from sonoplane.records import Box, Image, Region

__all__ = ["PANEL_HEIGHT", "PANEL_WIDTH", "STRIP_HEIGHT", "STRIP_WIDTH", "picture"]

#: Pixels of a panel; frames of other shapes are centered in it.
PANEL_HEIGHT, PANEL_WIDTH = 216, 288
_GAP = 8
#: Pixels of the strip.
STRIP_HEIGHT, STRIP_WIDTH = PANEL_HEIGHT, 3 * PANEL_WIDTH + 2 * _GAP

_PAPER = (244, 246, 248)
_TINT, _OUTLINE, _BOX, _WRITING = (30, 150, 190), (80, 220, 255), (255, 176, 0), (255, 90, 60)

#: A cell's height is this part of the frame's shorter side, and at least so many of its pixels; twice as wide.
_CELLS, _LEAST_CELL_PX = 16, 24
#: From these means on a cell has the next gray: black, something, bright. Common text on black is never bright.
_STEPS = (2.5, 128.0)
_GRAYS = np.array([0, 70, 190], np.uint8)

#: So near the region, in pixels of a panel, nothing hidden counts: a mask's own margin is not tissue cut off.
_RIM = np.ones((5, 5), np.uint8)

_MOST_BYTES = 40_000
_QUALITIES = (82, 72, 60, 45)


def picture(before: Image, after: UInt8[np.ndarray, "high wide *color"], region: Region) -> bytes:
    """The strip of one recording as a JPEG without metadata, at most some 40 KB; the same input gives the same bytes.

    `before` is a frame of the source, `after` what the archive keeps of it: cropped and resized, or blanked. `before`
    may still have its banner: see above for what can be told of it. Panels are left to right: the frame, outside the
    region as a mosaic; the same dimmed, the region tinted, its outline cyan, its box orange, boxes of writing hatched;
    and `after`.
    """
    first, share = _mosaicked(before, _kept(before.shape[:2], region), region)
    second = _explained(first, share, region, size=before.shape[:2])
    third = _reduced(_rgb(after))
    strip = np.full((STRIP_HEIGHT, STRIP_WIDTH, 3), _PAPER, np.uint8)
    for place, panel in enumerate((first, second, third)):
        height, width = panel.shape[:2]
        top = (PANEL_HEIGHT - height) // 2
        left = place * (PANEL_WIDTH + _GAP) + (PANEL_WIDTH - width) // 2
        strip[top : top + height, left : left + width] = panel
    return _small_enough(strip)


def _kept(size: tuple[int, int], region: Region) -> Bool[np.ndarray, "height width"]:
    """The pixels that the archive may hold."""
    kept = np.zeros(size, bool)
    inside = region.box.slices
    kept[inside] = True if region.mask is None else region.mask[inside]
    for box in region.writing:
        kept[box.slices] = False
    return kept


def _mosaicked(
    image: Image, kept: Bool[np.ndarray, "height width"], region: Region
) -> tuple[UInt8[np.ndarray, "high wide 3"], Float32[np.ndarray, "high wide"]]:
    """The frame as a panel, with what is hidden as a mosaic; and how much of each of its pixels is kept, 0 to 1."""
    gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    keep = kept.view(np.uint8)
    share = _reduced(keep * np.uint8(255)).astype(np.float32) / 255
    away = 1 - cv2.dilate((share > 0).view(np.uint8), _RIM)
    weight = (1 - share) * away
    light = _reduced(cv2.copyTo(gray, keep ^ 1)) * weight
    size = image.shape[:2]
    mosaic = _mosaic(light, weight, cell=_cell_height(*size, scale=len(share) / len(image)))
    for box in region.writing:
        place = _scaled(box, size, share.shape)
        mosaic[place] = _mosaic(light[place], weight[place], cell=max(share.shape))
    clean = _reduced(cv2.copyTo(_rgb(image), keep)).astype(np.float32)
    panel = clean + ((1 - share) * mosaic)[..., None]
    return np.minimum(panel + 0.5, 255).astype(np.uint8), share


def _mosaic(
    light: Float32[np.ndarray, "high wide"], weight: Float32[np.ndarray, "high wide"], *, cell: int
) -> UInt8[np.ndarray, "high wide"]:
    """One of three grays for every cell, by the mean of its hidden pixels."""
    rows, columns = np.arange(0, light.shape[0], cell), np.arange(0, light.shape[1], 2 * cell)

    def cells(values: Float32[np.ndarray, "high wide"]) -> Float32[np.ndarray, "rows columns"]:
        return np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)

    means = cells(light) / np.maximum(cells(weight), 1e-3)
    grays: UInt8[np.ndarray, "rows columns"] = _GRAYS[np.digitize(means, _STEPS)]
    return grays.repeat(cell, axis=0).repeat(2 * cell, axis=1)[: light.shape[0], : light.shape[1]]


def _cell_height(height: int, width: int, *, scale: float) -> int:
    """Of a mosaic's cell, in pixels of the panel.

    >>> _cell_height(480, 640, scale=0.45), _cell_height(120, 160, scale=1.8)
    (14, 44)
    """
    return math.ceil(max(min(height, width) / _CELLS, _LEAST_CELL_PX) * scale)


def _explained(
    panel: UInt8[np.ndarray, "high wide 3"],
    share: Float32[np.ndarray, "high wide"],
    region: Region,
    *,
    size: tuple[int, int],
) -> UInt8[np.ndarray, "high wide 3"]:
    """The panel with the region tinted and outlined, its box drawn, and boxes of writing hatched."""
    inside = share[..., None]
    mixed = panel * (0.5 + 0.15 * inside) + np.array(_TINT, np.float32) * (0.35 * inside)
    drawn: UInt8[np.ndarray, "high wide 3"] = mixed.astype(np.uint8)
    outline, _ = cv2.findContours((share > 0.5).view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, outline, -1, _OUTLINE, 1)
    y, x = np.mgrid[: share.shape[0], : share.shape[1]]
    stripes = (x + y) % 6 < 2
    for box in region.writing:
        place = _scaled(box, size, share.shape)
        drawn[place][stripes[place]] = _WRITING
        _draw_box(drawn, place, _WRITING)
    _draw_box(drawn, _scaled(region.box, size, share.shape), _BOX)
    return drawn


def _draw_box(
    panel: UInt8[np.ndarray, "high wide 3"], place: tuple[slice, slice], color: tuple[int, int, int]
) -> None:
    rows, columns = place
    cv2.rectangle(panel, (columns.start, rows.start), (columns.stop - 1, rows.stop - 1), color, 1)


def _scaled(box: Box, size: tuple[int, int], panel: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a panel that hold all of a box of a frame of this size.

    >>> _scaled(Box(left=639, top=0, right=640, bottom=5), (480, 640), (216, 288))
    (slice(0, 3, None), slice(287, 288, None))
    """
    down, across = panel[0] / size[0], panel[1] / size[1]
    return (
        slice(int(box.top * down), math.ceil(box.bottom * down)),
        slice(int(box.left * across), math.ceil(box.right * across)),
    )


def _reduced(image: UInt8[np.ndarray, "height width *color"]) -> UInt8[np.ndarray, "high wide *color"]:
    """As large as fits into a panel."""
    height, width = image.shape[:2]
    scale = min(PANEL_HEIGHT / height, PANEL_WIDTH / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    reduced: UInt8[np.ndarray, "high wide *color"] = cv2.resize(image, size, interpolation=way)
    return reduced


def _rgb(image: Image) -> UInt8[np.ndarray, "height width 3"]:
    rgb: UInt8[np.ndarray, "height width 3"] = (
        cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image
    )
    return rgb


def _small_enough(strip: UInt8[np.ndarray, "high wide 3"]) -> bytes:
    """As a JPEG of the best quality that is small enough."""
    for quality in _QUALITIES:
        memory = io.BytesIO()
        Pillow.fromarray(strip).save(memory, format="JPEG", quality=quality)
        if memory.tell() <= _MOST_BYTES:
            break
    return memory.getvalue()
