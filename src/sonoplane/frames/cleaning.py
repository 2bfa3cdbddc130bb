"""A recording's frames with everything outside the ultrasound region blanked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import UInt8

from sonoplane.errors import RecordingError
from sonoplane.frames.layouts import Layout, apply_layout
from sonoplane.frames.layouts_settings import LayoutSettings
from sonoplane.frames.region import find_region
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.frames.remembered import remembering
from sonoplane.records import Box, Frame, Image, Recording, Region

__all__ = ["Blanking", "Frames", "blank", "clean", "refuse_whole_frame"]


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
        blanking = Blanking(self.region)
        for frame in self.recording.frames(start, stop):
            yield replace(frame, image=blanking(frame.image))


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
    recording = remembering(recording)
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
    return Blanking(region)(image)


class Blanking:
    """Blanks one image after the other outside one region, as `blank` does.

    Where the three channels of an image are one and the same memory, so are those of the copy.
    """

    def __init__(self, region: Region) -> None:
        self._region = region
        self._kept: dict[tuple[int, ...], np.ndarray] = {}

    def __call__(self, image: Image) -> Image:
        """A copy of the image, blanked."""
        if image.ndim == 3 and image.strides[2] == 0:
            return np.broadcast_to(self(image[..., 0])[..., None], image.shape)
        if image.shape not in self._kept:
            self._kept[image.shape] = _kept(image.shape, self._region)
        return np.asarray(cv2.bitwise_and(image, self._kept[image.shape]), np.uint8)


def _kept(shape: tuple[int, ...], region: Region) -> UInt8[np.ndarray, "*shape"]:
    """All bits of what is kept, none of what is not."""
    kept = np.zeros(shape, np.uint8)
    inside = region.box.slices
    kept[inside] = 255
    if region.mask is not None:
        kept[inside][~region.mask[inside]] = 0
    for box in region.writing:
        kept[box.slices] = 0
    return kept
