"""How far probabilities can be believed: whether the network is right as often as it says it is.

Confidence bins are as in Guo et al., On Calibration of Modern Neural Networks, ICML 2017; those of equal mass as in
Nguyen and O'Connor, Posterior Calibration and Exploratory Analysis, EMNLP 2015; class-wise as in Kull et al., NeurIPS
2019.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float64, Int64

from sonoplane.errors import UsageError
from sonoplane.metrics.scores import class_numbers

__all__ = [
    "Belief",
    "Binning",
    "PatientSums",
    "Reliability",
    "belief",
    "patient_weights",
    "reliability",
    "sums_over_patients",
]

Binning: TypeAlias = Literal["width", "mass"]
"""Bins of equal width, or with equally many samples; values that are equal are never parted."""

#: Bins, as in Guo et al.
BINS = 15


@dataclass(frozen=True, kw_only=True, slots=True)
class Reliability:
    """How often answers were right, by how sure they were; a row for each bin."""

    edges: Float64[np.ndarray, "edges"]
    """One more than bins; a bin leaves out its lower edge, but for the first."""
    count: Int64[np.ndarray, "bins"]
    """Samples in each; 0 is possible."""
    share: Float64[np.ndarray, "bins"]
    """Of all samples' weight; they add up to 1."""
    confidence: Float64[np.ndarray, "bins"]
    """Mean probability; NaN where there is no sample."""
    accuracy: Float64[np.ndarray, "bins"]
    """Share that was right; NaN where there is no sample."""

    @property
    def gap(self) -> Float64[np.ndarray, "bins"]:
        """How much surer than right: above 0 is overconfident; NaN where there is no sample."""
        return np.asarray(self.confidence - self.accuracy)

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean gap, without its sign, over the samples."""
        filled = self.count > 0
        return float(np.abs(self.gap[filled]) @ self.share[filled])

    @property
    def mce(self) -> float:
        """Maximum calibration error: the largest gap, without its sign; bins of few samples make it jump."""
        return float(np.abs(self.gap[self.count > 0]).max())


@dataclass(frozen=True, kw_only=True, slots=True)
class Belief:
    """How far a set of probabilities can be believed; lower is better."""

    n: int
    """Labelled samples."""
    ece: float
    mce: float
    adaptive_ece: float
    """The expected calibration error of bins with equally many samples."""
    classwise_ece: float
    """Mean over the classes of the calibration error of their own probability, absent classes too."""
    brier: float
    """Mean squared distance from the truth, summed over the classes: 0 to 2."""
    nll: float
    """Mean negative log likelihood of the truth, in nats."""

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers by name."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class PatientSums:
    """A score added up for each patient: `interval(sums.parts, sums.wholes)` is its mean with its doubt."""

    patients: tuple[str, ...]
    parts: Float64[np.ndarray, "patients"]
    """The score's sum over a patient's labelled samples."""
    wholes: Float64[np.ndarray, "patients"]
    """How many these are."""


def reliability(
    probabilities: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    bins: int = BINS,
    binning: Binning = "width",
    of: int | None = None,
    weights: npt.ArrayLike | None = None,
) -> Reliability:
    """Sort samples into bins by how sure the answer is, and see how often it is right in each.

    The answer is the likeliest class; with `of`, it is that class's own probability and whether the sample is of it.
    Samples whose target is -1 are left out. With bins of equal mass there are fewer where many values are equal.

    >>> found = reliability([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], [0, 1, 1], bins=2)
    >>> found.count.tolist(), found.confidence.round(2).tolist(), found.accuracy.round(2).tolist()
    ([0, 3], [nan, 0.8], [nan, 0.67])
    >>> round(found.ece, 3)
    0.133

    Raises:
        UsageError: a probability is NaN or none, a target is no class, nothing is labelled, or there is no bin.
    """
    p, y, w, _ = _checked(probabilities, targets, weights)
    if of is None:
        confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    elif 0 <= of < p.shape[1]:
        confidence, right = p[:, of], y == of
    else:
        raise UsageError(f"There is no class {of}.", advice=f"Give 0 to {p.shape[1] - 1}.")
    return _binned(confidence, right, w, _edges(confidence, bins, binning))


def belief(
    probabilities: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    bins: int = BINS,
    weights: npt.ArrayLike | None = None,
) -> Belief:
    """Everything that one number can say of it; a probability of 0 for the truth counts as its type's precision.

    >>> found = belief([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], [0, 1, 1])
    >>> round(found.brier, 3), round(found.nll, 3)
    (0.493, 0.69)

    Raises:
        UsageError: as `reliability`.
    """
    p, y, w, eps = _checked(probabilities, targets, weights)
    top = reliability(p, y, bins=bins, weights=w)
    each = [reliability(p, y, bins=bins, of=k, weights=w).ece for k in range(p.shape[1])]
    return Belief(
        n=len(y),
        ece=top.ece,
        mce=top.mce,
        adaptive_ece=reliability(p, y, bins=bins, binning="mass", weights=w).ece,
        classwise_ece=float(np.mean(each)),
        brier=float(_brier(p, y) @ w),
        nll=float(_nll(p, y, eps) @ w),
    )


def sums_over_patients(
    score: Literal["brier", "nll"],
    probabilities: npt.ArrayLike,
    targets: npt.ArrayLike,
    patients: Sequence[str],
) -> PatientSums:
    """The Brier score, or the negative log likelihood, added up for each patient who has a labelled sample.

    >>> sums = sums_over_patients("brier", [[1, 0], [0.5, 0.5], [0, 1]], [0, 0, 1], ["a", "a", "b"])
    >>> sums.patients, sums.parts.tolist(), sums.wholes.tolist()
    (('a', 'b'), [0.5, 0.0], [2.0, 1.0])

    Raises:
        UsageError: as `reliability`, or there is not one patient for each sample.
    """
    p, y, _, eps = _checked(probabilities, targets, None)
    whose = np.asarray(patients, dtype=str)
    labelled = np.asarray(targets) >= 0
    if whose.shape != labelled.shape:
        raise UsageError(
            f"{len(whose)} patients meet {len(labelled)} samples.", advice="Name each sample's patient."
        )
    names, place = np.unique(whose[labelled], return_inverse=True)
    each = _brier(p, y) if score == "brier" else _nll(p, y, eps)
    return PatientSums(
        patients=tuple(names.tolist()),
        parts=np.bincount(place, weights=each, minlength=len(names)),
        wholes=np.bincount(place, minlength=len(names)).astype(np.float64),
    )


def patient_weights(patients: Sequence[str]) -> Float64[np.ndarray, "n"]:
    """Weights that add up to 1 and count every patient alike, however many samples are theirs.

    >>> patient_weights(["a", "a", "b"]).tolist()
    [0.25, 0.25, 0.5]
    """
    _, place, counts = np.unique(np.asarray(patients, dtype=str), return_inverse=True, return_counts=True)
    return np.asarray(1 / (counts[place] * len(counts)), dtype=np.float64)


def _checked(
    probabilities: npt.ArrayLike, targets: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[Float64[np.ndarray, "n classes"], Int64[np.ndarray, "n"], Float64[np.ndarray, "n"], float]:
    """Probabilities, targets and weights (adding up to 1) of the labelled samples; the least probability above 0."""
    said = np.asarray(probabilities)
    p = said.astype(np.float64)
    if p.ndim != 2 or p.shape[1] < 2:
        raise UsageError(
            f"Probabilities of shape {p.shape} are not those of two or more classes for each sample.",
            advice="Give a row for each sample and a column for each class.",
        )
    if n_bad := int((~np.isfinite(p)).any(axis=1).sum()):
        raise UsageError(
            f"{n_bad} of {len(p)} samples have a probability that is NaN or infinite.",
            advice="Find where the network's answers turn NaN.",
        )
    if (p < 0).any() or (np.abs(p.sum(axis=1) - 1) > 1e-3).any():
        raise UsageError(
            "The probabilities do not add up to 1.", advice="Give those of a softmax, no logits."
        )
    y = class_numbers(targets, p.shape[1], what="targets")
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(y) == len(p) == len(w):
        raise UsageError(
            f"{len(p)} samples meet {len(y)} targets and {len(w)} weights.",
            advice="Give one for each sample.",
        )
    labelled = y >= 0
    if not labelled.any():
        raise UsageError(
            "No sample is labelled, so nothing can be measured.", advice="Check the label table."
        )
    if not (np.isfinite(w).all() and (w[labelled] > 0).all()):
        raise UsageError("A weight is not above 0.", advice="Leave out what should not count.")
    eps = float(np.finfo(said.dtype if said.dtype.kind == "f" else np.float64).eps)
    return p[labelled], y[labelled], w[labelled] / w[labelled].sum(), eps


def _edges(confidence: Float64[np.ndarray, "n"], bins: int, binning: Binning) -> Float64[np.ndarray, "edges"]:
    if bins < 1:
        raise UsageError(f"{bins} bins hold nothing.", advice="Give 1 or more.")
    steps = np.linspace(0, 1, bins + 1)
    if binning == "width":
        return steps
    edges = np.unique(np.quantile(confidence, steps))
    return edges if len(edges) > 1 else np.repeat(edges, 2)


def _binned(
    confidence: Float64[np.ndarray, "n"],
    right: Bool[np.ndarray, "n"],
    weights: Float64[np.ndarray, "n"],
    edges: Float64[np.ndarray, "edges"],
) -> Reliability:
    n_bins = len(edges) - 1
    place = np.searchsorted(edges[1:-1], confidence, side="left")
    count, share, sure, true = (
        np.bincount(place, weights=values, minlength=n_bins)
        for values in (None, weights, weights * confidence, weights * right)
    )
    empty = np.full(n_bins, np.nan)
    return Reliability(
        edges=edges,
        count=count.astype(np.int64),
        share=share,
        confidence=np.divide(sure, share, out=empty.copy(), where=count > 0),
        accuracy=np.divide(true, share, out=empty.copy(), where=count > 0),
    )


def _brier(p: Float64[np.ndarray, "n classes"], y: Int64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    """Of each sample: the squared distance from the truth."""
    return np.asarray(((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1))


def _nll(
    p: Float64[np.ndarray, "n classes"], y: Int64[np.ndarray, "n"], eps: float
) -> Float64[np.ndarray, "n"]:
    """Of each sample."""
    return np.asarray(-np.log(np.clip(p[np.arange(len(y)), y], eps, 1.0)))
