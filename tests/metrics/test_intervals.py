"""Intervals over patients hold what they promise, or say that they cannot."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from sonoplane.errors import UsageError
from sonoplane.metrics.doubt import estimates
from sonoplane.metrics.intervals import HELD, Estimate, Method, interval

OfRatios = Literal["t", "bca"]
METHODS: tuple[OfRatios, ...] = ("t", "bca")


def coverage(method: OfRatios, *, n_patients: int, beta: tuple[int, int], repeats: int) -> float:
    """How often the 95 % interval of frame accuracy holds the truth, in simulated sets of patients."""
    rng = np.random.default_rng(1)
    truth, held = beta[0] / sum(beta), 0
    for seed in range(repeats):
        labelled = rng.integers(40, 160, n_patients)
        right = rng.binomial(labelled, rng.beta(*beta, n_patients))
        found = interval(right, labelled, method=method, draws=999, seed=seed)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    return held / repeats


@pytest.mark.parametrize("method", ["t", "bca"])
def test_coverage_is_about_nominal_from_thirty_patients(method: OfRatios) -> None:
    assert 0.90 <= coverage(method, n_patients=30, beta=(18, 2), repeats=400) <= 0.985


def test_with_eight_patients_t_holds_and_the_bootstrap_is_too_narrow() -> None:
    t, bca = (coverage(m, n_patients=8, beta=(18, 2), repeats=400) for m in METHODS)
    assert 0.90 <= t <= 0.985
    assert 0.80 <= bca < t


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_patients", "beta", "t", "bca"),
    [
        (8, (18, 2), 0.94, 0.87),
        (8, (9, 1), 0.93, 0.86),
        (30, (18, 2), 0.95, 0.93),
        (30, (9, 1), 0.94, 0.92),
    ],
)
def test_the_coverage_told_in_the_docstring_is_right(
    n_patients: int, beta: tuple[int, int], t: float, bca: float
) -> None:
    """The tolerance is about four standard errors of 10,000 repeats."""
    found = {m: coverage(m, n_patients=n_patients, beta=beta, repeats=10_000) for m in METHODS}
    assert found == pytest.approx({"t": t, "bca": bca}, abs=0.0125)


POPULATIONS: dict[str, tuple[float, Callable[[np.random.Generator, int], npt.NDArray[np.float64]]]] = {
    "even": (0.9, lambda rng, n: rng.beta(18, 2, n)),
    "uneven": (0.9, lambda rng, n: rng.beta(9, 1, n)),
    "one in ten fails": (
        0.86,
        lambda rng, n: np.where(rng.random(n) < 0.1, rng.beta(5, 5, n), rng.beta(45, 5, n)),
    ),
}


def found_by(method: Method, right: npt.NDArray[np.int64], n: npt.NDArray[np.int64], seed: int) -> Estimate:
    if method != "bootstrap":
        return interval(right, n, method=method, draws=599, seed=seed)
    (found,) = estimates(
        lambda w: ((w @ right) / (w @ n))[:, None],
        n_patients=len(n),
        shown=[len(n)],
        scales=["share"],
        draws=400,
        seed=seed,
    )
    return found


def held_by(method: Method, population: str, *, n_patients: int, repeats: int) -> float:
    """Of 100 intervals, how many hold the truth."""
    truth, draw = POPULATIONS[population]
    rng, held = np.random.default_rng(1), 0
    for seed in range(repeats):
        n = rng.integers(40, 160, n_patients)
        found = found_by(method, rng.binomial(n, draw(rng, n_patients)), n, seed)
        held += found.low is not None and found.high is not None and found.low <= truth <= found.high
    return 100 * held / repeats


@pytest.mark.slow
@pytest.mark.parametrize(("n_patients", "told"), [(20, 87), (30, 89), (40, 91)])
def test_where_one_patient_in_ten_fails_intervals_hold_as_often_as_the_docs_tell(
    n_patients: int, told: int
) -> None:
    """`docs/evaluation.md` tells these; the tolerance is about three standard errors of 2,000 repeats."""
    assert held_by("bootstrap", "one in ten fails", n_patients=n_patients, repeats=2000) == pytest.approx(
        told, abs=2
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", list(HELD))
def test_what_is_told_of_few_patients_is_right(method: Method) -> None:
    """The tolerance is about four standard errors of 1,000 repeats."""
    for n_patients, told in HELD[method].items():
        shares = [held_by(method, one, n_patients=n_patients, repeats=1000) for one in POPULATIONS]
        assert (min(shares), max(shares)) == pytest.approx(told, abs=5), n_patients


@pytest.mark.parametrize(
    ("method", "n_patients", "n"), [("t", 2, 3), ("t", 9, 8), ("bca", 6, 5), ("bootstrap", 19, 16)]
)
def test_the_caution_is_that_of_as_many_patients_or_fewer(method: Method, n_patients: int, n: int) -> None:
    one = Estimate(value=0.9, low=0.8, high=0.95, n_patients=n_patients, method=method)
    least, most = HELD[method][n]
    assert f"With {n_patients} patients" in one.caution
    assert f"over {n}, {least} % to {most} % held the truth" in one.caution
    assert one.to_json()["caution"] == one.caution


def test_an_undefined_number_is_told_as_such() -> None:
    one = Estimate(value=None, low=None, high=None, n_patients=0, method="t", why="nothing is labelled so")
    assert (str(one), one.caution) == ("undefined (nothing is labelled so)", "")


def test_t_of_plain_values_is_students_interval() -> None:
    values = [0.2, 1.4, -0.3, 0.9, 1.1]
    found = interval(values, method="t")
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((np.mean(values), low, high))


def test_bca_of_plain_values_is_scipys() -> None:
    values = np.random.default_rng(0).normal(size=12)
    found = interval(values, method="bca", seed=4)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=4999, method="BCa", rng=np.random.default_rng(4)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize("method", ["t", "bca"])
def test_patients_count_not_frames(method: OfRatios) -> None:
    right, labelled = np.array([45, 50, 38, 47, 49, 50, 41, 46]), np.full(8, 50)
    few, many = (interval(right * k, labelled * k, method=method) for k in (1, 100))
    assert (few.low, few.high) == pytest.approx((many.low, many.high))
    assert few.n_patients == 8


def test_patients_weigh_as_their_frames() -> None:
    assert interval([90, 5, 5, 5, 5], [100, 10, 10, 10, 10]).value == pytest.approx(110 / 140)


def test_an_accuracy_stays_within_0_and_1() -> None:
    for method in ("t", "bca"):
        found = interval([50, 50, 50, 50, 49, 20], [50] * 6, method=method)
        assert found.low is not None
        assert found.high is not None
        assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize("method", ["t", "bca"])
@pytest.mark.parametrize(
    ("right", "told"),
    [
        ([9], "one patient says nothing about others; 1 patient"),
        ([9, 9, 9], "all patients have the same value"),
    ],
)
def test_where_there_is_no_interval_it_says_why(right: list[int], told: str, method: OfRatios) -> None:
    found = interval(right, [10] * len(right), method=method)
    assert (found.value, found.low, found.high) == (0.9, None, None)
    assert f"0.90 (no interval: {told}" in str(found)


def test_a_bootstrap_of_three_patients_is_refused_in_words() -> None:
    assert "take the t-interval" in str(interval([9, 8, 7], [10] * 3, method="bca"))


@pytest.mark.parametrize(
    ("parts", "wholes", "told"),
    [
        ([1.0, np.nan], None, "NaN"),
        ([1, 2], [1, 0], "no labelled frames"),
        ([1, 2], [1], "one for each"),
        ([], None, "one for"),
    ],
)
def test_what_cannot_be_is_refused(parts: list[float], wholes: list[float] | None, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        interval(parts, wholes)


def test_a_loss_has_a_positive_interval_however_large_it_is() -> None:
    for worst in (0.95, 1.05, 3.0):
        found = interval([0.1, 0.2, worst, 0.3], positive=True)
        assert 0 < found.low < found.value < found.high
    assert interval([0.1, 0.2, 0.95, 0.3], positive=True).high > 1


def test_a_loss_of_two_patients_who_differ_widely_has_no_interval() -> None:
    found = interval([0.1, 2.0], positive=True)
    assert found.low is None
    assert "too few, or differ too much, to tell" in str(found)
    (same,) = estimates(
        lambda w: ((w @ np.array([0.1, 2.0])) / w.sum(axis=1))[:, None],
        n_patients=2,
        shown=[2],
        scales=["positive"],
    )
    assert same.low is None
