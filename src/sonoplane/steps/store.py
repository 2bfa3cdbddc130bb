"""One recording is cleaned, resized as the network wants it, and stored."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sonoplane.frames.archive_writer import ArchiveWriter
from sonoplane.frames.cleaning import Blanking
from sonoplane.frames.entries import facts_of
from sonoplane.frames.fingerprint import Fingerprint
from sonoplane.frames.subsample import Subsampler
from sonoplane.frames.subsample_settings import SubsampleSettings
from sonoplane.models.card import Card
from sonoplane.records import Frame, Image, Region
from sonoplane.report.region_picture import picture
from sonoplane.steps.survey import PackedRegion
from sonoplane.video.discovery import Found
from sonoplane.video.opening import open_recording

__all__ = ["Place", "Stored", "Work", "store"]

#: The frame that the contact sheet shows: the last of these that there is.
_SHOWN = (0, 1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A recording to store, and all that was decided about it."""

    item: Found
    archive_id: str
    region: PackedRegion
    layout: str | None
    warnings: tuple[str, ...]
    patient: str
    """A pseudonym, like the study."""
    study: str | None
    centre: str | None
    scanner: str | None
    n_claimed: int | None
    split: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where recordings are stored, and in which form: the same for all."""

    writer: ArchiveWriter
    card: Card | None
    """None: at the source's resolution."""
    subsample: SubsampleSettings
    grey: bool
    pictures: Path | None
    """Where the pictures of the contact sheet go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """What storing a recording cost."""

    rounding: float | None
    """Mean distance of the stored gray levels from those of the color; None where no color was given up."""


def store(work: Work, *, place: Place) -> Stored:
    """Read, clean and store a recording, with the picture that shows what was blanked.

    One that the archive holds is replaced: prepared otherwise, or stored by a worker that was given up before it told.

    Raises:
        RecordingError: it cannot be read to its end; nothing of it is stored then.
    """
    recording = open_recording(work.item.path, recording_id=work.archive_id, frames=work.item.frames)
    region = work.region.unpacked()
    facts = replace(
        facts_of(recording, box=region.box, split=work.split, warnings=work.warnings),
        patient=work.patient,
        study=work.study,
        centre=work.centre,
        scanner=work.scanner,
        layout=work.layout,
        region_origin=region.origin,
        region_confidence=region.confidence,
        n_claimed=work.n_claimed,
    )
    passed = _Passed(region, place)

    def last() -> dict[str, np.ndarray]:
        """Asked after the last frame, before the recording appears in the archive: none appears without its picture."""
        if place.pictures is not None:
            passed.draw(place.pictures / f"{work.archive_id}.jpg")
        return passed.arrays()

    place.writer.add(facts, passed.through(recording.frames()), arrays=last, anew=True)
    return Stored(rounding=passed.rounding)


class _Passed:
    """Turns frames into what is stored, and remembers what their passing told."""

    def __init__(self, region: Region, place: Place) -> None:
        self._region = region
        self._blanking = Blanking(region)
        self._place = place
        self._subsampler = Subsampler(place.subsample, box=region.box, threads=1)
        self._fingerprint = Fingerprint()
        self._shown: tuple[Image, Image] | None = None
        self._rounding = self._n_colored = 0.0

    def through(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The frames as they are stored."""
        box, card = self._region.box, self._place.card
        for frame in frames:
            cleaned = self._blanking(frame.image)
            cut = np.ascontiguousarray(cleaned[box.slices])
            self._subsampler.see(cleaned)
            self._fingerprint.see(cut)
            image = card.geometry(cut) if card else cut
            if self._place.grey and image.ndim == 3:
                image = self._grayed(image)
            if frame.index in _SHOWN:
                self._shown = frame.image, image
            yield replace(frame, image=image)

    def arrays(self) -> dict[str, np.ndarray]:
        """What is stored beside the pixels."""
        arrays: dict[str, np.ndarray] = {"fingerprint": self._fingerprint.hashes}
        if self._place.subsample.method != "none":
            arrays["subsample"] = np.array(self._subsampler.chosen, np.int64)
        return arrays

    def draw(self, path: Path) -> None:
        """Write the contact sheet's picture."""
        if self._shown is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.part")
            part.write_bytes(picture(*self._shown, self._region))
            part.replace(path)

    @property
    def rounding(self) -> float | None:
        """Mean distance of the stored gray levels from the color's."""
        return self._rounding / self._n_colored if self._n_colored else None

    def _grayed(self, image: Image) -> Image:
        total = image.sum(axis=2, dtype=np.uint16)
        gray: Image = ((total + 1) // 3).astype(np.uint8)
        # thirds: the mean of the channels is off its rounded value by 0 or by 1/3
        self._rounding += float((total % 3 != 0).mean()) / 3
        self._n_colored += 1
        return gray
