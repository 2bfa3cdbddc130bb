"""What becomes of a network's answers when the background of its frames is taken away, or is another recording's."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers
from sonoplane.metrics.differences import Difference, compare
from sonoplane.metrics.intervals import ENOUGH_PATIENTS, Estimate, accuracy_over_patients

__all__ = ["MUCH", "Control", "measure_control"]

#: A fall in accuracy by less than this is not told as one, however sure; nor is one that may be chance. A fall that may
#: be larger than this is not told to be none. Chosen on the networks of `python -m studies.background`.
MUCH = 0.05
#: A fall without an interval, as where all patients are alike, is told up to this p.
_CHANCE = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """The same frames, answered four times."""

    n: int
    n_asked: int
    """Frames that others could lend a background; in those that are not counted, both strange ones are alike."""
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
    changed: Mapping[str, float]
    """Mean share of pixels by which `blanked` and `same` differ from `plain`, and `other` from `same`."""
    calm: bool
    """Whether answers surely do not follow the background: no fall by `MUCH` can be, `same` is no guess, and
    half of the frames could be tried at least."""
    calm_classes: tuple[str, ...]
    """Classes in whose own frames, those named so as they are, that is sure as well."""

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
        return {
            "n": self.n,
            "n_asked": self.n_asked,
            "changed": dict(self.changed),
            **{name: getattr(self, name).to_json() for name in numbers},
        }


def measure_control(
    *,
    plain: Answers,
    blanked: Answers,
    same: Answers,
    other: Answers,
    lent: Int64[np.ndarray, "n"],
    changed: Mapping[str, float],
    n_asked: int,
) -> Control:
    """The accuracies and their differences over the same patients; `lent` is the class of each other background.

    What is told is the difference between a background of the same class and one of another (Xiao et al., ICLR 2021):
    that both are strange does not count then.

    Raises UsageError where rows differ, or one has no label.
    """
    if not plain.labelled.all() or len(lent) != plain.n:
        raise UsageError(
            "Frames without a label, or without another's background, cannot be compared.",
            advice="Leave them out of all four.",
        )
    reading, guess = _reading(same, other), max(Counter(plain.targets.tolist()).values()) / plain.n
    can_be = 2 * plain.n >= n_asked and _low(_right(same)) > guess
    own = {name: plain.said == number for number, name in enumerate(plain.classes)}
    return Control(
        n=plain.n,
        n_asked=n_asked,
        plain=_right(plain),
        blanked=_right(blanked),
        same=_right(same),
        other=_right(other),
        blanking=compare(plain, blanked, ("accuracy",), names=("plain", "blanked"))[0],
        reading=reading,
        followed=accuracy_over_patients(other.said == lent, other.patients.tolist()),
        followed_before=accuracy_over_patients(plain.said == lent, plain.patients.tolist()),
        changed=changed,
        calm=can_be and _low(reading.difference) > -MUCH,
        calm_classes=tuple(
            name
            for name, rows in own.items()
            if can_be and rows.any() and _low(_reading(same.only(rows), other.only(rows)).difference) > -MUCH
        ),
    )


def _right(answers: Answers) -> Estimate:
    return accuracy_over_patients(answers.said == answers.targets, answers.patients.tolist())


def _reading(same: Answers, other: Answers) -> Difference:
    return compare(same, other, ("accuracy",), names=("same class", "other class"))[0]


def _low(one: Estimate) -> float:
    """What it is at least; patients who are all alike tell that where they are enough."""
    if one.low is not None:
        return one.low
    return one.value if one.value is not None and one.n_patients >= ENOUGH_PATIENTS else -np.inf


def _falls(one: Difference) -> bool:
    """By much, and not by chance alone as far as the interval tells; without one, as far as p does."""
    estimate = one.difference
    if estimate.value is None or estimate.value > -MUCH:
        return False
    return one.p is not None and one.p <= _CHANCE if estimate.high is None else estimate.high < 0
