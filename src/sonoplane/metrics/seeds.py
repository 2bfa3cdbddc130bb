"""Several trainings of one method, alike but for their seeds: what chance in training adds to the doubt."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers, check_same_rows
from sonoplane.metrics.doubt import Scale, Spread, Statistic, Values, on_scale, spread, told
from sonoplane.metrics.intervals import Estimate
from sonoplane.metrics.measure import scale_of
from sonoplane.metrics.tally import CLASS_RANKINGS, Number, Tally, tally

__all__ = ["OverSeeds", "SeedsApart", "over_seeds", "seeds_apart"]

_NUMBERS = ("accuracy", "balanced_accuracy", "macro_f1", "auroc")


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


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedsApart:
    """How much better the trainings of the second method are on average than those of the first, in one number."""

    number: str
    of: str
    """The class; empty for a number of the whole set."""
    difference: Estimate
    """Second mean minus first; its interval holds chance in patients and in both methods' training."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"number": self.number, "of": self.of, "difference": self.difference.to_json()}


def over_seeds(
    runs: Sequence[Answers],
    numbers: Sequence[str | Number] = _NUMBERS,
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[OverSeeds, ...]:
    """Numbers of a method that was trained several times, on the same rows; numbers are named as in `compare`.

    What is estimated is the number that the method reaches on average over trainings, on patients like these. On the
    scale of `estimates` (log odds), the variance of the mean of S trainings is

        patients^2 + between^2 / S

    where `patients` is the standard error of that mean over patients, who are drawn for all trainings alike, and
    `between` the standard deviation between trainings. Student's degrees of freedom are Satterthwaite's (1946) of
    the sum, with S - 1 for the second part.

    Raises UsageError for fewer than two runs, rows that differ, or a number that is not known.
    """
    method = _method(runs, numbers)
    scales = [scale_of(number) for number in method.wanted]
    found = _spread(method.mean, method, scales, draws, seed)
    with np.errstate(invalid="ignore"):
        apart = np.clip(on_scale(method.values, scales) - found.center, -2, 2)
    whole = _with_training(found, [(apart.var(axis=0, ddof=1), len(runs))])
    means = told(whole, n_patients=method.n_patients, shown=method.shown, scales=scales, level=level)
    return tuple(
        OverSeeds(
            number=number,
            of=of,
            values=tuple(None if np.isnan(value) else float(value) for value in values),
            sd=None if np.isnan(values).any() else float(values.std(ddof=1)),
            mean=mean,
        )
        for (number, of), values, mean in zip(method.wanted, method.values.T, means, strict=True)
    )


def seeds_apart(
    first: Sequence[Answers],
    second: Sequence[Answers],
    numbers: Sequence[str | Number] = _NUMBERS,
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[SeedsApart, ...]:
    """The differences between two methods, each trained several times: second mean minus first, on the same rows.

    As in `over_seeds`, with the same patients drawn for both and the variance between trainings of each. On Fisher's
    z, where such a difference is counted, a step between trainings is longer by 1 / (1 - difference^2).

    Raises UsageError as `over_seeds`.
    """
    one, other = _method(first, numbers), _method(second, numbers)
    check_same_rows(first[0], second[0])

    def apart(weights: Float64[np.ndarray, "draws patients"]) -> Values:
        return other.mean(weights) - one.mean(weights)

    scales: list[Scale] = ["signed"] * len(one.wanted)
    found = _spread(apart, one, scales, draws, seed)
    steeper = 1 / np.maximum(1 - found.values**2, 0.01)
    parts = [(method.values.var(axis=0, ddof=1) * steeper**2, len(method.values)) for method in (one, other)]
    whole = _with_training(found, parts)
    differences = told(whole, n_patients=one.n_patients, shown=one.shown, scales=scales, level=level)
    return tuple(
        SeedsApart(number=number, of=of, difference=difference)
        for (number, of), difference in zip(one.wanted, differences, strict=True)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Method:
    """The trainings of one method, counted by patient."""

    wanted: tuple[Number, ...]
    columns: tuple[int, ...]
    tallies: tuple[Tally, ...]
    n_patients: int
    values: Values
    """Of each training, in the numbers wanted."""

    @property
    def shown(self) -> list[int]:
        """How many patients each number is counted from, in the training that has it from the fewest."""
        fewest = np.min([counted.shown for counted in self.tallies], axis=0)
        return [int(fewest[column]) for column in self.columns]

    def mean(self, weights: Float64[np.ndarray, "draws patients"]) -> Values:
        """Over trainings, for any weights of the patients."""
        every = [counted.values(weights)[:, list(self.columns)] for counted in self.tallies]
        return np.asarray(np.mean(every, axis=0))


def _method(runs: Sequence[Answers], numbers: Sequence[str | Number]) -> _Method:
    if len(runs) < 2:
        raise UsageError("One training says nothing about others.", advice="Train with two seeds or more.")
    for run in runs[1:]:
        check_same_rows(runs[0], run)
    wanted = tuple((number, "") if isinstance(number, str) else number for number in numbers)
    ranked = [name for name in CLASS_RANKINGS if any(name == number for number, _ in wanted)]
    tallies = tuple(tally(run, ranked=ranked) for run in runs)
    columns, n_patients = tallies[0].columns(wanted), len(tallies[0].patients)
    all_of = np.ones((1, n_patients))
    return _Method(
        wanted=wanted,
        columns=columns,
        tallies=tallies,
        n_patients=n_patients,
        values=np.concatenate([counted.values(all_of)[:, list(columns)] for counted in tallies]),
    )


def _spread(statistic: Statistic, method: _Method, scales: Sequence[Scale], draws: int, seed: int) -> Spread:
    """Over patients."""
    return spread(
        statistic,
        n_patients=method.n_patients,
        shown=method.shown,
        scales=scales,
        draws=draws,
        seed=seed,
    )


def _with_training(found: Spread, parts: Sequence[tuple[Values, int]]) -> Spread:
    """Patients' spread and that of each method's mean, as one; a part is the variance between so many trainings."""
    of_means = [(variance / n_runs, n_runs - 1) for variance, n_runs in parts]
    with np.errstate(invalid="ignore", divide="ignore"):
        total = found.error**2 + sum(variance for variance, _ in of_means)
        squares = found.error**4 / found.freedom + sum(variance**2 / n for variance, n in of_means)
        freedom = total**2 / squares
    return replace(found, error=np.sqrt(total), freedom=np.maximum(freedom, 1))
