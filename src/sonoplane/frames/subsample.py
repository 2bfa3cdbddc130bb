"""Chooses the frames of a recording that are worth training on: its neighbors look much the same."""

from collections.abc import Iterable, Sequence
from math import fsum

from sonoplane.frames.ssim import ConsecutiveSsim
from sonoplane.frames.subsample_settings import SubsampleSettings
from sonoplane.records import Box, Image

__all__ = ["Subsampler", "below_mean", "choose", "evenly"]

#: Similarities closer to their mean than this are equal to it: well above the rounding of a mean over a frame's
#: pixels, well below what a change of one pixel by one gray level does to it.
_ROUNDING = 1e-12


def choose(
    images: Iterable[Image], settings: SubsampleSettings, *, box: Box | None = None, threads: int = 2
) -> tuple[int, ...]:
    """The indices of the frames that are kept, ascending; the images are read once, one at a time.

    >>> import numpy as np
    >>> still, other = np.full((2, 7, 7), 9, np.uint8), np.full((2, 7, 7), 99, np.uint8)
    >>> choose([*still, *other], SubsampleSettings(method="ssim"))
    (0, 1, 2)
    >>> choose([*still, *other], SubsampleSettings(method="every", every=3))
    (0, 3)

    See `Subsampler`, which does the same while something else reads the frames.
    """
    subsampler = Subsampler(settings, box=box, threads=threads)
    for image in images:
        subsampler.see(image)
    return subsampler.chosen


class Subsampler:
    """Is shown the frames of one recording in order, then knows which are kept.

    For `ssim` it keeps two gray frames and one number for each pair. SSIM compares what is inside `box` (None: all).

    Raises:
        MissingExtra: `ssim` without Numba.
        RecordingError: `ssim` of frames below 7 x 7 pixels; DamagedRecording: their size changes.
    """

    def __init__(self, settings: SubsampleSettings, *, box: Box | None = None, threads: int = 2) -> None:
        self.settings = settings
        self.n_frames = 0
        """How many were shown so far."""
        self.similarities: list[float] = []
        """For `ssim`: number i tells how alike frames i and i + 1 are."""
        self._ssim = ConsecutiveSsim(box=box, threads=threads) if settings.method == "ssim" else None

    def see(self, image: Image) -> None:
        """The next frame."""
        self.n_frames += 1
        if self._ssim is not None and (similarity := self._ssim.see(image)) is not None:
            self.similarities.append(similarity)

    @property
    def chosen(self) -> tuple[int, ...]:
        """The indices of the kept among the frames shown so far, ascending."""
        match self.settings.method:
            case "none":
                return tuple(range(self.n_frames))
            case "every":
                return tuple(range(0, self.n_frames, self.settings.every))
            case "even":
                return evenly(self.n_frames, self.settings.frames)
            case "ssim":
                return below_mean(self.similarities) if self.n_frames else ()


def below_mean(similarities: Sequence[float]) -> tuple[int, ...]:
    """Frame 0 and both frames of every pair less alike than the mean pair; number i is of frames i and i + 1.

    The rule of SpaceTime-SonoNet (Med. Biol. Eng. Comput. 2026, doi 10.1007/s11517-025-03504-w). Where all pairs
    are alike, as in a still recording, none is below the mean: only frame 0 is kept.

    >>> below_mean([0.9, 0.5, 0.9, 0.9])
    (0, 1, 2)
    >>> below_mean([0.7, 0.7])
    (0,)
    """
    kept = {0}
    if similarities:
        below = fsum(similarities) / len(similarities) - _ROUNDING
        for index, similarity in enumerate(similarities):
            if similarity < below:
                kept |= {index, index + 1}
    return tuple(sorted(kept))


def evenly(n_frames: int, n_kept: int) -> tuple[int, ...]:
    """So many of the frames, spread from the first to the last; all where there are no more; one: the first.

    >>> evenly(10, 4)
    (0, 3, 6, 9)
    >>> evenly(3, 8)
    (0, 1, 2)
    """
    if n_kept >= n_frames:
        return tuple(range(n_frames))
    gaps = max(1, n_kept - 1)
    return tuple((2 * i * (n_frames - 1) + gaps) // (2 * gaps) for i in range(n_kept))
