"""A recording's frames with everything outside the ultrasound region blanked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from sonoplane.errors import RecordingError
from sonoplane.frames.layouts import Layout, apply_layout
from sonoplane.frames.layouts_settings import LayoutSettings
from sonoplane.frames.region import find_region
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.records import Box, Frame, Image, Recording, Region

__all__ = ["Frames", "blank", "clean", "refuse_whole_frame"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Frames:
    """The cleaned frames of a recording, at its full size: read lazily, and anew by every iteration."""

    recording: Recording
    region: Region
    warnings: tuple[str, ...] = ()
    """The recording's own warnings, then those of the search for the region."""

    def __iter__(self) -> Iterator[Frame]:
        return self.read()

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Cleaned frames `start` to `stop` (exclusive; None: to the end), one in memory at a time."""
        for frame in self.recording.frames(start, stop):
            yield replace(frame, image=blank(frame.image, self.region))


def clean(
    recording: Recording,
    *,
    card_box: Box | None = None,
    settings: RegionSettings | None = None,
    layouts: Sequence[Layout] = (),
    layout_settings: LayoutSettings | None = None,
) -> Frames:
    """Find the ultrasound region in the first frames, then offer all frames blanked outside it.

    `card_box` is the fixed crop of the network's card, where it has one; `layouts` are those that are remembered of
    scanners. See `find_region` and `apply_layout`.

    Raises:
        RecordingError: no region was found, so that a burned-in name could not be told from the image.
    """
    settings = settings or RegionSettings()
    region, warnings = find_region(recording, card_box=card_box, settings=settings)
    if layouts:
        region, _, told = apply_layout(
            region,
            layouts,
            scanner=recording.facts.scanner,
            height=recording.height,
            width=recording.width,
            settings=layout_settings,
        )
        warnings = (*warnings, *told)
    refuse_whole_frame(region, settings)
    return Frames(recording=recording, region=region, warnings=(*recording.warnings, *warnings))


def refuse_whole_frame(region: Region, settings: RegionSettings) -> None:
    """A RecordingError where no region was found and the settings do not allow to go on without one."""
    if region.origin == "whole" and not settings.whole_frame:
        raise RecordingError(
            "No ultrasound region was found in its frames.",
            advice="If all of the frame may be seen, names written on it too, say --region.whole-frame.",
        )


def blank(image: Image, region: Region) -> Image:
    """A copy of the image whose pixels outside the region (its box, its mask if any, less its writing) are zero.

    >>> region = Region(box=Box(left=1, top=0, right=3, bottom=1), origin="card")
    >>> blank(np.full((2, 4), 7, np.uint8), region).tolist()
    [[0, 7, 7, 0], [0, 0, 0, 0]]
    """
    kept = np.zeros_like(image)
    inside = region.box.slices
    if region.mask is None:
        kept[inside] = image[inside]
    else:
        mask = np.ascontiguousarray(region.mask[inside]).view(np.uint8)
        kept[inside] = cv2.copyTo(np.ascontiguousarray(image[inside]), mask)
    for box in region.writing:
        kept[box.slices] = 0
    return kept
