"""How each recording came out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers

__all__ = ["ByRecording", "by_recording"]


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
