"""Frames with their background black, or another recording's."""

from collections.abc import Mapping

import numpy as np

from sonoplane.frames.archive import Archive
from sonoplane.metrics.background import Mask, Places
from sonoplane.steps.background_run import BackgroundRun, Pictures
from sonoplane.steps.background_samples import Sample

__all__ = ["changed", "versions_of", "with_background"]

#: Gray levels by which a pixel must differ to be told as changed.
_SEEN = 10


def versions_of(
    store: Archive,
    run: BackgroundRun,
    sample: Sample,
    pair: tuple[Sample, Sample],
    places: Mapping[str, Places],
) -> list[Pictures]:
    """As it is, with a black background, with that of the same and that of another class.

    With the last two, ultrasound is shown where both lenders have it too, so that both hide as much of it.
    """
    where = places[sample.recording]
    plain = run.pictures(store, sample.recording, sample.frame)
    hidden = np.any([places[one.recording].background for one in (sample, *pair)], axis=0)
    lent = [
        with_background(plain, ~hidden, run.pictures(store, one.recording, one.frame), places[one.recording])
        for one in pair
    ]
    return [plain, with_background(plain, ~where.background), *lent]


def changed(before: Pictures, after: Pictures, place: int) -> float:
    """The share of pixels that differ so much that it is seen, in the frame that is answered."""
    one, other = before[place], after[place]
    apart = np.abs(_like(one, other).astype(np.int16) - _like(other, one))
    return float((apart.reshape(*apart.shape[:2], -1).max(axis=2) > _SEEN).mean())


def with_background(
    pictures: Pictures, shown: Mask, lender: Pictures | None = None, lent: Places | None = None
) -> Pictures:
    """The same frames with all black but what is `shown`; or with another recording's background there.

    Where the lender has ultrasound that is not shown, black stays: no tissue of another patient comes in.
    """
    black = tuple(_where(shown, picture, np.zeros_like(picture)) for picture in pictures)
    if lender is None or lent is None:
        return black
    return tuple(
        _where(lent.background & ~shown, _like(strange, picture), _like(picture, strange))
        for picture, strange in zip(black, lender, strict=True)
    )


def _where(mask: Mask, there: np.ndarray, elsewhere: np.ndarray) -> np.ndarray:
    return np.where(mask if there.ndim == 2 else mask[..., None], there, elsewhere)


def _like(picture: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A gray picture in color where the other has color."""
    return np.repeat(picture[..., None], 3, axis=2) if picture.ndim < other.ndim else picture
