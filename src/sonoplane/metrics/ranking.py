"""How well probabilities rank the items of a class above all others, for any weights of the patients."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from sonoplane.metrics.rates import share

__all__ = ["Ranking", "rank"]

#: Thresholds weighed at a time: what 1,000 draws take then stays near the processor.
_AT_ONCE = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """One class against the rest, counted patient by patient.

    AUROC is the share of pairs (item of the class, other item) in the right order, a tie counting half (Hanley and
    McNeil 1982); so with weights for patients it is a quadratic form of pairs counted once. AUPRC is average
    precision: the mean, over the items of the class, of the precision among all items at least as probable.
    """

    pairs: Float64[np.ndarray, "patients patients"]
    """Pairs in the right order: items of the class from the row's patient, other items from the column's."""
    n_of: Float64[np.ndarray, "patients"]
    """Items of the class."""
    n_others: Float64[np.ndarray, "patients"]
    of_above: Float32[np.ndarray, "patients thresholds"]
    """Items of the class at least as probable as each threshold; thresholds are their own probabilities, falling."""
    others_above: Float32[np.ndarray, "patients thresholds"]

    def auroc(self, weights: Float64[np.ndarray, "draws patients"]) -> Float64[np.ndarray, "draws"]:
        """For each row of weights; NaN where the class, or all else, is absent."""
        ordered = ((weights @ self.pairs) * weights).sum(axis=1)
        return share(ordered, (weights @ self.n_of) * (weights @ self.n_others))

    def auprc(self, weights: Float64[np.ndarray, "draws patients"]) -> Float64[np.ndarray, "draws"]:
        """For each row of weights; NaN where the class is absent."""
        total, before = np.zeros(len(weights)), np.zeros((len(weights), 1))
        for start in range(0, self.of_above.shape[1], _AT_ONCE):
            stretch = slice(start, start + _AT_ONCE)
            of = weights @ self.of_above[:, stretch]
            precision = of / np.maximum(of + weights @ self.others_above[:, stretch], 1e-12)
            total += (np.diff(of, axis=1, prepend=before) * precision).sum(axis=1)
            before = of[:, -1:]
        return share(total, weights @ self.n_of)


def rank(
    scores: Float64[np.ndarray, "n"],
    of: Bool[np.ndarray, "n"],
    whose: Int64[np.ndarray, "n"],
    n_patients: int,
) -> Ranking:
    """Count once what every weighting needs; `of` tells the items of the class, `whose` each item's patient.

    >>> ranking = rank(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]), np.zeros(4, int), 1)
    >>> ranking.auroc(np.ones((1, 1))), ranking.auprc(np.ones((1, 1))).round(3)
    (array([0.75]), array([0.833]))
    """
    thresholds = np.unique(scores[of])
    place = np.searchsorted(thresholds, scores[of])
    pairs = np.zeros((n_patients, n_patients))
    of_above, others_above = np.zeros((2, n_patients, len(thresholds)), dtype=np.float32)
    for patient in range(n_patients):
        mine = whose == patient
        others, members = np.sort(scores[mine & ~of]), np.sort(scores[mine & of])
        below = np.searchsorted(others, thresholds, side="left")
        up_to = np.searchsorted(others, thresholds, side="right")
        pairs[:, patient] = np.bincount(
            whose[of], weights=(0.5 * (below + up_to))[place], minlength=n_patients
        )
        of_above[patient] = (len(members) - np.searchsorted(members, thresholds, side="left"))[::-1]
        others_above[patient] = (len(others) - below)[::-1]
    return Ranking(
        pairs=pairs,
        n_of=np.bincount(whose[of], minlength=n_patients).astype(np.float64),
        n_others=np.bincount(whose[~of], minlength=n_patients).astype(np.float64),
        of_above=of_above,
        others_above=others_above,
    )
