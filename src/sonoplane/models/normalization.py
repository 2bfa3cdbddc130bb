"""How gray values become network input: one formula for each kind."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Float32

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
    gray: Float32[np.ndarray, "batch height width"], how: Normalization
) -> Float32[np.ndarray, "batch height width"]:
    """Network input from gray values 0 ... 255, each frame by itself.

    Values are counted from the frame's first pixel before they are averaged, so that a constant frame is
    exactly zero. `card_tensor.normalize` is the torch twin.

    >>> normalize(np.float32([[[0, 51], [102, 255]]]), Normalization(kind="unit")).tolist()
    [[[0.0, 0.20000000298023224], [0.4000000059604645, 1.0]]]
    >>> normalize(np.full((1, 2, 2), 7, np.float32), Normalization(kind="standardize-image")).tolist()
    [[[0.0, 0.0], [0.0, 0.0]]]
    """
    if how.kind == "standardize-image":
        x = gray - gray[:, :1, :1]
        x = x - x.mean(axis=(1, 2), keepdims=True)
        std = np.sqrt(np.square(x).mean(axis=(1, 2), keepdims=True))
        x = x * (np.float32(how.scale or 1) / np.maximum(std, np.float32(TINY)))
    elif how.kind == "min-max":
        low, high = gray.min(axis=(1, 2), keepdims=True), gray.max(axis=(1, 2), keepdims=True)
        x = (gray - low) / np.maximum(high - low, np.float32(TINY))
    elif how.kind == "dataset":
        x = (gray / np.float32(255) - np.float32(how.mean or 0)) / np.float32(how.std or 1)
    else:
        x = gray / np.float32(255)
    return np.asarray(x, np.float32)
