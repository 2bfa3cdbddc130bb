"""Several trainings of one method, alike but for their seeds: what chance in training adds to the doubt."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers, check_same_rows
from sonoplane.metrics.doubt import Scale, Spread, on_scale, spread, told
from sonoplane.metrics.intervals import Estimate
from sonoplane.metrics.measure import scale_of
from sonoplane.metrics.tally import CLASS_RANKINGS, tally

__all__ = ["OverSeeds", "over_seeds"]


@dataclass(frozen=True, kw_only=True, slots=True)
class OverSeeds:
    """One number over several trainings."""

    number: str
    of: str
    """The class; empty for a number of the whole set."""
    values: tuple[float | None, ...]
    """Of each training, in their order; None where it is undefined."""
    sd: float | None
    """Standard deviation between trainings."""
    mean: Estimate
    """Their mean; its interval holds chance in patients and in training."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "number": self.number,
            "of": self.of,
            "values": list(self.values),
            "sd": self.sd,
            "mean": self.mean.to_json(),
        }


def over_seeds(
    runs: Sequence[Answers],
    *,
    top: Sequence[int] = (),
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[OverSeeds, ...]:
    """Every number of a method that was trained several times, on the same rows.

    What is estimated is the number that the method reaches on average over trainings, on patients like these. On the
    scale of `estimates` (log odds), the variance of the mean of S trainings is

        patients^2 + between^2 / S

    where `patients` is the standard error of that mean over patients, who are drawn for all trainings alike, and
    `between` the standard deviation between trainings. Student's degrees of freedom are Satterthwaite's (1946) of
    the sum, with S - 1 for the second part.

    Raises UsageError for fewer than two runs, or rows that differ.
    """
    if len(runs) < 2:
        raise UsageError("One training says nothing about others.", advice="Train with two seeds or more.")
    for run in runs[1:]:
        check_same_rows(runs[0], run)
    tallies = [
        tally(run, top=[k for k in top if 0 < k < len(run.classes)], ranked=CLASS_RANKINGS) for run in runs
    ]
    first = tallies[0]
    n_patients, scales = len(first.patients), [scale_of(number) for number in first.numbers]

    def mean(weights: Float64[np.ndarray, "draws patients"]) -> Float64[np.ndarray, "draws numbers"]:
        return np.asarray(np.mean([counted.values(weights) for counted in tallies], axis=0))

    each = np.concatenate([counted.values(np.ones((1, n_patients))) for counted in tallies])
    shown = np.min([counted.shown for counted in tallies], axis=0).tolist()
    of_patients = spread(mean, n_patients=n_patients, shown=shown, scales=scales, draws=draws, seed=seed)
    found = _with_training(of_patients, each, scales)
    means = told(found, n_patients=n_patients, shown=shown, scales=scales, level=level)
    return tuple(
        OverSeeds(
            number=number,
            of=of,
            values=tuple(None if np.isnan(value) else float(value) for value in each[:, i]),
            sd=None if np.isnan(each[:, i]).any() else float(each[:, i].std(ddof=1)),
            mean=means[i],
        )
        for i, (number, of) in enumerate(first.numbers)
    )


def _with_training(found: Spread, each: npt.NDArray[np.float64], scales: Sequence[Scale]) -> Spread:
    """Patients' spread and that between trainings, as one."""
    n_runs = len(each)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.clip(on_scale(each, scales) - found.center, -2, 2)
        training = apart.var(axis=0, ddof=1) / n_runs
        total = found.error**2 + training
        freedom = total**2 / (found.error**4 / found.freedom + training**2 / (n_runs - 1))
    return replace(found, error=np.sqrt(total), freedom=np.maximum(freedom, 1))
