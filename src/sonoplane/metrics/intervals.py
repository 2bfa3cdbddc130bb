"""How sure a score can be said: intervals over patients, since frames of one patient are alike."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float64
from scipy import stats
from scipy.special import expit, logit

from sonoplane.errors import UsageError

__all__ = [
    "ENOUGH_PATIENTS",
    "HELD",
    "MOST_APART",
    "NOTHING_KNOWN",
    "Estimate",
    "Method",
    "accuracy_over_patients",
    "interval",
]

Method: TypeAlias = Literal["bca", "t", "bootstrap"]

#: Fewer patients than this give a bootstrap too few different samples.
FEWEST_FOR_BCA = 5
#: An interval of a number above 0 whose ends lie further apart than by this factor tells nothing.
MOST_APART = 1000.0
NOTHING_KNOWN = "the patients are too few, or differ too much, to tell"
#: From so many patients on, intervals held the truth about as often as they promise.
ENOUGH_PATIENTS = 20
#: Of 100 simulated 95 % intervals over so many patients, how many held the truth, at least and at most: least where
#: one patient in ten fails, whom few patients do not show (`pytest -m slow tests/metrics/test_intervals.py`).
HELD: dict[Method, dict[int, tuple[int, int]]] = {
    "t": {3: (90, 95), 5: (88, 94), 8: (82, 93), 12: (82, 94), 16: (84, 94)},
    "bca": {5: (67, 80), 8: (71, 85), 12: (76, 89), 16: (81, 91)},
    "bootstrap": {3: (92, 96), 5: (90, 95), 8: (84, 95), 12: (83, 95), 16: (85, 96)},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A number with its interval over patients.

    >>> print(Estimate(value=0.9, low=0.7, high=0.97, n_patients=8, method="t"))
    0.90 (95 % CI 0.70 to 0.97, 8 patients: may be too narrow)
    """

    value: float | None
    """None where the number is undefined."""
    low: float | None
    high: float | None
    """Both None where no interval can be given; `why` says why."""
    n_patients: int
    """Patients that the number is counted from: for a class, those that show it."""
    method: Method
    level: float = 0.95
    why: str = ""

    @property
    def caution(self) -> str:
        """The warning with an interval over few patients, and how often such ones held the truth; else empty."""
        if self.low is None or self.n_patients >= ENOUGH_PATIENTS:
            return ""
        simulated = HELD[self.method]
        n = max((n for n in simulated if n <= self.n_patients), default=min(simulated))
        least, most = simulated[n]
        return (
            f"With {self.n_patients} patients the interval may be too narrow: of simulated 95 % intervals over {n},"
            f" {least} % to {most} % held the truth, fewest where one patient in ten fails."
        )

    def __str__(self) -> str:
        patients = "1 patient" if self.n_patients == 1 else f"{self.n_patients} patients"
        if self.value is None:
            return f"undefined ({self.why})"
        if self.low is None or self.high is None:
            return f"{self.value:.2f} (no interval: {self.why}; {patients})"
        narrow = ": may be too narrow" if self.caution else ""
        return f"{self.value:.2f} ({self.level * 100:g} % CI {self.low:.2f} to {self.high:.2f}, {patients}{narrow})"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "patients": self.n_patients,
            "method": self.method,
            "why": self.why,
            "caution": self.caution,
            "text": str(self),
        }


def interval(
    parts: npt.ArrayLike,
    wholes: npt.ArrayLike | None = None,
    *,
    method: Literal["bca", "t"] = "t",
    positive: bool = False,
    level: float = 0.95,
    draws: int = 4999,
    seed: int = 0,
) -> Estimate:
    """The ratio sum(parts) / sum(wholes) with its interval; one entry for each patient.

    For frame accuracy give each patient's right frames and labelled frames; without `wholes` it is the mean
    of the patients' values. `t` is Student's interval with the ratio's linearized variance (Cochran 1977,
    section 6.4), on the scale of log odds where the parts lie between 0 and their wholes, so that it stays
    within 0 and 1, and on that of the logarithm where it is said to be `positive` (a loss). `bca` is the
    bias-corrected and accelerated bootstrap over patients (Efron 1987).

    How often 95 % intervals held the truth, patients' accuracies drawn from Beta(18, 2) and Beta(9, 1), 10,000
    sets each, in `pytest -m slow tests/metrics/test_intervals.py`: with 8 patients `t` 94 % and 93 %, `bca`
    87 % and 86 %; with 30 patients `t` 95 % and 94 %, `bca` 93 % and 92 %. So `t` is the default.

    Raises UsageError for NaN, wholes that are not above 0, and lengths that differ.

    >>> print(interval([45, 50, 38, 47, 49, 50, 41, 46], [50] * 8))
    0.92 (95 % CI 0.81 to 0.96, 8 patients: may be too narrow)
    >>> print(interval([48], [50]))
    0.96 (no interval: one patient says nothing about others; 1 patient)
    """
    part, whole = _checked(parts, wholes)
    value, n = float(part.sum() / whole.sum()), len(part)
    bounded = wholes is not None and bool((part >= 0).all() and (part <= whole).all())
    why = _why_not(part / whole, method)
    if why:
        return Estimate(value=value, low=None, high=None, n_patients=n, method=method, level=level, why=why)
    if method == "t":
        low, high = _t(part, whole, level, "positive" if positive else "share" if bounded else "any")
    else:
        low, high = _bca(part, whole, level, draws, seed)
    if positive and not high < MOST_APART * low:
        return Estimate(
            value=value, low=None, high=None, n_patients=n, method=method, level=level, why=NOTHING_KNOWN
        )
    if not (np.isfinite(low) and np.isfinite(high)):
        why = "the patients are too few or too alike for a bootstrap, take the t-interval"
        return Estimate(value=value, low=None, high=None, n_patients=n, method=method, level=level, why=why)
    return Estimate(value=value, low=low, high=high, n_patients=n, method=method, level=level)


def accuracy_over_patients(
    right: Bool[np.ndarray, "frames"], patients: Sequence[str], *, method: Literal["bca", "t"] = "t"
) -> Estimate:
    """The share of right frames, with its interval over the patients whose frames they are.

    >>> print(accuracy_over_patients(np.array([True, True, False, True, True, False]), ["a"] * 3 + ["b"] * 3).value)
    0.6666666666666666
    """
    names, whose = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    return interval(
        np.bincount(whose, weights=right, minlength=len(names)),
        np.bincount(whose, minlength=len(names)),
        method=method,
    )


def _checked(
    parts: npt.ArrayLike, wholes: npt.ArrayLike | None
) -> tuple[Float64[np.ndarray, "patients"], Float64[np.ndarray, "patients"]]:
    """Both as numbers, one for each patient."""
    part = np.asarray(parts, dtype=np.float64)
    whole = np.ones_like(part) if wholes is None else np.asarray(wholes, dtype=np.float64)
    if part.ndim != 1 or part.shape != whole.shape or not len(part):
        raise UsageError(
            f"Values of shape {part.shape} and {whole.shape} are not one for each patient.",
            advice="Add up each patient's frames first.",
        )
    if not (np.isfinite(part).all() and np.isfinite(whole).all()):
        raise UsageError(
            "A patient's value is NaN or infinite.", advice="Leave out patients without a labelled frame."
        )
    if not (whole > 0).all():
        raise UsageError(
            "A patient has no labelled frames.", advice="Leave out patients without a labelled frame."
        )
    return part, whole


def _why_not(ratios: Float64[np.ndarray, "patients"], method: Method) -> str:
    """Why there is no interval; empty where there is one."""
    if len(ratios) == 1:
        return "one patient says nothing about others"
    if np.ptp(ratios) <= 1e-12 * np.abs(ratios).max():
        return "all patients have the same value"
    if method == "bca" and len(ratios) < FEWEST_FOR_BCA:
        return f"a bootstrap needs {FEWEST_FOR_BCA} patients, take the t-interval"
    return ""


def _t(
    part: Float64[np.ndarray, "patients"],
    whole: Float64[np.ndarray, "patients"],
    level: float,
    scale: Literal["share", "positive", "any"],
) -> tuple[float, float]:
    """Student's interval of a ratio, around its log odds or its logarithm where it is a share or positive."""
    n, ratio = len(part), part.sum() / whole.sum()
    error = np.sqrt(((part - ratio * whole) ** 2).sum() / (n * (n - 1))) / whole.mean()
    reach = stats.t.ppf((1 + level) / 2, n - 1) * error
    if scale == "any":
        return float(ratio - reach), float(ratio + reach)
    if scale == "positive":
        return float(ratio * np.exp(-reach / ratio)), float(ratio * np.exp(reach / ratio))
    reach /= ratio * (1 - ratio)
    return float(expit(logit(ratio) - reach)), float(expit(logit(ratio) + reach))


def _bca(
    part: Float64[np.ndarray, "patients"],
    whole: Float64[np.ndarray, "patients"],
    level: float,
    draws: int,
    seed: int,
) -> tuple[float, float]:
    """The BCa bootstrap interval of a ratio; NaN where it does not exist."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # degenerate samples come back as NaN and are told in words
        found = stats.bootstrap(
            (part, whole),
            lambda p, w, axis: p.sum(axis=axis) / w.sum(axis=axis),
            paired=True,
            vectorized=True,
            n_resamples=draws,
            confidence_level=level,
            method="BCa",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    return float(found.low), float(found.high)
