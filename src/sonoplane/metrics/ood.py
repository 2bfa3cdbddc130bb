"""Whether a frame is like those the network was validated on, told from its logits alone.

A network must name one of its classes whatever it is shown. Logits of unlike frames tend to be low: that is all that
these scores use, so they find some of the frames that are far from the training data (another organ, no probe contact).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Float64

from sonoplane.errors import UsageError
from sonoplane.metrics.calibration import patient_weights
from sonoplane.metrics.calibration_settings import FIT_AGAIN

__all__ = ["FEWEST_PATIENTS", "Likeness", "LikenessScore", "fit_likeness", "likeness"]

LikenessScore: TypeAlias = Literal["energy", "max-logit", "margin"]

#: Fewer patients than this do not show how unlike each other patients may be.
FEWEST_PATIENTS = 5


def _energy(logits: Float64[np.ndarray, "*rows classes"]) -> Float64[np.ndarray, "*rows"]:
    highest = logits.max(axis=-1)
    return np.asarray(highest + np.log(np.exp(logits - highest[..., None]).sum(axis=-1)))


def _margin(logits: Float64[np.ndarray, "*rows classes"]) -> Float64[np.ndarray, "*rows"]:
    two = np.partition(logits, -2, axis=-1)[..., -2:]
    return np.asarray(two[..., 1] - two[..., 0])


#: What is measured: the log of the sum of exponentials (Liu et al., Energy-based Out-of-distribution Detection, NeurIPS
#: 2020); the highest logit (Hendrycks et al., ICML 2022); how far it is above the second.
_SCORES: Mapping[LikenessScore, Callable[[Float64[np.ndarray, "..."]], Float64[np.ndarray, "..."]]] = {
    "energy": _energy,
    "max-logit": lambda logits: np.asarray(logits.max(axis=-1)),
    "margin": _margin,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Likeness:
    """From which score on a frame counts as like those of validation."""

    score: LikenessScore
    threshold: float
    accepted: float
    """The share of validation frames that are above it, every patient counting alike."""
    n_frames: int
    n_patients: int

    def __post_init__(self) -> None:
        if self.score not in _SCORES or not np.isfinite(self.threshold) or not 0 < self.accepted < 1:
            raise UsageError(
                f"{self.score!r} above {self.threshold} of {self.accepted} is no measure of likeness.",
                advice=FIT_AGAIN,
            )

    def unlike(self, logits: Float[np.ndarray, "frames classes"]) -> Bool[np.ndarray, "frames"]:
        """Which frames are unlike those of validation, by their raw logits."""
        return likeness(logits, self.score) < self.threshold

    def rejects(self, logits: Float[np.ndarray, "frames classes"]) -> bool:
        """Whether more than half of a recording's frames are unlike those of validation.

        With 95 % of frames accepted, at most about 10 % of recordings like those of validation are rejected: were it
        more, more than 5 % of frames would be (Markov's inequality).
        """
        return bool(self.unlike(logits).mean() > 0.5)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)


def likeness(
    logits: Float[np.ndarray, "*rows classes"], score: LikenessScore = "energy"
) -> Float64[np.ndarray, "*rows"]:
    """How like the known a frame is, from its raw logits: higher is liker.

    >>> likeness(np.array([[9.0, 0.0], [0.5, 0.1]]), "max-logit").tolist()
    [9.0, 0.5]

    Raises:
        UsageError: a logit is NaN.
    """
    values = np.asarray(logits, dtype=np.float64)
    if np.isnan(values).any():
        raise UsageError("A logit is NaN.", advice="Find where the network's answers turn NaN.")
    return _SCORES[score](values)


def fit_likeness(
    logits: Float[np.ndarray, "frames classes"],
    patients: Sequence[str],
    *,
    score: LikenessScore = "energy",
    accepted: float = 0.95,
) -> Likeness:
    """The threshold above which the share `accepted` of validation frames lies, every patient counting alike.

    Raises:
        UsageError: there are fewer than 5 patients, a logit is NaN, or all frames have the same score.
    """
    n_patients = len(set(patients))
    if n_patients < FEWEST_PATIENTS:
        raise UsageError(
            f"{n_patients} validation patients do not show how unlike each other patients may be.",
            advice=f"Validate on {FEWEST_PATIENTS} or more.",
        )
    values = likeness(logits, score)
    if np.ptp(values) < 1e-3:
        raise UsageError(
            f"The {score} is the same for all frames, so it tells none from another.",
            advice="Take the margin: answers of an ensemble have no other size.",
        )
    threshold = np.quantile(values, 1 - accepted, weights=patient_weights(patients), method="inverted_cdf")
    return Likeness(
        score=score,
        threshold=float(threshold),
        accepted=accepted,
        n_frames=len(logits),
        n_patients=n_patients,
    )
