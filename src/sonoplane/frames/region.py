"""Where in a recording's frames the ultrasound is: from the card, the scanner, the pixels, in this order."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from sonoplane.frames.motion import Motion, Steadiness, watch
from sonoplane.frames.pixel_region import FoundMask, find_mask
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.frames.writing import Writing, find_writing
from sonoplane.records import Box, Image, Recording, Region

__all__ = ["find_region"]

_TWO_DIMENSIONAL = ("tissue", "color-flow")
_WHOLE_FRAME_SHARE = 0.97
_CHECK_PX = 200
_CHECK_EACH = 4
_LEAST_MOVING_SHARE = 0.02  # of the frame: less tells nothing
_LEAST_INSIDE_SHARE = 0.5  # of what moves
_IN_MASK_SHARE = 0.25  # of a box of text: less is text beside the region


def find_region(
    recording: Recording, *, card_box: Box | None = None, settings: RegionSettings | None = None
) -> tuple[Region, tuple[str, ...]]:
    """The ultrasound region, and a sentence for everything odd on the way.

    A card's fixed crop wins; then the scanner's own region, with the pixels' mask inside it where that is sure
    enough; then the pixels of the first frames; else the whole frame, at confidence 0. Text inside that never moves
    is cut out of the mask; a card's crop has no mask but for that. Reads at most `settings.first_frames` frames, one
    in memory at a time.
    """
    settings = settings or RegionSettings()
    warnings: list[str] = []
    if card_box is not None:
        if card_box.fits(height=recording.height, width=recording.width):
            return _on_card(recording, card_box, settings)
        warnings.append(
            f"The model's crop, {_told(card_box)}, does not fit into frames of {recording.width} x"
            f" {recording.height}; the region was searched for instead."
        )
    box = _declared_box(recording, warnings)
    if box is not None:
        region, writing = _inside(recording, box, settings, warnings)
    else:
        region, writing = _from_pixels(recording, settings, warnings)
    return _without_writing(recording, region, writing, warnings), tuple(warnings)


def _on_card(recording: Recording, box: Box, settings: RegionSettings) -> tuple[Region, tuple[str, ...]]:
    warnings: list[str] = []
    writing = Writing()
    if settings.writing:
        seen = Steadiness(height=box.height, width=box.width)
        for image in _cut(recording, box, settings.first_frames):
            seen.add(image)
        writing = _moved(find_writing(seen), box)
    region = _without_writing(recording, Region(box=box, origin="card"), writing, warnings)
    return region, tuple(warnings)


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


def _inside(
    recording: Recording, box: Box, settings: RegionSettings, warnings: list[str]
) -> tuple[Region, Writing]:
    """The scanner's box, with the pixels' mask where it is sure enough."""
    check = Motion(height=recording.height, width=recording.width, reduction=_reduction(recording, _CHECK_PX))
    found, writing = _search(recording, box, settings, check=check)
    agrees = _share_inside(check, recording, box, settings)
    if agrees < _LEAST_INSIDE_SHARE:
        warnings.append(
            f"Only {agrees:.0%} of what moves lies in the scanner's region, {_told(box)}: look at it in the report or"
            " QC sheet, correct the layout."
        )
    confidence = 1.0 if agrees >= _LEAST_INSIDE_SHARE else round(agrees, 3)
    if found.confidence < settings.least_confidence or found.mask.mean() < settings.least_share:
        return Region(box=box, origin="dicom", confidence=confidence), writing
    mask = np.zeros((recording.height, recording.width), bool)
    mask[box.slices] = found.mask
    return Region(box=box, origin="dicom", mask=mask, confidence=confidence), writing


def _share_inside(check: Motion, recording: Recording, box: Box, settings: RegionSettings) -> float:
    """How much of what moves lies in the box, other declared regions apart; 1 where hardly anything moves."""
    moves = cv2.blur(cv2.absdiff(check.brightest, check.darkest), (3, 3)) > settings.moves_above
    counted = np.ones(moves.shape, bool)
    inside = np.zeros(moves.shape, bool)
    for region in recording.facts.regions:
        counted[_slices(region.box, check.reduction)] = False
    inside[_slices(box, check.reduction)] = True
    counted |= inside
    moves = cv2.erode(moves.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if (moves & counted).mean() < _LEAST_MOVING_SHARE:
        return 1.0
    return float((moves & inside).sum() / (moves & counted).sum())


def _slices(box: Box, reduction: int) -> tuple[slice, slice]:
    top, left = box.top // reduction, box.left // reduction
    return slice(top, -(-box.bottom // reduction)), slice(left, -(-box.right // reduction))


def _from_pixels(
    recording: Recording, settings: RegionSettings, warnings: list[str]
) -> tuple[Region, Writing]:
    whole = Box(left=0, top=0, right=recording.width, bottom=recording.height)
    found, writing = _search(recording, whole, settings)
    if found.mask.mean() < settings.least_share:
        warnings.append(
            "No ultrasound region was found in the pixels; the whole frame was used, text on it included."
        )
        return Region(box=whole, origin="whole", confidence=0.0), Writing()
    confidence = round(found.confidence, 3)
    if confidence < settings.sure_from:
        warnings.append(
            f"The ultrasound region is unsure ({confidence:.2f}): look at it in the report or QC sheet, correct"
            " the layout."
        )
    box = _bounding_box(found.mask)
    return Region(box=box, origin="pixels", mask=found.mask, confidence=confidence), writing


def _search(
    recording: Recording, box: Box, settings: RegionSettings, check: Motion | None = None
) -> tuple[FoundMask, Writing]:
    """The mask of the ultrasound within the box, and what is written there; `check` sees some of the whole frames."""
    size = {"height": box.height, "width": box.width}
    images = _cut(recording, box, settings.first_frames, check)
    motion, steadiness = watch(images, **size, working_px=settings.working_px)
    writing = find_writing(steadiness) if settings.writing else Writing()
    return find_mask(motion, **size, settings=settings), _moved(writing, box)


def _without_writing(recording: Recording, region: Region, writing: Writing, warnings: list[str]) -> Region:
    """The region with a mask that leaves the writing out; the same region where nothing is written in it."""
    if region.mask is not None:
        mask = region.mask.copy()
    else:
        mask = np.zeros((recording.height, recording.width), bool)
        mask[region.box.slices] = True
    boxes = tuple(box for box in writing.boxes if mask[box.slices].mean() >= _IN_MASK_SHARE)
    doubtful = [box for box in writing.doubtful if mask[box.slices].mean() >= _IN_MASK_SHARE]
    touching = [box for box in writing.boxes if mask[box.slices].any()]
    for box in touching:
        mask[box.slices] = False
    if boxes:
        warnings.append(
            f"Text that never moves was found inside the ultrasound region and blanked, in {_counted(boxes)}."
        )
    if doubtful:
        warnings.append(
            f"What may be text, in {_counted(doubtful)}, was left in the ultrasound region: look at it in the QC"
            " sheet, correct the layout."
        )
    return replace(region, mask=mask, writing=boxes) if touching else region


def _counted(boxes: Sequence[Box]) -> str:
    return "1 box" if len(boxes) == 1 else f"{len(boxes)} boxes"


def _moved(writing: Writing, box: Box) -> Writing:
    """The writing found in a box's pixels, in those of the frame."""

    def moved(inner: Box) -> Box:
        return Box(
            left=inner.left + box.left,
            top=inner.top + box.top,
            right=inner.right + box.left,
            bottom=inner.bottom + box.top,
        )

    return Writing(
        boxes=tuple(moved(inner) for inner in writing.boxes),
        doubtful=tuple(moved(inner) for inner in writing.doubtful),
    )


def _reduction(recording: Recording, longer_px: int) -> int:
    return max(1, round(max(recording.height, recording.width) / longer_px))


def _cut(recording: Recording, box: Box, n_frames: int, check: Motion | None = None) -> Iterator[Image]:
    for frame in recording.frames(0, n_frames):
        image = frame.image
        if image.ndim == 3 and image.strides[2] == 0:  # the strongest channel is any of them
            image = image[..., 0]
        if check is not None and frame.index % _CHECK_EACH == 0:
            check.add(image)
        yield image[box.slices]


def _bounding_box(mask: np.ndarray) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(left=int(columns[0]), top=int(rows[0]), right=int(columns[-1]) + 1, bottom=int(rows[-1]) + 1)


def _area(box: Box) -> int:
    return box.height * box.width


def _told(box: Box) -> str:
    return f"{box.width} x {box.height} at ({box.left}, {box.top})"
