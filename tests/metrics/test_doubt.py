"""Intervals of any number hold the truth as often as they promise, or say that they cannot."""

import numpy as np
import pytest

from sonoplane.metrics.answers import Answers, answers_of
from sonoplane.metrics.doubt import estimates, resampled
from sonoplane.metrics.measure import measure, scale_of
from sonoplane.metrics.tally import Number, tally
from tests.metrics.patients import simulated

#: What the simulated network reaches on patients without end: 12,000 of them (`test_the_truth_is_true`).
TRUTH = {
    "usual": {
        "accuracy": 0.7018,
        "balanced_accuracy": 0.6688,
        "macro_f1": 0.6319,
        "kappa": 0.6087,
        "auroc": 0.9057,
    },
    "sure": {
        "accuracy": 0.9286,
        "balanced_accuracy": 0.9154,
        "macro_f1": 0.8933,
        "kappa": 0.9047,
        "auroc": 0.9928,
    },
}
SKILL = {"usual": {"skill": 2.2, "spread": 0.8}, "sure": {"skill": 4.0, "spread": 1.0}}


def found(answers: Answers, seed: int, draws: int) -> dict[Number, tuple[float, float]]:
    counted = tally(answers, ranked=["auroc"])
    made = estimates(
        counted.values,
        n_patients=len(counted.patients),
        shown=counted.shown,
        scales=[scale_of(number) for number in counted.numbers],
        draws=draws,
        seed=seed,
    )
    return {
        number: (one.low, one.high)
        for number, one in zip(counted.numbers, made, strict=True)
        if one.low is not None and one.high is not None
    }


def coverage(
    kind: str, *, n_patients: int, repeats: int, draws: int = 300, seed: int = 5
) -> dict[str, float]:
    """How often 95 % intervals held the truth, of those that could be given."""
    rng, held = np.random.default_rng(seed), {name: np.zeros(2) for name in TRUTH[kind]}
    for repeat in range(repeats):
        made = found(simulated(rng, n_patients, **SKILL[kind]), repeat, draws)
        for name, truth in TRUTH[kind].items():
            if (name, "") in made:
                low, high = made[name, ""]
                held[name] += (low <= truth <= high, 1)
    assert all(given > 0.95 * repeats for _, given in held.values())
    return {name: float(count / given) for name, (count, given) in held.items()}


def test_coverage_with_forty_patients_is_about_nominal() -> None:
    """A quick look: of 60 sets, a right interval holds 51 or more 999 times in 1,000."""
    for name, share in coverage("usual", n_patients=40, repeats=60, draws=200).items():
        assert share >= 0.85, name


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(TRUTH))
def test_coverage_with_forty_patients_is_within_three_points_of_nominal(kind: str) -> None:
    """`docs/evaluation.md` tells the least and the most; 1,000 sets give them to a point or so."""
    shares = coverage(kind, n_patients=40, repeats=1000, draws=500)
    assert all(0.92 <= share <= 0.98 for share in shares.values()), shares
    assert (min(shares.values()), max(shares.values())) == pytest.approx((0.94, 0.95), abs=0.015), shares


@pytest.mark.slow
@pytest.mark.parametrize("n_patients", [5, 8, 12])
def test_coverage_with_few_patients_is_within_what_is_told(n_patients: int) -> None:
    for kind in TRUTH:
        for name, share in coverage(kind, n_patients=n_patients, repeats=300).items():
            assert 0.90 <= share <= 0.99, (kind, name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(TRUTH))
def test_the_truth_is_true(kind: str) -> None:
    means: dict[str, list[float]] = {name: [] for name in TRUTH[kind]}
    for seed in range(40):
        counted = tally(simulated(np.random.default_rng(1000 + seed), 300, **SKILL[kind]), ranked=["auroc"])
        values = dict(zip(counted.numbers, counted.values(np.ones((1, 300)))[0], strict=True))
        for name, of_seeds in means.items():
            of_seeds.append(float(values[name, ""]))
    assert {name: np.mean(v) for name, v in means.items()} == pytest.approx(TRUTH[kind], abs=0.0001)


def test_patients_count_not_frames() -> None:
    answers = simulated(np.random.default_rng(0), 10)
    once = np.arange(answers.n)
    ten = answers.only(np.repeat(once, 10))
    one, other = (found(a, 0, 100) for a in (answers, ten))
    assert {number: pytest.approx(bounds) for number, bounds in one.items()} == other


def test_samples_of_patients_are_reproducible_and_complete() -> None:
    assert np.array_equal(resampled(7, 20, seed=3), resampled(7, 20, seed=3))
    assert (resampled(7, 20, seed=3).sum(axis=1) == 7).all()
    assert not np.array_equal(resampled(7, 20, seed=3), resampled(7, 20, seed=4))


def test_intervals_stay_within_their_scale() -> None:
    for seed in range(20):
        made = found(simulated(np.random.default_rng(seed), 4, skill=3.0), seed, 100)
        assert made
        for (name, _), (low, high) in made.items():
            assert (-1 if name == "kappa" else 0) <= low <= high <= 1


def test_one_patient_has_no_interval() -> None:
    one = measure(simulated(np.random.default_rng(0), 1)).numbers["accuracy"]
    assert (one.low, one.high, one.n_patients) == (None, None, 1)
    assert "one patient says nothing about others" in str(one)


def test_a_class_that_one_patient_shows_has_no_interval() -> None:
    answers = simulated(np.random.default_rng(0), 8)
    shows = np.unique(answers.patients[answers.targets == 2])[0]
    answers = answers.only((answers.targets != 2) | (answers.patients == shows))
    of_class = measure(answers).classes[2]
    assert of_class.n_patients == 1
    assert of_class.numbers["recall"].low is None
    assert "only one patient shows it" in str(of_class.numbers["recall"])
    assert of_class.numbers["recall"].value is not None


def test_a_class_that_few_patients_show_has_a_wider_interval() -> None:
    """Its degrees of freedom are those of the few, not of all patients."""
    rng = np.random.default_rng(1)
    n = 40

    def width(n_showing: int) -> float:
        right = np.where(np.arange(n) < n_showing, rng.binomial(20, 0.8, n), 0)
        labelled = np.where(np.arange(n) < n_showing, 20, 0)
        (made,) = estimates(
            lambda w: ((w @ right) / np.maximum(w @ labelled, 1e-9))[:, None],
            n_patients=n,
            shown=[n_showing],
            scales=["share"],
        )
        assert made.low is not None
        assert made.high is not None
        return made.high - made.low

    assert width(4) > 2 * width(40)


def test_one_patient_who_carries_all_errors_does_not_make_anything_possible() -> None:
    """Clopper and Pearson, who know that each patient is wholly right or wrong, give 0.83 to 1.00."""
    right = np.array([1.0] * 29 + [0.0])
    (made,) = estimates(
        lambda w: ((w @ right) / w.sum(axis=1))[:, None], n_patients=30, shown=[30], scales=["share"]
    )
    assert made.low is not None
    assert made.high is not None
    assert 0.6 < made.low < 0.83
    assert 0.99 < made.high < 1


def test_a_number_that_any_patient_moves_alike_has_finite_ends() -> None:
    """Without either of two, their classes are told apart perfectly: infinite log odds, and no spread between them."""
    answers = answers_of(
        level="frame", classes=("a", "b"), targets=[0, 0, 1, 1, 0, 0, 1, 1], recordings="ppppqqqq",
        probabilities=[[p, 1 - p] for p in (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)], patients="ppppqqqq",
    )  # fmt: skip
    for one in [*measure(answers).numbers.values(), *measure(answers).classes[0].numbers.values()]:
        assert one.low is None or (np.isfinite([one.low, one.high]).all())


def test_below_twenty_patients_the_doubt_about_the_doubt_is_told() -> None:
    few, enough = (measure(simulated(np.random.default_rng(0), n)).numbers["accuracy"] for n in (8, 20))
    assert str(few).endswith("8 patients: may be too narrow)")
    assert few.caution == (
        "With 8 patients the interval may be too narrow: of simulated 95 % intervals over 8, 84 % to 95 % held the"
        " truth, fewest where one patient in ten fails."
    )
    assert (enough.caution, str(enough)[-13:]) == ("", " 20 patients)")


def test_a_hundred_thousand_frames_take_seconds() -> None:
    """Seven classes, 40 patients: about 3 s; a bound that a quadratic way would miss by far."""
    import time

    rng = np.random.default_rng(0)
    patients = np.repeat([f"p{i:02}" for i in range(40)], 2500)
    answers = answers_of(
        level="frame",
        classes="abcdefg",
        targets=rng.integers(0, 7, 100_000),
        probabilities=rng.dirichlet(np.ones(7), 100_000),
        recordings=patients,
        patients=patients,
    )
    start = time.process_time()
    assert measure(answers, draws=200).n == 100_000
    assert time.process_time() - start < 15
