"""Where in a recording's frames the ultrasound is: from the card, the scanner, the pixels, in this order."""

from collections.abc import Iterator

import numpy as np

from sonoplane.frames.motion import watch
from sonoplane.frames.pixel_region import FoundMask, find_mask
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.records import Box, Image, Recording, Region

__all__ = ["find_region"]

_TWO_DIMENSIONAL = ("tissue", "color-flow")
_WHOLE_FRAME_SHARE = 0.97


def find_region(
    recording: Recording, *, card_box: Box | None = None, settings: RegionSettings | None = None
) -> tuple[Region, tuple[str, ...]]:
    """The ultrasound region, and a sentence for everything odd on the way.

    A card's fixed crop wins (no mask); then the scanner's own region, with the pixels' mask inside it where
    that is sure enough; then the pixels of the first frames; else the whole frame, at confidence 0. Reads at
    most `settings.first_frames` frames, one in memory at a time.
    """
    settings = settings or RegionSettings()
    warnings: list[str] = []
    if card_box is not None:
        if card_box.fits(height=recording.height, width=recording.width):
            return Region(box=card_box, origin="card"), ()
        warnings.append(
            f"The model's crop, {_told(card_box)}, does not fit into frames of {recording.width} x"
            f" {recording.height}; the region was searched for instead."
        )
    box = _declared_box(recording, warnings)
    if box is not None:
        return _inside(recording, box, settings), tuple(warnings)
    return _from_pixels(recording, settings, warnings), tuple(warnings)


def _declared_box(recording: Recording, warnings: list[str]) -> Box | None:
    """The largest 2D region that the scanner declares, cut to the frame; None where that says nothing."""
    height, width = recording.height, recording.width
    boxes = []
    for region in recording.facts.regions:
        if region.kind not in _TWO_DIMENSIONAL:
            continue
        if region.box.left >= width or region.box.top >= height:
            warnings.append(f"The scanner's region, {_told(region.box)}, lies outside the frame; left out.")
            continue
        boxes.append(region.box.clip(height=height, width=width))
    if not boxes:
        return None
    boxes.sort(key=_area, reverse=True)
    others = [box for box in dict.fromkeys(boxes[1:]) if box != boxes[0]]
    if others:
        told = "; ".join(_told(box) for box in others)
        warnings.append(f"Besides the largest 2D region the scanner declares others, left out: {told}.")
    if _area(boxes[0]) > _WHOLE_FRAME_SHARE * height * width:
        return None
    return boxes[0]


def _inside(recording: Recording, box: Box, settings: RegionSettings) -> Region:
    """The scanner's box, with the pixels' mask where it is sure enough."""
    found = _search(recording, box, settings)
    if found.confidence < settings.least_confidence or found.mask.mean() < settings.least_share:
        return Region(box=box, origin="dicom")
    mask = np.zeros((recording.height, recording.width), bool)
    mask[box.slices] = found.mask
    return Region(box=box, origin="dicom", mask=mask)


def _from_pixels(recording: Recording, settings: RegionSettings, warnings: list[str]) -> Region:
    whole = Box(left=0, top=0, right=recording.width, bottom=recording.height)
    found = _search(recording, whole, settings)
    if found.mask.mean() < settings.least_share:
        warnings.append(
            "No ultrasound region was found in the pixels; the whole frame was used, text on it included."
        )
        return Region(box=whole, origin="whole", confidence=0.0)
    return Region(
        box=_bounding_box(found.mask), origin="pixels", mask=found.mask, confidence=round(found.confidence, 3)
    )


def _search(recording: Recording, box: Box, settings: RegionSettings) -> FoundMask:
    size = {"height": box.height, "width": box.width}
    motion = watch(_cut(recording, box, settings.first_frames), **size, working_px=settings.working_px)
    return find_mask(motion, **size, settings=settings)


def _cut(recording: Recording, box: Box, n_frames: int) -> Iterator[Image]:
    for frame in recording.frames(0, n_frames):
        yield frame.image[box.slices]


def _bounding_box(mask: np.ndarray) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(left=int(columns[0]), top=int(rows[0]), right=int(columns[-1]) + 1, bottom=int(rows[-1]) + 1)


def _area(box: Box) -> int:
    return box.height * box.width


def _told(box: Box) -> str:
    return f"{box.width} x {box.height} at ({box.left}, {box.top})"
