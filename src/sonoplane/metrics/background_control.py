"""What becomes of a network's answers when the background of its frames is taken away, or is another recording's."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers
from sonoplane.metrics.differences import Difference, compare
from sonoplane.metrics.intervals import Estimate, accuracy_over_patients

__all__ = ["MUCH", "Control", "measure_control"]

#: A fall in accuracy by less than this is not told as one, however sure; nor is one that may be chance. So all of 12
#: small SonoNets that had learned a word beside the sector were told to read it, whose answers then followed it always,
#: and none of 12 that had learned a spot in it, whose answers followed the word in a quarter of eight frames at most.
MUCH = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """The same frames, answered four times."""

    n: int
    plain: Estimate
    """Accuracy on the frames as they are."""
    blanked: Estimate
    """With all background black."""
    same: Estimate
    """With the background of another patient's frame of the same class."""
    other: Estimate
    """With that of another patient's frame of another class."""
    blanking: Difference
    """Blanked minus plain: reading the background costs accuracy here, but so may black that was never seen."""
    reading: Difference
    """Other minus same: both backgrounds are strange, and only one misleads."""
    followed: Estimate
    """How often the class named is that of the frame whose background it was, where that is another class."""
    followed_before: Estimate
    """How often that class was named with the frame's own background."""

    @property
    def reads(self) -> bool:
        """Whether answers follow the background's class."""
        return _falls(self.reading)

    @property
    def needs(self) -> bool:
        """Whether accuracy falls without a background."""
        return _falls(self.blanking)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        numbers = ("plain", "blanked", "same", "other", "blanking", "reading", "followed", "followed_before")
        return {"n": self.n, **{name: getattr(self, name).to_json() for name in numbers}}


def measure_control(
    *, plain: Answers, blanked: Answers, same: Answers, other: Answers, lent: Int64[np.ndarray, "n"]
) -> Control:
    """The accuracies and their differences over the same patients; `lent` is the class of each strange background.

    What is told is the difference between a background of the same class and one of another (Xiao et al., ICLR 2021):
    that both are strange, and hide as much, does not count then.

    Raises UsageError where rows differ, or one has no label.
    """
    if not plain.labelled.all() or len(lent) != plain.n:
        raise UsageError(
            "Frames without a label, or without another's background, cannot be compared.",
            advice="Leave them out of all four.",
        )
    return Control(
        n=plain.n,
        plain=_right(plain),
        blanked=_right(blanked),
        same=_right(same),
        other=_right(other),
        blanking=compare(plain, blanked, ("accuracy",), names=("plain", "blanked"))[0],
        reading=compare(same, other, ("accuracy",), names=("same class", "other class"))[0],
        followed=accuracy_over_patients(other.said == lent, other.patients.tolist()),
        followed_before=accuracy_over_patients(plain.said == lent, plain.patients.tolist()),
    )


def _right(answers: Answers) -> Estimate:
    return accuracy_over_patients(answers.said == answers.targets, answers.patients.tolist())


def _falls(one: Difference) -> bool:
    """By much, and not by chance alone as far as the interval tells; without one, by what was seen."""
    estimate = one.difference
    if estimate.value is None or estimate.value > -MUCH or estimate.n_patients < 2:
        return False
    return estimate.high is None or estimate.high < 0
