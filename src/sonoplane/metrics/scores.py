"""How right the answers are: every score comes from one confusion matrix over the whole set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Int64

from sonoplane.errors import UsageError
from sonoplane.metrics.rates import CLASS_RATES, RATES, Rates, rates

__all__ = ["ClassScore", "Scores", "class_numbers", "confusion", "scores_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassScore:
    """How well one class is told from the others."""

    name: str
    support: int
    """Labelled frames of this class."""
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    precision: float | None
    """Share of its predictions that are right (positive predictive value); None where it was never predicted."""
    recall: float | None
    """Share of its frames that were found (sensitivity); None where it has no frames."""
    f1: float | None
    """Harmonic mean of the two, 0 where it was never predicted, None where it has no frames."""
    specificity: float | None
    """Share of the other frames that were told from it; None where there is no other."""
    npv: float | None
    """Share of the frames said to be another class that are (negative predictive value); None where there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """All scores of one set of answers."""

    accuracy: float
    balanced_accuracy: float
    """Mean recall of the classes that have labelled frames."""
    macro_f1: float
    """Mean F1 of the classes that have labelled frames."""
    weighted_f1: float
    """Mean F1, each class counting as often as it has labelled frames."""
    kappa: float | None
    """Cohen's kappa; None where chance alone would always agree."""
    classes: tuple[ClassScore, ...]
    """In the network's order."""
    confusion: Int64[np.ndarray, "truth answer"]
    """Counts: a row for each true class, a column for each answer."""

    @property
    def absent(self) -> tuple[str, ...]:
        """The classes without a labelled frame: nothing is known of how well they are found."""
        return tuple(c.name for c in self.classes if c.support == 0)


def confusion(
    targets: npt.ArrayLike, answers: npt.ArrayLike, n_classes: int
) -> Int64[np.ndarray, "truth answer"]:
    """Count true classes (rows) against answers (columns); matrices of several recordings add up.

    What has a target of -1 is left out. Raises UsageError where the two differ in length, or hold NaN or anything but
    class numbers.

    >>> confusion([0, 1, 1, -1], [0, 1, 0, 1], 2)
    array([[1, 0],
           [1, 1]])
    """
    true = class_numbers(targets, n_classes, what="targets", lowest=-1)
    said = class_numbers(answers, n_classes, what="answers", lowest=0)
    if len(true) != len(said):
        raise UsageError(
            f"{len(true)} targets meet {len(said)} answers.", advice="Give one answer for each target."
        )
    labelled = true >= 0
    pairs = true[labelled] * n_classes + said[labelled]
    return np.bincount(pairs, minlength=n_classes**2).astype(np.int64).reshape(n_classes, n_classes)


def scores_of(counts: Int64[np.ndarray, "truth answer"], classes: Sequence[str]) -> Scores:
    """All scores of a confusion matrix, such as the sum over many recordings.

    >>> scores = scores_of(confusion([0, 1, 1, -1], [0, 1, 0, 1], 2), ["background", "kidney"])
    >>> round(scores.accuracy, 3), [c.recall for c in scores.classes]
    (0.667, [1.0, 0.5])
    """
    if counts.shape != (len(classes), len(classes)):
        raise UsageError(
            f"A confusion matrix of {counts.shape} does not fit {len(classes)} classes.",
            advice="Name one class a row.",
        )
    if not counts.any():
        raise UsageError(
            "No frame is labelled, so there is nothing to score.", advice="Check the label table."
        )
    found = rates(counts.astype(np.float64))
    whole = {name: _known(found.whole[name]) for name in RATES}
    kappa = whole.pop("kappa")
    return Scores(
        **{name: value or 0.0 for name, value in whole.items()},  # they are defined once anything is labelled
        kappa=kappa,
        classes=tuple(_of_class(counts, found, i, name) for i, name in enumerate(classes)),
        confusion=counts,
    )


def class_numbers(
    values: npt.ArrayLike, n_classes: int, *, what: str, lowest: int = -1
) -> Int64[np.ndarray, "n"]:
    """The values as checked class numbers; whole floats are taken, NaN is not."""
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise UsageError(
            f"The {what} have shape {array.shape} and type {array.dtype}.",
            advice="Give one class number for each frame.",
        )
    if array.dtype.kind == "f":
        if n_nan := int(np.isnan(array).sum()):
            raise UsageError(
                f"{n_nan} of {len(array)} {what} are NaN.",
                advice="Find where the network's answers turn NaN; mark frames without a label with -1.",
            )
        if (array != np.round(array)).any():
            raise UsageError(
                f"The {what} are no whole numbers.", advice="Give class numbers, not probabilities."
            )
    if len(array) and not (lowest <= array.min() and array.max() < n_classes):
        raise UsageError(
            f"The {what} go from {array.min():.0f} to {array.max():.0f}; there are {n_classes} classes.",
            advice=f"Give class numbers from {lowest} to {n_classes - 1}.",
        )
    return array.astype(np.int64)


def _of_class(counts: Int64[np.ndarray, "truth answer"], found: Rates, place: int, name: str) -> ClassScore:
    right, support, predicted = counts[place, place], counts[place].sum(), counts[:, place].sum()
    return ClassScore(
        name=name,
        support=int(support),
        true_positives=int(right),
        false_positives=int(predicted - right),
        false_negatives=int(support - right),
        true_negatives=int(counts.sum() - support - predicted + right),
        **{rate: _known(found.classes[rate][place]) for rate in CLASS_RATES},
    )


def _known(value: npt.ArrayLike) -> float | None:
    """A number, None where it is undefined."""
    number = float(np.asarray(value))
    return None if np.isnan(number) else number
