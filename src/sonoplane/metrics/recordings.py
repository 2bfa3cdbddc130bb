"""How each recording came out, and where its answers are wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers

__all__ = ["ByRecording", "Mistake", "by_recording", "mistakes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ByRecording:
    """Accuracy of each recording; for an interval take `measure`, whose doubt is over patients."""

    values: Mapping[str, float]
    """Recording -> share of its labelled rows that are right, in the answers' order."""
    mean: float
    """Each recording counting once, however long."""
    sd: float | None
    """Standard deviation between recordings; None for one."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"values": dict(self.values), "mean": self.mean, "sd": self.sd}


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """A run of rows of one recording, all of one class and answered as another."""

    recording: str
    start: int
    stop: int
    """Rows of the recording, from 0, stop exclusive: frames, where the answers are for frames."""
    target: str
    said: str
    probability: float
    """Mean over the run, of what was said."""


def by_recording(answers: Answers) -> ByRecording:
    """Each recording's accuracy, with mean and standard deviation over recordings; unlabelled rows do not count.

    Raises UsageError where nothing is labelled.
    """
    known = answers.only(answers.labelled)
    if not known.n:
        raise UsageError(
            "Nothing is labelled, so there is nothing to score.", advice="Check the label table."
        )
    names, first, whose = np.unique(known.recordings, return_index=True, return_inverse=True)
    shares = np.bincount(whose, known.said == known.targets) / np.bincount(whose)
    order = np.argsort(first)
    return ByRecording(
        values={str(names[i]): float(shares[i]) for i in order},
        mean=float(shares.mean()),
        sd=float(shares.std(ddof=1)) if len(shares) > 1 else None,
    )


def mistakes(answers: Answers) -> tuple[Mistake, ...]:
    """Every wrong run, recording by recording, in time.

    >>> from sonoplane.metrics.answers import answers_of
    >>> frames = answers_of(level="frame", classes=("kidney", "liver"), targets=[0, 0, 0, 1], recordings="aaaa",
    ...                     probabilities=[[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.1, 0.9]], patients="pppp")
    >>> [(one.start, one.stop, one.target, one.said) for one in mistakes(frames)]
    [(1, 3, 'kidney', 'liver')]
    """
    if not answers.n:
        return ()
    turns = (
        (answers.recordings[1:] != answers.recordings[:-1])
        | (answers.targets[1:] != answers.targets[:-1])
        | (answers.said[1:] != answers.said[:-1])
    )
    edges = np.concatenate([[0], np.flatnonzero(turns) + 1, [answers.n]])
    _, first, whose = np.unique(answers.recordings, return_index=True, return_inverse=True)
    return tuple(
        Mistake(
            recording=str(answers.recordings[a]),
            start=int(a - first[whose[a]]),
            stop=int(b - first[whose[a]]),
            target=answers.classes[answers.targets[a]],
            said=answers.classes[answers.said[a]],
            probability=float(answers.probabilities[a:b, answers.said[a]].mean()),
        )
        for a, b in pairwise(edges)
        if 0 <= answers.targets[a] != answers.said[a]
    )
