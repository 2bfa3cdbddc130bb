"""Mean and standard deviation of the gray levels of many recordings, from those of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sonoplane.clips.counts import ALL, CountedRecording, Row, Table, parts_of
from sonoplane.errors import UsageError

__all__ = ["GrayLevels", "pool_gray"]


@dataclass(frozen=True, kw_only=True, slots=True)
class GrayLevels:
    """The gray levels of all stored pixels of one recording."""

    n_pixels: int
    """Of all its frames."""
    mean: float
    """0 to 255."""
    std: float
    """Of the population, 0 to 255."""


def pool_gray(recordings: Sequence[CountedRecording], levels: Sequence[GrayLevels]) -> Table:
    """`split, recordings, pixels, mean, std` for every part, and for `all`, in the unit 0 to 1.

    Every pixel counts alike, so a long recording weighs more than a short one. `train`'s are what the card's
    `dataset` normalization wants. None where a part has no pixel.

    >>> sweeps = [CountedRecording(id=name, n_frames=1, patient=name, split="train") for name in "ab"]
    >>> flat = [GrayLevels(n_pixels=4, mean=gray, std=0.0) for gray in (0.0, 255.0)]
    >>> dict(pool_gray(sweeps, flat)[0])
    {'split': 'train', 'recordings': 2, 'pixels': 8, 'mean': 0.5, 'std': 0.5}

    Raises:
        UsageError: not one pair of figures for each recording.
    """
    if len(recordings) != len(levels):
        raise UsageError(
            f"{len(recordings)} recordings, but the gray levels of {len(levels)}.",
            advice="Give those of each recording, in the same order.",
        )
    pairs = list(zip(recordings, levels, strict=True))
    mine = {part: [gray for item, gray in pairs if item.part == part] for part in parts_of(recordings)}
    return tuple(_pooled(part, grays) for part, grays in [*mine.items(), (ALL, levels)])


def _pooled(part: str, levels: Sequence[GrayLevels]) -> Row:
    """The variance within the recordings and between them."""
    pixels = np.array([gray.n_pixels for gray in levels], dtype=np.float64)
    told: dict[str, str | int] = {"split": part, "recordings": len(levels), "pixels": int(pixels.sum())}
    if not pixels.sum():
        return {**told, "mean": None, "std": None}
    means = np.array([gray.mean for gray in levels])
    variances = np.array([gray.std for gray in levels]) ** 2
    mean = np.average(means, weights=pixels)
    variance = np.average(variances + (means - mean) ** 2, weights=pixels)
    return {**told, "mean": round(float(mean) / 255, 6), "std": round(float(np.sqrt(variance)) / 255, 6)}
