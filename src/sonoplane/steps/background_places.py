"""Where in a recording's frames the ultrasound is, and where text, at the size of a network's input."""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from sonoplane.frames.archive import Archive
from sonoplane.frames.entries import Entry
from sonoplane.frames.motion import watch
from sonoplane.frames.pixel_region import find_mask
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.frames.writing import find_writing
from sonoplane.metrics.background import Places
from sonoplane.models.card import Card
from sonoplane.records import Box

__all__ = ["border_px", "places_of"]

#: Frames that the sector and the text are looked for in, evenly spread.
_FRAMES = 32

#: A black box in which text was blanked is filled to this share at least, and larger than a block of pixels that JPEG
#: and MPEG turn black together.
_FULL, _BLOCK = 0.95, 8

#: How near to the sector's outline a pixel belongs to neither side, as a share of the input's shorter side.
_BORDER = 0.02


def places_of(store: Archive, name: str, card: Card) -> Places:
    """The sector, and text that never moves, as the frames of the archive show them.

    What `prepare` blanked is background too, and so is what fills up an input that keeps the frames' shape. A box in
    the sector that is wholly black in all frames counts as text: there some was blanked, and that it was may tell a
    class. Where no sector is found, all is taken for it but text.
    """
    entry = store.entry(name)
    size = {"height": entry.height, "width": entry.width}
    settings = RegionSettings(margin_px=0)
    chosen = np.unique(np.linspace(0, entry.n_frames - 1, _FRAMES).round().astype(int))
    images = store.read_frames(name, chosen.tolist())
    motion, steadiness = watch(images, **size, working_px=settings.working_px)
    sector = find_mask(motion, **size, settings=settings).mask
    if sector.mean() < settings.least_share:
        sector = np.ones_like(sector)
    written = np.zeros_like(sector)
    for box in (*find_writing(steadiness).boxes, *_blanked(images, sector, _scale(entry))):
        written[box.slices] = True
    return _places(_sized(sector, card), _sized(written, card), border_px(card.size))


def border_px(size: tuple[int, int]) -> int:
    """How many pixels on both sides of the sector's outline belong to neither.

    A map is as sharp as the network's first convolutions, which reach over 2 pixels before SonoNet's first pool. Of
    networks that see B-lines in lungs, at 96 x 96, the first pixel inside the outline counted 0.65 times as much as
    the mean pixel, the two outside it 0.25, and the third and all others 0.15: from there on it is background. Larger
    inputs resolve finer tissue and have outlines that are less exact in pixels, so a share of the side is kept.

    >>> border_px((96, 96)), border_px((224, 288))
    (2, 4)
    """
    return max(2, round(_BORDER * min(size)))


def _scale(entry: Entry) -> float:
    """By how much the archive's frames were reduced."""
    return (
        1.0
        if entry.box is None
        else min(1.0, max(entry.height / entry.box.height, entry.width / entry.box.width))
    )


def _blanked(
    images: UInt8[np.ndarray, "time rows columns *color"],
    sector: Bool[np.ndarray, "rows columns"],
    scale: float,
) -> list[Box]:
    """Boxes in the sector that are black in all images; tissue without echoes has other shapes."""
    lit = images.any(axis=(0, *range(3, images.ndim)))
    least = max(3.0, scale * _BLOCK)
    found = []
    regions = cv2.connectedComponentsWithStats(np.asarray(~lit, np.uint8), connectivity=4)[2][1:]
    for left, top, width, height, area in regions:
        box = Box(left=int(left), top=int(top), right=int(left + width), bottom=int(top + height))
        full = area >= _FULL * width * height
        if full and min(width, height) > least and sector[box.slices].mean() > 0.5:
            found.append(box)
    return found


def _sized(mask: Bool[np.ndarray, "rows columns"], card: Card) -> Bool[np.ndarray, "height width"]:
    return np.asarray(card.geometry(np.where(mask, 255, 0).astype(np.uint8)) > 127)


def _places(
    sector: Bool[np.ndarray, "height width"], text: Bool[np.ndarray, "height width"], border: int
) -> Places:
    kernel: UInt8[np.ndarray, "rows columns"] = np.ones((2 * border + 1, 2 * border + 1), np.uint8)
    inside = sector.astype(np.uint8)
    near = (cv2.dilate(inside, kernel) > 0) & (cv2.erode(inside, kernel) == 0) & ~text
    return Places(outside=~sector & ~text & ~near, text=text, border=near)
