"""How gray values become network input: one formula for each kind."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Float, Float32, Float64

from sonoplane.errors import UsageError

__all__ = ["TINY", "Normalization", "NormalizationKind", "normalize"]

NormalizationKind: TypeAlias = Literal["standardize-image", "dataset", "min-max", "unit"]

#: The least that is ever divided by: a constant frame becomes zeros, never NaN.
TINY = 1e-6

#: The numbers that each kind takes.
_NUMBERS: dict[str, tuple[str, ...]] = {
    "standardize-image": ("scale",),
    "dataset": ("mean", "std"),
    "min-max": (),
    "unit": (),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Normalization:
    """The values part of a card: which formula, with which numbers.

    >>> Normalization(kind="standardize-image", scale=255.0).scale
    255.0
    """

    kind: NormalizationKind
    """`standardize-image`: scale * (x - mean) / std of each frame by itself (population std);
    `dataset`: (x / 255 - mean) / std with fixed numbers; `min-max`: each frame stretched to 0 ... 1;
    `unit`: x / 255."""
    scale: float | None = None
    """Of `standardize-image` only, and 1 if left out; the published fetal networks have 255."""
    mean: float | None = None
    """Of `dataset` only, on the scale 0 ... 1."""
    std: float | None = None
    """Of `dataset` only, on the scale 0 ... 1."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(NormalizationKind):
            raise UsageError(
                f"The normalization {self.kind!r} is not known.",
                advice=f"Use one of {', '.join(get_args(NormalizationKind))}.",
            )
        if self.kind == "standardize-image" and self.scale is None:
            object.__setattr__(self, "scale", 1.0)
        numbers = {"scale": self.scale, "mean": self.mean, "std": self.std}
        given = {name: number for name, number in numbers.items() if number is not None}
        if set(given) != set(_NUMBERS[self.kind]):
            raise UsageError(
                f"The normalization {self.kind!r} has {', '.join(given) or 'no numbers'}.",
                advice=f"It takes {' and '.join(_NUMBERS[self.kind]) or 'none'}.",
            )
        if not all(map(np.isfinite, given.values())) or min(given.get("scale", 1), given.get("std", 1)) <= 0:
            raise UsageError(
                f"A normalization with {given} is impossible.",
                advice="Give finite numbers, with scale and std above zero.",
            )


def normalize(
    levels: Float64[np.ndarray, "levels"], counts: Float[np.ndarray, "levels"], how: Normalization
) -> Float32[np.ndarray, "levels"]:
    """Network input for each gray level (0 ... 255, or between) of a frame that has so many pixels of each.

    A frame has few levels and many pixels: what hangs on all of them is summed level by level, exactly, so that a
    constant frame is exactly zero. `card_tensor.normalize` is the torch twin, pixel by pixel.

    >>> levels = np.array([0.0, 51.0, 102.0, 255.0])
    >>> normalize(levels, np.ones(4), Normalization(kind="unit")).tolist()
    [0.0, 0.20000000298023224, 0.4000000059604645, 1.0]
    >>> normalize(levels, np.array([0, 7, 0, 0.0]), Normalization(kind="standardize-image"))[1].item()
    0.0
    """
    if how.kind == "standardize-image":
        share = counts / counts.sum()
        first = levels[counts.argmax()]  # a constant frame has no other
        x = levels - first
        x = x - share @ x
        x = x * ((how.scale or 1) / max(np.sqrt(share @ np.square(x)), TINY))
    elif how.kind == "min-max":
        seen = levels[counts > 0]
        x = (levels - seen[0]) / max(seen[-1] - seen[0], TINY)
    elif how.kind == "dataset":
        x = (levels / 255 - (how.mean or 0)) / (how.std or 1)
    else:
        x = levels / 255
    return np.asarray(x, np.float32)
