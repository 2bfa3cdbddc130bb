"""The answers for many frames or clips become one answer."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Bool, Float, Float64

from sonoplane.errors import UsageError

__all__ = ["Aggregate", "How", "aggregate"]

How: TypeAlias = Literal["mean", "logits", "vote", "max"]

#: The smallest normal float32: probabilities below it are none, and have no logarithm.
_LEAST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, kw_only=True, slots=True)
class Aggregate:
    """One answer."""

    label: int
    """The class number answered."""
    probabilities: Float64[np.ndarray, "classes"]
    """Of all classes, also one left out of the answer; for a vote, the shares of the votes."""
    tied: bool
    """Two classes were equal first; `label` is then the likelier by mean probability."""


def aggregate(
    probabilities: Float[np.ndarray, "items classes"], how: How = "mean", *, leave_out: int | None = None
) -> Aggregate:
    """One answer for all items; `leave_out` is a class number that no answer can be, such as the background.

    mean    the largest mean probability, as `predict` answers for a recording
    logits  the largest sum of logits; the probabilities are the softmax of the mean logits
    vote    most items' likeliest class; a tie is told, and settled by mean probability
    max     the largest probability in any item; the probabilities are scaled to sum to one

    Logits are taken as logarithms of probabilities, which differ from them by one number an item: no sum of them
    orders classes otherwise.

    Raises UsageError where there is no item, or no class to answer.

    >>> votes = np.array([[0.9, 0.1, 0.0], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.6, 0.4, 0.0]])
    >>> aggregate(votes, "vote")
    Aggregate(label=1, probabilities=array([0.5, 0.5, 0. ]), tied=True)
    """
    items, n_classes = probabilities.shape
    if not items or n_classes - (leave_out is not None) < 1 or how not in get_args(How):
        raise UsageError(
            f"{items} items of {n_classes} classes cannot be made one answer by '{how}'.",
            advice=f"Give one item or more, and one of {', '.join(get_args(How))}.",
        )
    known = probabilities.astype(np.float64)
    allowed = np.arange(n_classes) != (-1 if leave_out is None else leave_out)
    mean = known.mean(axis=0)
    pooled = _pooled(known, mean, how)
    first = _first(pooled, allowed)
    settled = np.where(first, mean, -1.0)
    return Aggregate(
        label=int(settled.argmax()), probabilities=pooled / pooled.sum(), tied=bool(first.sum() > 1)
    )


def _pooled(
    known: Float64[np.ndarray, "items classes"], mean: Float64[np.ndarray, "classes"], how: How
) -> Float64[np.ndarray, "classes"]:
    """What the classes compete by, none negative."""
    if how == "mean":
        return mean
    if how == "max":
        return np.asarray(known.max(axis=0))
    if how == "logits":
        logits = np.log(np.maximum(known, _LEAST)).mean(axis=0)
        return np.asarray(np.exp(logits - logits.max()))
    best = known == known.max(axis=1, keepdims=True)
    return np.asarray(
        (best / best.sum(axis=1, keepdims=True)).sum(axis=0)
    )  # an item torn between two votes for both


def _first(
    pooled: Float64[np.ndarray, "classes"], allowed: Bool[np.ndarray, "classes"]
) -> Bool[np.ndarray, "classes"]:
    """The classes that are first; sums in another order differ by some last digits."""
    best = pooled[allowed].max()
    return np.asarray(allowed & (pooled >= best - 1e-12 * max(1.0, best)))
