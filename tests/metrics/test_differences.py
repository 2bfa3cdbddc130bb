"""Differences are between the same patients, and tests keep their promise."""

import json
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from sklearn import metrics

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers, answers_of
from sonoplane.metrics.differences import compare, compare_all, holm
from tests.metrics.patients import alike, simulated


def pair(seed: int, n_patients: int, noise: float = 1.5) -> tuple[Answers, Answers]:
    one = simulated(np.random.default_rng(seed), n_patients)
    return alike(one, seed + 1, noise), one


def test_values_and_differences_are_the_networks_own() -> None:
    worse, better = pair(1, 10)
    accuracy, auroc, recall = compare(
        worse, better, ["accuracy", "auroc", ("recall", "b")], draws=50, swaps=50
    )
    said = [float((one.said == one.targets).mean()) for one in (worse, better)]
    assert [accuracy.first_value, accuracy.second_value] == pytest.approx(said)
    assert accuracy.difference.value == pytest.approx(said[1] - said[0])
    area = metrics.roc_auc_score(better.targets, better.probabilities, multi_class="ovr")
    assert auroc.second_value == pytest.approx(area)
    assert recall.of == "b"


def test_the_exact_test_tries_every_way() -> None:
    """With one frame a patient in two classes, it is the sign test's big sister: scipy's permutation test."""
    rng = np.random.default_rng(1)
    n = 9
    right = rng.random((2, 40 * n)) < np.array([[0.7], [0.85]])
    targets = rng.integers(0, 2, 40 * n)
    patients = np.repeat([f"p{i}" for i in range(n)], 40)
    both = [
        answers_of(
            level="frame",
            classes="xy",
            targets=targets,
            probabilities=np.where((targets ^ ~hit)[:, None] == [0, 1], 0.9, 0.1),
            recordings=patients,
            patients=patients,
        )
        for hit in right
    ]
    (found,) = compare(*both, ["accuracy"])
    shares = right.reshape(2, n, 40).mean(axis=2)
    theirs = stats.permutation_test(
        (shares[0], shares[1]),
        lambda a, b: np.mean(b) - np.mean(a),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert (found.test, found.p) == ("exact", pytest.approx(theirs.pvalue))
    drawn = compare(*both, ["accuracy"], swaps=99)
    assert drawn[0].test == "exact"


def test_a_swap_test_of_macro_f1_is_what_the_definition_says() -> None:
    worse, better = pair(3, 5)
    (found,) = compare(worse, better, ["macro_f1"])
    names = np.unique(worse.patients)

    def gap(swaps: tuple[int, ...]) -> float:
        swapped = np.isin(worse.patients, names[np.array(swaps, dtype=bool)])
        f1: list[float] = []
        for one, other in ((better, worse), (worse, better)):
            said: npt.NDArray[np.int64] = np.where(swapped, other.said, one.said)
            f1.append(metrics.f1_score(one.targets, said, average="macro", labels=np.unique(one.targets)))
        return f1[0] - f1[1]

    ways = [abs(gap(swaps)) for swaps in product((0, 1), repeat=5)]
    assert found.p == pytest.approx(np.mean(np.array(ways) >= abs(gap((0,) * 5)) - 1e-12))


def test_the_same_network_twice_is_no_different() -> None:
    one = simulated(np.random.default_rng(0), 6)
    for found in compare(one, one):
        assert (found.difference.value, found.difference.low, found.p) == (0, None, 1.0)


def test_being_differently_sure_is_no_difference_in_ranking() -> None:
    """Swapped probabilities of different networks are compared by rank."""
    one = simulated(np.random.default_rng(0), 14)
    binary = np.stack([one.probabilities[:, 0], 1 - one.probabilities[:, 0]], axis=1)
    timid = np.stack([0.5 + 0.1 * binary[:, 0] ** 3, 0.5 - 0.1 * binary[:, 0] ** 3], axis=1)
    both = [
        answers_of(
            level="frame",
            classes="xy",
            targets=(one.targets > 0).astype(int),
            probabilities=probabilities,
            recordings=one.recordings,
            patients=one.patients,
        )
        for probabilities in (binary, timid)
    ]
    (found,) = compare(*both, ["auroc"], swaps=99)
    assert found.difference.value == pytest.approx(0, abs=1e-12)
    assert found.p == 1.0


def test_p_cannot_be_below_what_the_patients_allow() -> None:
    worse, better = pair(0, 4, noise=6)
    (found,) = compare(worse, better, ["accuracy"])
    assert found.p == pytest.approx(2 / 2**4)
    (one,) = compare(*pair(0, 1), ["accuracy"])
    assert (one.p, one.test, one.difference.low) == (None, "none", None)


def test_a_difference_by_chance_is_seldom_told_as_real() -> None:
    """Two networks blurred alike: p <= 0.05 about 1 time in 20, and the interval then leaves out 0 about as often."""
    small, left_out = [], []
    for seed in range(40):
        one = simulated(np.random.default_rng(seed), 14)
        accuracy, f1 = compare(
            alike(one, seed, 1.0),
            alike(one, 1000 + seed, 1.0),
            ["accuracy", "macro_f1"],
            draws=100,
            swaps=199,
        )
        for found in (accuracy, f1):
            assert found.p is not None
            assert found.difference.low is not None
            assert found.difference.high is not None
            small.append(found.p <= 0.05)
            left_out.append(not found.difference.low <= 0 <= found.difference.high)
    assert np.mean(small) <= 0.125
    assert np.mean(left_out) <= 0.125


@pytest.mark.slow
def test_the_difference_of_two_networks_is_held_as_often_as_promised() -> None:
    truth = np.mean(
        [
            [found.difference.value for found in compare(*pair(9000 + seed, 150), draws=2, swaps=1)]
            for seed in range(60)
        ],
        axis=0,
    )
    held = np.zeros(4)
    for seed in range(500):
        for i, found in enumerate(compare(*pair(seed, 40), draws=300, swaps=1)):
            assert found.difference.low is not None
            assert found.difference.high is not None
            held[i] += found.difference.low <= truth[i] <= found.difference.high
    assert ((held / 500 >= 0.92) & (held / 500 <= 0.985)).all(), held / 500


def test_several_comparisons_are_corrected_in_each_number() -> None:
    one = simulated(np.random.default_rng(0), 8)
    networks = {"a": one, "b": alike(one, 1, 1.5), "c": alike(one, 2, 3.0)}
    found = compare_all(networks, ["accuracy", "macro_f1"], draws=20)
    assert [(d.first, d.second) for d in found[::2]] == [("a", "b"), ("a", "c"), ("b", "c")]
    accuracy = [d for d in found if d.number == "accuracy"]
    assert tuple(d.p_corrected for d in accuracy) == holm([d.p for d in accuracy])
    against = compare_all(networks, ["accuracy"], reference="c", draws=20)
    assert [(d.first, d.second) for d in against] == [("c", "a"), ("c", "b")]
    json.dumps([d.to_json() for d in found], allow_nan=False)
    with pytest.raises(UsageError, match="reference"):
        compare_all(networks, reference="d")


def test_holm_is_that_of_a_worked_example() -> None:
    """Holm (1979) as in R's `p.adjust(c(0.01, 0.02, 0.03, 0.005), "holm")`."""
    assert holm([0.01, 0.02, 0.03, 0.005]) == pytest.approx((0.03, 0.04, 0.04, 0.02))
    assert holm([0.6, 0.7]) == (1.0, 1.0)
    assert holm([]) == ()


def test_other_rows_and_unknown_numbers_are_refused() -> None:
    one = simulated(np.random.default_rng(0), 3)
    with pytest.raises(UsageError, match="same rows"):
        compare(one, one.only(np.arange(one.n - 1)))
    with pytest.raises(UsageError, match="no number precise"):
        compare(one, one, ["precise"])


def test_a_swap_that_leaves_a_number_undefined_is_no_smaller_difference() -> None:
    patients = [f"p{i}" for i in range(8)]
    chances = {True: [0.1, 0.9], False: [0.9, 0.1]}

    def says(*whom: int) -> Answers:
        return answers_of(
            level="recording", classes=("none", "some"), targets=[1, 1, 1, 0, 0, 0, 0, 0], recordings=patients,
            patients=patients, probabilities=[chances[i in whom] for i in range(8)],
        )  # fmt: skip

    (found,) = compare(says(0, 1, 2), says(3, 4, 5), [("precision", "some")])
    assert found.difference.value == -1
    assert found.p == pytest.approx(16 / 256)
