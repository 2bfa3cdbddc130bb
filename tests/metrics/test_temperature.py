"""Scaling finds what is wrong with probabilities where there is enough to find it, and leaves them alone elsewhere."""

import json

import numpy as np
import pytest
from scipy.special import softmax

from sonoplane.errors import BundleError, UsageError
from sonoplane.metrics.calibration import belief
from sonoplane.metrics.calibration_record import Calibration, Kind
from sonoplane.metrics.temperature import fit_scaling

CLASSES = ("background", "kidney", "liver", "spleen")


def frames(
    n_patients: int = 12, n_frames: int = 150, *, sharper: float = 1.0, bias: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Logits of frames whose truth is drawn from them, then made `sharper` times as sure; patient names."""
    rng = np.random.default_rng(seed)
    fair = rng.normal(size=(n_patients * n_frames, 4)) * 2
    p = softmax(fair, axis=1)
    targets = (p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1).clip(0, 3)
    return (fair + np.array([0, bias, 0, 0])) * sharper, targets, [f"p{i // n_frames}" for i in range(len(p))]


@pytest.mark.parametrize("sharper", [0.4, 2.0, 5.0])
def test_a_known_temperature_is_found_again(sharper: float) -> None:
    logits, targets, patients = frames(30, 200, sharper=sharper)
    found = fit_scaling(logits, targets, patients, CLASSES).calibration
    assert found.temperature == pytest.approx(sharper, rel=0.05)
    assert found.before is not None
    assert found.after is not None
    assert found.after.ece < 0.02 < found.before.ece
    assert found.after.nll < found.before.nll
    assert (found.n_frames, found.n_patients, found.why) == (6000, 30, "")


def test_new_patients_can_believe_calibrated_probabilities() -> None:
    logits, targets, patients = frames(sharper=3)
    made = fit_scaling(logits, targets, patients, CLASSES).calibration
    fresh, true, _ = frames(sharper=3, seed=1)
    assert belief(softmax(made.apply(fresh), axis=1), true).ece < 0.04
    assert belief(softmax(fresh, axis=1), true).ece > 0.15


def test_what_is_told_of_after_is_of_patients_left_out() -> None:
    logits, targets, patients = frames(4, 20, sharper=3)
    fit = fit_scaling(logits, targets, patients, CLASSES)
    own = belief(softmax(fit.calibration.apply(logits), axis=1), targets)
    assert fit.calibration.after is not None
    assert fit.calibration.after.nll > own.nll
    assert fit.probabilities.shape == fit.raw.shape == logits.shape


@pytest.mark.parametrize("sharper", [0.4, 3.0])
def test_temperature_never_changes_an_answer(sharper: float) -> None:
    logits, targets, patients = frames(sharper=sharper)
    made = fit_scaling(logits, targets, patients, CLASSES).calibration
    assert made.kind == "temperature"
    assert np.array_equal(made.apply(logits).argmax(axis=1), logits.argmax(axis=1))


@pytest.mark.parametrize("kind", ["temperature", "vector"])
def test_a_higher_logit_is_a_higher_probability(kind: Kind) -> None:
    logits, targets, patients = frames(sharper=2, bias=1.5)
    made = fit_scaling(logits, targets, patients, CLASSES, kind=kind).calibration
    assert made.kind == kind
    for k in range(4):
        steps = np.zeros((20, 4))
        steps[:, k] = np.linspace(-5, 5, 20)
        assert (np.diff(softmax(made.apply(steps), axis=1)[:, k]) > 0).all()


def test_vector_scaling_finds_a_class_that_is_said_too_often() -> None:
    logits, targets, patients = frames(30, 100, sharper=2, bias=1.5)
    plain, vector = (
        fit_scaling(logits, targets, patients, CLASSES, kind=kind).calibration
        for kind in ("temperature", "vector")
    )
    assert vector.bias.index(min(vector.bias)) == 1
    assert sum(vector.bias) == pytest.approx(0, abs=1e-9)
    assert vector.bias[1] - vector.bias[0] == pytest.approx(-1.5, abs=0.4)
    assert plain.after is not None
    assert vector.after is not None
    assert vector.after.nll < plain.after.nll
    fresh, true, _ = frames(sharper=2, bias=1.5, seed=1)
    assert (vector.apply(fresh).argmax(axis=1) == true).mean() > (fresh.argmax(axis=1) == true).mean()


def test_vector_scaling_is_no_more_than_temperature_where_that_is_all_there_is() -> None:
    made = fit_scaling(*frames(sharper=2.5), CLASSES, kind="vector").calibration
    assert (made.kind, made.scale, made.bias) == ("temperature", (), ())
    assert "Vector scaling did not help patients left out of its fit beyond temperature" in made.why


def test_fewer_patients_are_drawn_more_toward_temperature() -> None:
    spread = []
    for n_patients in (6, 60):
        logits, targets, patients = frames(n_patients, 600 // n_patients, sharper=2, bias=2)
        spread.append(np.std(fit_scaling(logits, targets, patients, CLASSES, kind="vector").calibration.bias))
    assert 0 < spread[0] < 0.9 * spread[1]


def test_a_class_without_frames_is_left_as_it_is() -> None:
    logits, targets, patients = frames(sharper=2, bias=1.5)
    targets = np.where(targets == 3, -1, targets)
    made = fit_scaling(logits, targets, patients, CLASSES, kind="vector").calibration
    assert made.kind == "vector"
    assert (made.scale[3], made.bias[3]) == (1.0, 0.0)


def test_every_patient_counts_alike() -> None:
    logits, targets, patients = frames(8, 100, sharper=2)
    many = np.concatenate([np.arange(len(targets)), np.tile(np.arange(100), 30)])  # the first, 31 times
    once = fit_scaling(logits, targets, patients, CLASSES).calibration
    often = fit_scaling(logits[many], targets[many], [patients[i] for i in many], CLASSES).calibration
    assert often.temperature == pytest.approx(once.temperature, abs=1e-3)


def test_right_probabilities_are_left_alone() -> None:
    logits, targets, patients = frames(20, 100)
    made = fit_scaling(logits, targets, patients, CLASSES).calibration
    assert made.temperature == pytest.approx(1, abs=0.05)


def test_where_there_is_too_little_nothing_is_changed_and_it_says_why() -> None:
    logits, targets, patients = frames(sharper=3)
    cases = {
        "2 patients": (targets, ["a", "b"] * (len(targets) // 2)),
        "1 patient ": (targets, ["a"] * len(targets)),
        "one class": (np.where(targets == 1, 1, -1), patients),
        "no mistake": (logits.argmax(axis=1), patients),
    }
    for told, (true, whose) in cases.items():
        made = fit_scaling(logits, true, whose, CLASSES, kind="vector").calibration
        assert made.kind == "identity"
        assert told in made.why
        assert made.before is not None
        assert made.after is None
        assert np.array_equal(made.apply(logits), logits.astype(np.float32))


def test_logits_without_meaning_stay_as_they_are() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 4, 400)
    patients = [f"p{i % 8}" for i in range(400)]
    made = fit_scaling(np.zeros((400, 4)), targets, patients, CLASSES).calibration
    assert made.kind == "identity"
    worse = fit_scaling(-5.0 * np.eye(4)[targets], targets, patients, CLASSES).calibration
    assert worse.kind == "identity"


def test_a_record_goes_through_json_and_back() -> None:
    for kind in ("identity", "temperature", "vector"):
        made = fit_scaling(*frames(sharper=2, bias=1.5), CLASSES, kind=kind).calibration
        text = json.dumps(made.to_dict(), allow_nan=False)
        assert Calibration.from_dict(json.loads(text), CLASSES) == made
        assert "p1" not in text


def test_weights_without_a_calibration_keep_their_logits() -> None:
    logits = frames()[0]
    assert np.array_equal(Calibration.from_dict(None, CLASSES).apply(logits), logits.astype(np.float32))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 2}, "format 2"),
        ({"classes": list(CLASSES[::-1])}, "other classes"),
        ({"temperature": 0}, "cannot be"),
        ({"temperature": float("nan")}, "cannot be"),
        ({"scale": [1.0]}, "cannot be"),
        ({"scale": [1.0, -1.0, 1.0, 1.0]}, "cannot be"),
        ({"kind": "magic"}, "cannot be"),
        ({"before": {"ece": 1}}, "cannot be understood"),
        ({"thresholds": [{"value": 1}]}, "cannot be understood"),
        ({"temperature": None}, "cannot be understood"),
    ],
)
def test_what_is_no_calibration_is_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(BundleError, match=told):
        Calibration.from_dict({**Calibration(classes=CLASSES).to_dict(), **change}, CLASSES)


def test_a_part_that_is_missing_is_refused() -> None:
    table = Calibration(classes=CLASSES).to_dict()
    for key in table.keys() - {"mode"}:  # which older versions did not write
        with pytest.raises(BundleError):
            Calibration.from_dict({k: v for k, v in table.items() if k != key}, CLASSES)


def test_what_cannot_be_fitted_is_told() -> None:
    logits, targets, patients = frames(4, 10)
    with pytest.raises(UsageError, match="1 of 40 labelled frames have a logit that is NaN"):
        fit_scaling(np.where(np.eye(40, 4) * [[1], *[[0]] * 39], np.nan, logits), targets, patients, CLASSES)
    with pytest.raises(UsageError, match="No frame is labelled"):
        fit_scaling(logits, np.full(40, -1), patients, CLASSES)
    with pytest.raises(UsageError, match="do not belong"):
        fit_scaling(logits, targets, patients[1:], CLASSES)
    with pytest.raises(UsageError, match="do not belong"):
        fit_scaling(logits[:, :3], targets, patients, CLASSES)
