"""When it is better not to answer: the risk that each threshold leaves, and the one that keeps a wished precision."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float64, Int64

from sonoplane.errors import UsageError
from sonoplane.metrics.calibration_settings import FIT_AGAIN

__all__ = [
    "RiskCoverage",
    "Threshold",
    "lower_bound",
    "risk_coverage",
    "threshold_for",
]

#: Thresholds that are tried with caution at most.
_TRIED = 200

#: How often a warranted precision may turn out not to be kept.
_ERROR = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskCoverage:
    """What share of answers is wrong, for every share that is given; the surest are given first."""

    threshold: Float64[np.ndarray, "points"]
    """Answers at least so sure are given; falling, a point for each value that occurs."""
    coverage: Float64[np.ndarray, "points"]
    """The share given, up to 1."""
    risk: Float64[np.ndarray, "points"]
    """The share of them that is wrong."""
    aurc: float
    """Area under the curve: the mean risk over all coverages (Geifman et al., ICLR 2019); order within equal values
    does not matter."""
    excess: float
    """How much of the area better sorting would spare: 0 where every wrong answer is less sure than every right one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """From which probability on answers are given, and how right they were on validation then."""

    wished: float
    """The precision that was asked for."""
    cautious: bool
    """Whether its lower bound had to reach it."""
    value: float | None
    """Give answers at least so sure; None where no threshold keeps the precision, and `why` says why."""
    precision: float | None
    """The share of given answers that are right."""
    low: float | None
    """Its lower 95 % bound, one-sided, over patients."""
    coverage: float
    """The share of answers that are given."""
    n: int
    """All answers."""
    n_patients: int
    why: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.wished <= 1 or not (self.value is None or math.isfinite(self.value)):
            raise UsageError(
                f"{self.value} for a precision of {self.wished} is no threshold.", advice=FIT_AGAIN
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)


def risk_coverage(confidence: npt.ArrayLike, right: npt.ArrayLike) -> RiskCoverage:
    """The risk-coverage curve of some answers, by how sure each is and whether it is right.

    >>> curve = risk_coverage([0.9, 0.8, 0.6, 0.6], [True, False, True, False])
    >>> curve.threshold.tolist(), curve.coverage.tolist(), curve.risk.tolist()
    ([0.9, 0.8, 0.6], [0.25, 0.5, 1.0], [0.0, 0.5, 0.5])

    Raises:
        UsageError: there is no answer, one is NaN, or the two do not belong together.
    """
    sure, true = _checked(confidence, right)
    values, ends, wrong = _sorted(sure, true)
    n = len(sure)
    given = np.arange(1, n + 1)
    along = np.interp(given, np.append(0, ends), np.append(0, wrong))
    best = np.maximum(given - int(true.sum()), 0)
    return RiskCoverage(
        threshold=values,
        coverage=ends / n,
        risk=wrong / ends,
        aurc=float((along / given).mean()),
        excess=float(((along - best) / given).mean()),
    )


def threshold_for(
    confidence: npt.ArrayLike,
    right: npt.ArrayLike,
    patients: Sequence[str],
    wished: float,
    *,
    cautious: bool = True,
) -> Threshold:
    """The lowest threshold whose given answers are right at least as often as `wished`.

    That the best of many thresholds looks right so often is partly luck. With caution, a threshold counts only when
    the lower bound of its precision reaches `wished`, tried from a start on toward less sure answers until one does
    not; starts are where the surest answers come from just enough patients, from twice as many, and so on (fixed
    sequence testing with several starts; Angelopoulos et al., Learn then Test, 2021). The precision of new patients'
    answers is then below `wished` for about one validation set in twenty at most. It takes log(0.05) / log(wished)
    patients: 29 for 0.9.

    >>> told = threshold_for([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1], ["a", "b", "c", "d"], 0.8, cautious=False)
    >>> told.value, told.precision, told.coverage
    (0.8, 1.0, 0.5)

    Raises:
        UsageError: as `risk_coverage`, or `wished` is not between 0 and 1.
    """
    sure, true = _checked(confidence, right)
    whose = np.unique(np.asarray(patients, dtype=str), return_inverse=True)[1]
    if len(whose) != len(sure):
        raise UsageError(
            f"{len(whose)} patients meet {len(sure)} answers.", advice="Name each answer's patient."
        )
    if not 0 < wished < 1:
        raise UsageError(f"A precision of {wished} cannot be kept.", advice="Wish for one between 0 and 1.")
    chosen = (_with_caution if cautious else _plainly)(sure, true, whose, wished)
    n_patients = int(whose.max()) + 1
    if chosen is None:
        short = cautious and n_patients < _needed(wished)
        why = (
            f"{n_patients} patients are too few to warrant {wished:g}: it takes {_needed(wished)}"
            if short
            else f"{n_patients} patients do not warrant {wished:g} for any answers"
            if cautious
            else f"no answers are sure enough to be right {wished:.0%} of the time"
        )
        return Threshold(
            wished=wished, cautious=cautious, value=None, precision=None, low=None, coverage=0.0,
            n=len(sure), n_patients=n_patients, why=why,
        )  # fmt: skip
    given = sure >= chosen
    return Threshold(
        wished=wished,
        cautious=cautious,
        value=chosen,
        precision=float(true[given].mean()),
        low=lower_bound(true[given], whose[given]),
        coverage=float(given.mean()),
        n=len(sure),
        n_patients=n_patients,
    )


def lower_bound(
    right: Bool[np.ndarray, "n"], patients: Int64[np.ndarray, "n"], *, level: float = 0.95
) -> float:
    """The one-sided lower bound of the share of right answers, over patients; 0 where there is one patient.

    Clopper and Pearson's bound with as many answers as would be worth these if patients' answers were independent (Korn
    and Graubard 1998); where all are right, a patient counts as one answer.

    >>> round(lower_bound(np.ones(29, bool), np.arange(29)), 3)
    0.902
    """
    from scipy.special import (
        betaincinv,
        stdtrit,
    )  # here, since it is slow to import and prediction does without

    n, whose = len(right), np.unique(patients, return_inverse=True)[1]
    wholes = np.bincount(whose).astype(np.float64)
    parts = np.bincount(whose, weights=right)
    n_patients, share = len(wholes), float(np.mean(right))
    if n_patients < 2 or share == 0:
        return 0.0
    spread = n_patients / (n_patients - 1) * float(((parts - share * wholes) ** 2).sum()) / n**2
    worth = float(n_patients)
    if share < 1 and spread > 0:
        student = stdtrit(n - 1, level) / stdtrit(n_patients - 1, level)
        worth = min(float(n), share * (1 - share) / spread * float(student) ** 2)
    return float(betaincinv(worth * share, worth * (1 - share) + 1, 1 - level))


def _plainly(
    sure: Float64[np.ndarray, "n"],
    true: Bool[np.ndarray, "n"],
    whose: Int64[np.ndarray, "n"],
    wished: float,
) -> float | None:
    values, ends, wrong = _sorted(sure, true)
    kept = values[1 - wrong / ends >= wished]
    return float(kept[-1]) if len(kept) else None


def _with_caution(
    sure: Float64[np.ndarray, "n"],
    true: Bool[np.ndarray, "n"],
    whose: Int64[np.ndarray, "n"],
    wished: float,
) -> float | None:
    """Down from each start as long as the bound holds; the starts know of no answer whether it is right."""
    n_starts = max(1, 1 + int(math.log2(max(1.0, (whose.max() + 1) / _needed(wished)))))
    error = _ERROR / n_starts
    starts = [_needed(wished, error) * 2**k for k in range(n_starts)]
    values = np.unique(sure)[::-1]
    chosen, holds = None, False
    for value in values[np.linspace(0, len(values) - 1, min(len(values), _TRIED)).astype(int)]:
        given = sure >= value
        while starts and len(np.unique(whose[given])) >= starts[0]:
            holds = bool(starts.pop(0))
        holds = holds and lower_bound(true[given], whose[given], level=1 - error) >= wished
        chosen = float(value) if holds else chosen
    return chosen


def _needed(wished: float, error: float = _ERROR) -> int:
    """Patients whose answers, all of them right, warrant this precision."""
    return math.ceil(math.log(error) / math.log(wished))


def _sorted(
    sure: Float64[np.ndarray, "n"], true: Bool[np.ndarray, "n"]
) -> tuple[Float64[np.ndarray, "points"], Int64[np.ndarray, "points"], Int64[np.ndarray, "points"]]:
    """The values that occur, falling; how many answers are at least so sure; how many of these are wrong."""
    order = np.argsort(-sure, kind="stable")
    last = np.append(np.flatnonzero(np.diff(sure[order])), len(sure) - 1)
    return sure[order][last], last + 1, np.cumsum(~true[order])[last]


def _checked(
    confidence: npt.ArrayLike, right: npt.ArrayLike
) -> tuple[Float64[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    sure, true = np.asarray(confidence, dtype=np.float64), np.asarray(right)
    if sure.ndim != 1 or sure.shape != true.shape or not len(sure):
        raise UsageError(
            f"{sure.shape} confidences and {true.shape} answers do not belong together.",
            advice="Give how sure each answer is and whether it is right, one or more.",
        )
    if not np.isfinite(sure).all() or (true.dtype.kind == "f" and np.isnan(true).any()):
        raise UsageError("A confidence or an answer is NaN.", advice="Leave out what is not labelled.")
    return sure, true.astype(bool)
