"""Chance in training is part of the doubt."""

import json

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers
from sonoplane.metrics.measure import measure
from sonoplane.metrics.seeds import OverSeeds, over_seeds
from tests.metrics.patients import alike, simulated


def accuracy(runs: list[Answers], **settings: int) -> OverSeeds:
    return next(
        one for one in over_seeds(runs, draws=200, **settings) if (one.number, one.of) == ("accuracy", "")
    )


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
    found = {(one.number, one.of): one for one in over_seeds([base, never], draws=20)}
    precision = found["precision", "e"]
    assert precision.values[0] is not None
    assert (precision.values[1], precision.sd, precision.mean.value) == (None, None, None)
    json.dumps([one.to_json() for one in found.values()], allow_nan=False)


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
    assert 0.92 <= held / 300 <= 0.985


def test_one_run_or_other_rows_are_refused() -> None:
    one = simulated(np.random.default_rng(0), 3)
    with pytest.raises(UsageError, match="two seeds or more"):
        over_seeds([one])
    with pytest.raises(UsageError, match="same rows"):
        over_seeds([one, simulated(np.random.default_rng(1), 3)])
