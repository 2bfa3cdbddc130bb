"""How well answered runs of frames match the labelled ones."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from jaxtyping import Int64

__all__ = ["OVERLAPS", "Run", "matched", "runs_of"]

#: Intersection over union that a run must reach to count as found: F1@10, 25 and 50 of Lea et al. (2017).
OVERLAPS = (0.1, 0.25, 0.5)

Run: TypeAlias = tuple[int, int, int]
"""Start, stop (exclusive) and class number."""


def runs_of(labels: Int64[np.ndarray, "time"]) -> list[Run]:
    """Runs of one class, in order; -1 is in none and parts them.

    >>> runs_of(np.array([0, 0, -1, 0, 2]))
    [(0, 2, 0), (3, 4, 0), (4, 5, 2)]
    """
    if not len(labels):
        return []
    edges = np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1, [len(labels)]])
    return [(int(a), int(b), int(labels[a])) for a, b in pairwise(edges) if labels[a] >= 0]


def matched(
    targets: Int64[np.ndarray, "time"],
    said: Int64[np.ndarray, "time"],
    n_classes: int,
    overlaps: Sequence[float] = OVERLAPS,
) -> Int64[np.ndarray, "overlaps classes 3"]:
    """For each overlap and class, how many runs are right, are false and are missed.

    As in Lea et al. (CVPR 2017, "Temporal Convolutional Networks for Action Segmentation and Detection"): each
    answered run, in order, goes to the labelled run of its class with the largest intersection over union, and is
    right where that reaches the overlap and the labelled run is not taken yet. Unlabelled frames (-1) are cut out of
    both sides, and part the runs on both.

    >>> matched(np.array([1, 1, 1, 1, 0, 0]), np.array([1, 0, 1, 1, 0, 0]), 2, overlaps=[0.5])[0].tolist()
    [[1, 1, 0], [1, 1, 0]]
    """
    truth = runs_of(targets)
    answered = runs_of(np.where(targets >= 0, said, -1))
    shares = np.array([[_overlap(run, other) for other in truth] for run in answered])
    counts = np.zeros((len(overlaps), n_classes, 3), dtype=np.int64)
    for place, least in enumerate(overlaps):
        taken: set[int] = set()
        for run, row in zip(answered, shares, strict=True):
            best = int(row.argmax()) if len(row) else -1
            right = best >= 0 and row[best] >= max(least, 1e-9) and best not in taken
            taken |= {best} if right else set()
            counts[place, run[2], 0 if right else 1] += 1
        for other, (_, _, label) in enumerate(truth):
            counts[place, label, 2] += other not in taken
    return counts


def _overlap(run: Run, other: Run) -> float:
    """Intersection over union; none between two classes."""
    common = min(run[1], other[1]) - max(run[0], other[0])
    if run[2] != other[2] or common <= 0:
        return 0.0
    return common / (max(run[1], other[1]) - min(run[0], other[0]))
