"""Thresholds keep the precision that was wished for, or say that they cannot."""

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.abstention import lower_bound, risk_coverage, threshold_for


def answers(n_patients: int, each: int = 3, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """How sure and whether right: the surer the righter; patients differ."""
    rng = np.random.default_rng(seed)
    sure = rng.uniform(0.4, 1.0, n_patients * each)
    hard = np.repeat(rng.normal(0, 0.05, n_patients), each)
    right = rng.random(len(sure)) < np.clip(sure + hard, 0, 1)
    return sure, right, [f"p{i // each}" for i in range(len(sure))]


def test_the_curve_ends_with_the_risk_of_answering_always() -> None:
    sure, right, _ = answers(50)
    curve = risk_coverage(sure, right)
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx(1 - right.mean())
    assert (np.diff(curve.threshold) < 0).all()
    assert (np.diff(curve.coverage) > 0).all()


def test_the_area_is_the_mean_risk_and_what_is_over_is_bad_sorting() -> None:
    sure, right, _ = answers(50)
    order = np.argsort(-sure)
    risks = np.cumsum(~right[order]) / np.arange(1, len(sure) + 1)
    curve = risk_coverage(sure, right)
    assert curve.aurc == pytest.approx(risks.mean())
    assert 0 < curve.excess < curve.aurc
    assert risk_coverage(right + 0.1, right).excess == pytest.approx(0)


def test_the_order_of_equal_values_does_not_matter() -> None:
    right = np.array([1, 0, 1, 1, 0, 1], dtype=bool)
    sure = np.array([0.9, 0.9, 0.9, 0.5, 0.5, 0.5])
    assert risk_coverage(sure, right).aurc == risk_coverage(sure, right[[1, 2, 0, 5, 3, 4]]).aurc
    assert risk_coverage(np.full(6, 0.5), right).aurc == pytest.approx(1 / 3)


def test_the_lowest_threshold_that_keeps_the_precision_is_found() -> None:
    sure, right, patients = answers(60)
    found = threshold_for(sure, right, patients, 0.85, cautious=False)
    assert found.value is not None
    kept = [value for value in sure if right[sure >= value].mean() >= 0.85]
    assert found.value == min(kept)
    assert found.precision == pytest.approx(right[sure >= found.value].mean())
    assert found.coverage == pytest.approx((sure >= found.value).mean())


def test_caution_answers_less() -> None:
    sure, right, patients = answers(400)
    plain, cautious = (threshold_for(sure, right, patients, 0.85, cautious=c) for c in (False, True))
    assert plain.value is not None
    assert cautious.value is not None
    assert cautious.low is not None
    assert plain.value < cautious.value
    assert plain.coverage > cautious.coverage > 0.1
    assert cautious.low >= 0.85


def test_the_warranted_precision_is_kept_for_new_patients() -> None:
    """Of 200 sets of 60 patients, at most about one in twenty gets a threshold below which the truth falls."""
    sure, right, _ = answers(20_000, seed=99)
    broken = {True: 0, False: 0}
    for seed in range(200):
        drawn = answers(60, seed=seed)
        for cautious in broken:
            value = threshold_for(*drawn, 0.85, cautious=cautious).value
            broken[cautious] += value is not None and right[sure >= value].mean() < 0.85
    assert broken[True] <= 16
    assert broken[False] > 60, "which is why caution is the default"


def test_too_few_patients_warrant_nothing_and_it_says_so() -> None:
    found = threshold_for([0.9] * 56, [True] * 56, [f"p{i // 2}" for i in range(56)], 0.9)
    assert (found.value, found.precision, found.coverage) == (None, None, 0.0)
    assert found.why == "28 patients are too few to warrant 0.9: it takes 29"
    enough = threshold_for([0.9] * 58, [True] * 58, [f"p{i // 2}" for i in range(58)], 0.9)
    assert enough.value == 0.9


def test_where_no_answer_is_sure_enough_it_says_so() -> None:
    found = threshold_for([0.9, 0.8], [False, False], ["a", "b"], 0.5, cautious=False)
    assert found.value is None
    assert "sure enough to be right 50% of the time" in found.why


def test_the_bound_of_independent_answers_is_clopper_and_pearsons() -> None:
    stats = pytest.importorskip("scipy.stats")
    right = np.arange(40) >= 4
    theirs = stats.binomtest(36, 40, alternative="greater").proportion_ci(0.95).low
    assert lower_bound(right, np.arange(40)) == pytest.approx(theirs, abs=0.005)


def test_frames_of_one_patient_do_not_count_as_many() -> None:
    right = np.arange(20) >= 2
    alone = lower_bound(right, np.arange(20))
    assert lower_bound(np.repeat(right, 50), np.repeat(np.arange(20), 50)) == pytest.approx(alone, abs=0.02)
    assert lower_bound(np.ones(500, bool), np.arange(500) % 5) == pytest.approx(0.05 ** (1 / 5))
    assert lower_bound(np.ones(500, bool), np.zeros(500, int)) == 0
    assert lower_bound(np.zeros(9, bool), np.arange(9)) == 0


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="NaN"):
        risk_coverage([0.5, np.nan], [True, False])
    with pytest.raises(UsageError, match="NaN"):
        risk_coverage([0.5, 0.6], [1.0, np.nan])
    with pytest.raises(UsageError, match="do not belong"):
        risk_coverage([], [])
    with pytest.raises(UsageError, match="3 patients meet 2"):
        threshold_for([0.5, 0.6], [True, True], ["a", "b", "c"], 0.9)
    with pytest.raises(UsageError, match=r"precision of 1\.2"):
        threshold_for([0.5], [True], ["a"], 1.2)
