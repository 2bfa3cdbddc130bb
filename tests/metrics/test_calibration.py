"""Measures of belief agree with torchmetrics and scikit-learn, and say so where something is undefined."""

import ast
import inspect
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch
from sklearn import metrics
from sklearn.calibration import calibration_curve
from torchmetrics.functional.classification import multiclass_calibration_error

from sonoplane.errors import UsageError
from sonoplane.metrics import abstention, calibration, calibration_record, ood, temperature
from sonoplane.metrics.calibration import belief, patient_weights, reliability, sums_over_patients
from sonoplane.metrics.intervals import interval


def said(n: int = 600, n_classes: int = 4, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of an overconfident network, and the truth."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, n_classes)) * 2
    fair = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = (fair.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, n_classes - 1)
    sharp = fair**2 / (fair**2).sum(axis=1, keepdims=True)
    return sharp, targets


@pytest.mark.parametrize("bins", [1, 10, 15])
@pytest.mark.parametrize("seed", range(3))
def test_ece_and_mce_agree_with_torchmetrics(seed: int, bins: int) -> None:
    p, y = said(seed=seed)
    ours = reliability(p, y, bins=bins)
    for norm, value in (("l1", ours.ece), ("max", ours.mce)):
        theirs = multiclass_calibration_error(
            torch.from_numpy(p), torch.from_numpy(y), num_classes=4, n_bins=bins, norm=norm
        )
        assert value == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize(("binning", "strategy"), [("width", "uniform"), ("mass", "quantile")])
def test_class_wise_bins_agree_with_scikit_learn(binning: calibration.Binning, strategy: str) -> None:
    p, y = said()
    ours = reliability(p, y, bins=10, binning=binning, of=2)
    accuracy, confidence = calibration_curve(y == 2, p[:, 2], n_bins=10, strategy=strategy)
    filled = ours.count > 0
    assert ours.accuracy[filled] == pytest.approx(accuracy)
    assert ours.confidence[filled] == pytest.approx(confidence)


@pytest.mark.parametrize("weighted", [False, True])
def test_brier_and_nll_agree_with_scikit_learn(weighted: bool) -> None:
    p, y = said()
    weights = np.random.default_rng(1).random(len(y)) + 0.1 if weighted else None
    ours = belief(p, y, weights=weights)
    theirs = metrics.brier_score_loss(y, p, sample_weight=weights, labels=range(4), scale_by_half=False)
    assert ours.brier == pytest.approx(theirs)
    assert ours.nll == pytest.approx(metrics.log_loss(y, p, sample_weight=weights, labels=range(4)))


def test_a_truth_that_was_ruled_out_costs_what_scikit_learn_says() -> None:
    for kind in (np.float32, np.float64):
        p = np.array([[1, 0], [0, 1], [0.5, 0.5]], dtype=kind)
        assert belief(p, [1, 1, 0]).nll == pytest.approx(
            metrics.log_loss([1, 1, 0], p, labels=[0, 1]), rel=1e-5
        )


def test_adaptive_bins_hold_equally_many() -> None:
    p, y = said(600)
    assert reliability(p, y, bins=12, binning="mass").count.tolist() == [50] * 12
    ours = belief(p, y, bins=12)
    parts = np.array_split(np.argsort(p.max(axis=1)), 12)
    gaps = [abs(p.max(axis=1)[part].mean() - (p.argmax(axis=1) == y)[part].mean()) for part in parts]
    assert ours.adaptive_ece == pytest.approx(np.mean(gaps))


def test_equal_values_are_never_parted() -> None:
    p = np.tile([[0.8, 0.2]], (30, 1))
    found = reliability(p, [0] * 24 + [1] * 6, bins=5, binning="mass")
    assert found.count.tolist() == [30]
    assert found.ece == pytest.approx(0.0, abs=1e-12)


def test_empty_bins_have_no_accuracy_and_do_not_count() -> None:
    found = reliability([[0.95, 0.05], [0.9, 0.1]], [0, 1], bins=10)
    assert found.count.tolist() == [0] * 8 + [1, 1]
    assert np.isnan(found.accuracy[:8]).all()
    assert np.isnan(found.gap[:8]).all()
    assert (found.ece, found.mce) == pytest.approx((0.475, 0.9))
    assert found.share.sum() == pytest.approx(1)


def test_edges_belong_to_the_lower_bin_and_certainty_to_the_last() -> None:
    found = reliability([[1.0, 0.0], [0.5, 0.5]], [0, 0], bins=2)
    assert found.count.tolist() == [1, 1]
    assert found.accuracy.tolist() == [1.0, 1.0]


def test_an_absent_class_is_one_that_never_came() -> None:
    p, y = said()
    present = y != 3
    found = reliability(p[present], y[present], of=3)
    assert np.nanmax(found.accuracy) == 0
    assert found.ece == pytest.approx(p[present, 3].mean())
    assert np.isfinite(list(belief(p[present], y[present]).to_dict().values())).all()


def test_perfect_answers_leave_nothing_to_believe_less() -> None:
    found = belief(np.eye(3)[[0, 1, 2]], [0, 1, 2])
    assert (found.ece, found.mce, found.brier) == (0, 0, 0)
    assert found.nll == pytest.approx(0)


def test_unlabelled_samples_are_left_out() -> None:
    p, y = said()
    some = np.where(np.arange(len(y)) % 3 == 0, -1, y)
    assert belief(p, some) == belief(p[some >= 0], y[some >= 0])


def test_patients_can_count_alike() -> None:
    p, y = said(40)
    patients = ["a"] * 30 + ["b"] * 10
    both = belief(p, y, weights=patient_weights(patients))
    each = [belief(p[part], y[part]) for part in (slice(30), slice(30, 40))]
    assert both.brier == pytest.approx((each[0].brier + each[1].brier) / 2)


@pytest.mark.parametrize("score", ["brier", "nll"])
def test_sums_over_patients_make_the_mean_and_take_an_interval(score: str) -> None:
    p, y = said()
    y[5] = -1
    sums = sums_over_patients(score, p, y, [f"p{i % 9}" for i in range(len(y))])
    assert len(sums.patients) == 9
    found = interval(sums.parts, sums.wholes)
    assert found.value == pytest.approx(belief(p, y).to_dict()[score])
    assert found.low is not None


def test_a_patient_without_labels_is_left_out_of_the_sums() -> None:
    sums = sums_over_patients("brier", [[1.0, 0.0], [1.0, 0.0]], [0, -1], ["a", "b"])
    assert sums.patients == ("a",)


MODULES = (calibration, calibration_record, temperature, abstention, ood)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_name_taken_from_numpy_is_there(module: ModuleType) -> None:
    """The research system's calibration used `np.float` and `np.int`, which NumPy 1.24 removed."""
    names = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np"
    }
    assert names
    assert [name for name in names if not hasattr(np, name)] == []


@pytest.mark.parametrize("number", [float, np.float32, np.float64, np.float16])
@pytest.mark.parametrize("whole", [int, np.int32, np.int64, np.uint8])
def test_any_kind_of_numbers_can_be_measured(number: type, whole: type) -> None:
    found = belief(
        np.array([[0.75, 0.25], [0.25, 0.75]], dtype=number), np.array([0, 0], dtype=whole), bins=10
    )
    assert found.ece == pytest.approx(0.25)
    assert belief([[0.75, 0.25], [0.25, 0.75]], [0, 0], bins=10).ece == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda: belief([[np.nan, 1.0], [0.5, 0.5]], [0, 1]),
            "1 of 2 samples have a probability that is NaN",
        ),
        (lambda: belief([[0.5, 0.5]], [np.nan]), "1 of 1 targets are NaN"),
        (lambda: belief([[3.0, -2.0]], [0]), "do not add up to 1"),
        (lambda: belief([[0.5, 0.4]], [0]), "do not add up to 1"),
        (lambda: belief([[0.5, 0.5]], [-1]), "No sample is labelled"),
        (lambda: belief(np.empty((0, 2)), []), "No sample is labelled"),
        (lambda: belief([[1.0]], [0]), "two or more classes"),
        (lambda: belief([[0.5, 0.5]], [0, 1]), "1 samples meet 2 targets"),
        (lambda: belief([[0.5, 0.5]], [2]), "from 2 to 2"),
        (lambda: belief([[0.5, 0.5]], [0], weights=[0.0]), "not above 0"),
        (lambda: reliability([[0.5, 0.5]], [0], bins=0), "0 bins"),
        (lambda: reliability([[0.5, 0.5]], [0], of=2), "no class 2"),
        (lambda: sums_over_patients("nll", [[0.5, 0.5]], [0], ["a", "b"]), "2 patients meet 1"),
    ],
)
def test_what_cannot_be_measured_is_told(call: Callable[[], object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        call()
