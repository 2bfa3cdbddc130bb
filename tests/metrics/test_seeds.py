"""Chance in training is part of the doubt."""

import json

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers
from sonoplane.metrics.differences import compare
from sonoplane.metrics.measure import measure
from sonoplane.metrics.seeds import OverSeeds, over_seeds, seeds_apart
from tests.metrics.patients import alike, simulated


def accuracy(runs: list[Answers], **settings: int) -> OverSeeds:
    (found,) = over_seeds(runs, ["accuracy"], draws=200, **settings)
    return found


def width(one: OverSeeds) -> float:
    assert one.mean.low is not None
    assert one.mean.high is not None
    return one.mean.high - one.mean.low


def test_mean_and_spread_are_the_runs_own() -> None:
    base = simulated(np.random.default_rng(0), 10)
    runs = [alike(base, seed) for seed in range(3)]
    found = accuracy(runs)
    own = [float((run.said == run.targets).mean()) for run in runs]
    assert found.values == pytest.approx(own)
    assert (found.mean.value, found.sd) == pytest.approx((np.mean(own), np.std(own, ddof=1)))


def test_runs_that_are_equal_add_no_doubt() -> None:
    base = simulated(np.random.default_rng(0), 30)
    found = accuracy([base, base, base], seed=4)
    one = measure(base, draws=200, seed=4).numbers["accuracy"]
    assert (found.mean.low, found.mean.high) == pytest.approx((one.low, one.high))
    assert found.sd == 0


def test_runs_that_differ_add_doubt() -> None:
    base = simulated(np.random.default_rng(0), 30)
    steady = accuracy([alike(base, seed, 1.0) for seed in range(3)])
    shaky = accuracy([alike(base, seed, noise) for seed, noise in enumerate((0.1, 1.0, 3.0))])
    assert width(shaky) > 2 * width(steady)
    more = accuracy([alike(base, seed, noise) for seed, noise in enumerate((0.1, 1.0, 3.0) * 3)])
    assert width(more) < width(shaky)


def test_a_number_that_one_run_lacks_is_undefined() -> None:
    base = simulated(np.random.default_rng(0), 10)
    none = base.only(np.arange(base.n))
    never = Answers(
        level=none.level,
        classes=none.classes,
        targets=none.targets,
        probabilities=none.probabilities,
        said=np.where(none.said == 4, 0, none.said),
        recordings=none.recordings,
        patients=none.patients,
        tied=none.tied,
    )
    found = over_seeds([base, never], ["accuracy", ("precision", "e"), "kappa"], draws=20)
    precision = found[1]
    assert precision.values[0] is not None
    assert (precision.values[1], precision.sd, precision.mean.value) == (None, None, None)
    json.dumps([one.to_json() for one in found], allow_nan=False)


def test_methods_whose_trainings_are_equal_differ_as_two_networks_do() -> None:
    first = simulated(np.random.default_rng(0), 30)
    second = alike(first, 1, 2.0)
    for found, one in zip(
        seeds_apart([first] * 3, [second] * 2, draws=200), compare(first, second, draws=200), strict=True
    ):
        assert (found.number, found.difference.value) == (one.number, pytest.approx(one.difference.value))
        assert (found.difference.low, found.difference.high) == pytest.approx(
            (one.difference.low, one.difference.high)
        )


def test_a_difference_that_seeds_alone_make_is_none() -> None:
    """Over the same patients each pair of trainings differs surely; the methods do not."""
    base = simulated(np.random.default_rng(0), 60)
    good, bad = alike(base, 1, 0.1), alike(base, 2, 2.0)
    (pair,) = compare(bad, good, ["accuracy"], draws=200)
    assert pair.difference.low is not None
    assert pair.difference.low > 0
    (methods,) = seeds_apart([bad, good], [good, alike(base, 3, 2.0)], ["accuracy"], draws=200)
    assert methods.difference.low is not None
    assert methods.difference.high is not None
    assert methods.difference.low < 0 < methods.difference.high


@pytest.mark.slow
def test_the_mean_over_trainings_is_held_as_often_as_promised() -> None:
    """Trainings whose noise is drawn anew: four of them, 40 patients."""

    def runs(seed: int, n_patients: int, n_runs: int) -> list[Answers]:
        rng = np.random.default_rng(seed)
        base = simulated(rng, n_patients)
        return [alike(base, int(rng.integers(1 << 30)), float(rng.uniform(0.2, 2.5))) for _ in range(n_runs)]

    truth = np.mean([[(run.said == run.targets).mean() for run in runs(9000 + s, 200, 8)] for s in range(60)])
    held = 0
    for seed in range(300):
        found = accuracy(runs(seed, 40, 4)).mean
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert 0.92 <= held / 300 <= 0.985, held / 300


@pytest.mark.slow
def test_the_difference_of_two_methods_is_held_as_often_as_promised() -> None:
    """Three trainings each, 40 patients."""

    def methods(seed: int, n_patients: int, n_runs: int) -> tuple[list[Answers], list[Answers]]:
        rng = np.random.default_rng(seed)
        base = simulated(rng, n_patients)
        worse, better = (
            [alike(base, int(rng.integers(1 << 30)), float(rng.uniform(0.2, most))) for _ in range(n_runs)]
            for most in (3.0, 1.5)
        )
        return worse, better

    truth = np.mean(
        [
            np.diff(
                [np.mean([(run.said == run.targets).mean() for run in m]) for m in methods(9000 + s, 200, 8)]
            )
            for s in range(60)
        ]
    )
    held = 0
    for seed in range(300):
        (found,) = seeds_apart(*methods(seed, 40, 3), ["accuracy"], draws=200)
        assert found.difference.low is not None
        assert found.difference.high is not None
        held += found.difference.low <= truth <= found.difference.high
    assert 0.92 <= held / 300 <= 0.985, held / 300


def test_one_run_or_other_rows_are_refused() -> None:
    one = simulated(np.random.default_rng(0), 3)
    with pytest.raises(UsageError, match="two seeds or more"):
        over_seeds([one])
    with pytest.raises(UsageError, match="same rows"):
        over_seeds([one, simulated(np.random.default_rng(1), 3)])
