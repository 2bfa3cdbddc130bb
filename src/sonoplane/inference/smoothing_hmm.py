"""What a Markov chain of classes makes of each frame's evidence: filter, smoother and likeliest course.

Source: Rabiner, A tutorial on hidden Markov models, Proc. IEEE 77(2), 1989, sections III.A to III.C and V.A (scaling).
Evidence of a frame is the network's probability of each class divided by how often it expects the class (Bourlard and
Morgan, Connectionist Speech Recognition, 1994): Bayes' rule, but for a factor that all classes share.
"""

import numpy as np
from jaxtyping import Float, Float64, Int64

__all__ = ["Filter", "evidence", "forward_backward", "viterbi"]

#: The least that a probability counts: a network that is wrong and entirely sure must not rule a class out for good.
_LEAST = 1e-12


def evidence(
    probabilities: Float[np.ndarray, "time classes"],
    prior: Float64[np.ndarray, "classes"],
    *,
    weight: float | Float64[np.ndarray, "time 1"] = 1.0,
) -> Float64[np.ndarray, "time classes"]:
    """How much each frame speaks for each class, as a share of what it says for the class it speaks for most.

    A weight below 1 is for frames that repeat in part what those beside them say.

    >>> evidence(np.array([[0.8, 0.2]]), np.array([0.5, 0.5])).tolist()
    [[1.0, 0.25]]
    """
    ratios = (np.maximum(probabilities.astype(np.float64), _LEAST) / prior) ** weight
    return np.asarray(ratios / ratios.max(axis=1, keepdims=True))


class Filter:
    """Follows the classes frame by frame, knowing only what came before: the same for one chunk or many."""

    def __init__(
        self, matrix: Float64[np.ndarray, "classes classes"], start: Float64[np.ndarray, "classes"]
    ) -> None:
        self._matrix = matrix
        self._start = start
        self._ahead = start
        self._has_begun = False

    def push(
        self, evidence: Float64[np.ndarray, "time classes"], *, missed: int = 0
    ) -> Float64[np.ndarray, "time classes"]:
        """How likely each class is at each of the next frames, in view of all frames so far.

        `missed` frames came before the first of these that nobody has any evidence of.
        """
        beliefs = np.empty_like(evidence)
        ahead, matrix = self._ahead, self._matrix
        if missed and self._has_begun:
            ahead = ahead @ np.linalg.matrix_power(matrix, missed)
        self._has_begun = self._has_begun or len(evidence) > 0
        for time, says in enumerate(evidence):
            belief = ahead * says
            belief /= belief.sum()
            beliefs[time] = belief
            ahead = belief @ matrix
        self._ahead = ahead
        return beliefs

    def reset(self) -> None:
        """Forget all frames."""
        self._ahead = self._start
        self._has_begun = False


def forward_backward(
    evidence: Float64[np.ndarray, "time classes"],
    matrix: Float64[np.ndarray, "classes classes"],
    start: Float64[np.ndarray, "classes"],
) -> Float64[np.ndarray, "time classes"]:
    """How likely each class is at each frame, in view of all frames."""
    beliefs = Filter(matrix, start).push(evidence)
    after = np.ones(len(start))
    turned = np.ascontiguousarray(matrix.T)
    for time in range(len(evidence) - 2, -1, -1):
        after = (after * evidence[time + 1]) @ turned
        after /= after.sum()
        beliefs[time] *= after
    return np.asarray(beliefs / beliefs.sum(axis=1, keepdims=True))


def viterbi(
    evidence: Float64[np.ndarray, "time classes"],
    matrix: Float64[np.ndarray, "classes classes"],
    start: Float64[np.ndarray, "classes"],
) -> Int64[np.ndarray, "time"]:
    """The class numbers of the likeliest course; of courses equally likely, one with the lowest numbers."""
    path = np.zeros(len(evidence), np.int64)
    if not len(evidence):
        return path
    says, steps = np.log(evidence), np.log(matrix.T)  # to, from
    columns = np.arange(len(start))
    came_from = np.empty(evidence.shape, np.int64)
    best = np.log(start) + says[0]
    for time in range(1, len(evidence)):
        scores = steps + best
        came_from[time] = scores.argmax(axis=1)
        best = scores[columns, came_from[time]] + says[time]
    path[-1] = best.argmax()
    for time in range(len(evidence) - 1, 0, -1):
        path[time - 1] = came_from[time, path[time]]
    return path
