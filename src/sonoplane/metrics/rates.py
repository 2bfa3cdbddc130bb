"""Every number that a confusion matrix holds, for one matrix or a whole stack of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

__all__ = ["CLASS_RATES", "RATES", "Rates", "mean_of_known", "rates", "share"]

Values: TypeAlias = npt.NDArray[np.float64]

#: Numbers of the whole set.
RATES = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "kappa")
#: Numbers of each class; recall is sensitivity, precision is the positive predictive value.
CLASS_RATES = ("precision", "recall", "f1", "specificity", "npv")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """The numbers of a stack of matrices; NaN where one is undefined."""

    whole: Mapping[str, Values]
    """Each of `RATES`: one value a matrix."""
    classes: Mapping[str, Values]
    """Each of `CLASS_RATES`: a value a matrix and class, classes last."""


def rates(counts: Float64[np.ndarray, "*stack truth answer"]) -> Rates:
    """All numbers of the matrices; counts may be weighted.

    A class without labels has no recall and no F1, and is left out of balanced accuracy and macro F1. A class that
    is there but never answered has no precision, and F1 0. Kappa is Cohen's (1960), undefined where chance alone
    agrees always.

    >>> rates(np.array([[2.0, 0.0], [1.0, 1.0]])).whole["balanced_accuracy"]
    array(0.75)
    """
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    support, said, n = counts.sum(axis=-1), counts.sum(axis=-2), counts.sum(axis=(-2, -1))
    recall = share(right, support)
    f1 = np.where(support > 0, share(2 * right, support + said), np.nan)
    others = n[..., None] - support
    true_negatives = others - said + right
    accuracy = share(right.sum(axis=-1), n)
    chance = share((support * said).sum(axis=-1), n**2)
    return Rates(
        whole={
            "accuracy": accuracy,
            "balanced_accuracy": mean_of_known(recall),
            "macro_f1": mean_of_known(f1),
            "weighted_f1": share(np.where(support > 0, support * f1, 0).sum(axis=-1), n),
            "kappa": share(accuracy - chance, 1 - chance),
        },
        classes={
            "precision": share(right, said),
            "recall": recall,
            "f1": f1,
            "specificity": share(true_negatives, others),
            "npv": share(true_negatives, n[..., None] - said),
        },
    )


def share(part: npt.ArrayLike, whole: npt.ArrayLike) -> Values:
    """The quotient; NaN where there is nothing to divide by.

    >>> share([1.0, 0.0], [4.0, 0.0])
    array([0.25,  nan])
    """
    parts, wholes = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    quotient: Values = np.divide(parts, wholes, out=np.full(parts.shape, np.nan), where=wholes > 1e-12)
    return quotient


def mean_of_known(values: Values) -> Values:
    """The mean over the last axis of what is not NaN; NaN where nothing is.

    >>> mean_of_known(np.array([[1.0, np.nan, 0.0], [np.nan, np.nan, np.nan]]))
    array([0.5, nan])
    """
    known = ~np.isnan(values)
    return share(np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1))
