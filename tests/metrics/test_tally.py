"""Weighing patients is the same as listing them as often; all numbers agree with scikit-learn's and torchmetrics'."""

import warnings

import numpy as np
import pytest
from sklearn import metrics

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers, answers_of
from sonoplane.metrics.tally import Number, tally
from tests.metrics.patients import CLASSES, simulated


def numbers(answers: Answers, weights: list[float] | None = None) -> dict[Number, float]:
    counted = tally(answers, top=(2, 3))
    used = np.ones((1, len(counted.patients))) if weights is None else np.array([weights], dtype=float)
    return dict(zip(counted.numbers, counted.values(used)[0].tolist(), strict=True))


def coarse(answers: Answers, digits: int) -> Answers:
    """With many equal probabilities."""
    rounded = np.round(answers.probabilities, digits) + 1e-3
    return answers_of(
        level="frame",
        classes=answers.classes,
        targets=answers.targets,
        probabilities=rounded / rounded.sum(axis=1, keepdims=True),
        recordings=answers.recordings,
        patients=answers.patients,
    )


@pytest.mark.parametrize("digits", [8, 1])
def test_rankings_agree_with_scikit_learn(digits: int) -> None:
    answers = coarse(simulated(np.random.default_rng(2), 9), digits)
    found = numbers(answers)
    areas, precisions = [], []
    for place, name in enumerate(CLASSES):
        of, scores = answers.targets == place, answers.probabilities[:, place]
        areas.append(metrics.roc_auc_score(of, scores))
        precisions.append(metrics.average_precision_score(of, scores))
        assert found["auroc", name] == pytest.approx(areas[-1])
        assert found["auprc", name] == pytest.approx(precisions[-1])
    assert found["auroc", ""] == pytest.approx(np.mean(areas))
    assert found["auprc", ""] == pytest.approx(np.mean(precisions))


def test_top_k_agrees_with_scikit_learn() -> None:
    answers = simulated(np.random.default_rng(3), 6)
    found = numbers(answers)
    for k in (2, 3):
        theirs = metrics.top_k_accuracy_score(answers.targets, answers.probabilities, k=k, labels=range(5))
        assert found[f"top_{k}", ""] == pytest.approx(theirs)


def test_answers_that_are_all_equal_reach_what_chance_does() -> None:
    answers = answers_of(
        level="frame",
        classes="abcd",
        targets=[0, 1, 2, 3],
        probabilities=np.full((4, 4), 0.25),
        recordings="wxyz",
        patients="wxyz",
    )
    found = numbers(answers)
    assert [found[name, ""] for name in ("top_2", "top_3", "auroc", "auprc")] == [0.5, 0.75, 0.5, 0.25]


def test_all_numbers_agree_with_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("torchmetrics.functional.classification")
    answers = simulated(np.random.default_rng(4), 8)
    found = numbers(answers)
    scores, true = torch.tensor(answers.probabilities), torch.tensor(answers.targets)
    for ours, name, extra in (
        ("accuracy", "accuracy", {"average": "micro"}),
        ("balanced_accuracy", "accuracy", {"average": "macro"}),
        ("macro_f1", "f1_score", {"average": "macro"}),
        ("weighted_f1", "f1_score", {"average": "weighted"}),
        ("kappa", "cohen_kappa", {}),
        ("auroc", "auroc", {}),
        ("auprc", "average_precision", {}),
    ):
        value = getattr(theirs, f"multiclass_{name}")(scores, true, num_classes=5, **extra)
        assert found[ours, ""] == pytest.approx(float(value), abs=1e-6), ours
    specificity = theirs.multiclass_specificity(scores, true, num_classes=5, average="none")
    assert [found["specificity", c] for c in CLASSES] == pytest.approx(specificity.tolist(), abs=1e-6)


def test_a_weight_of_two_is_a_patient_listed_twice() -> None:
    answers = simulated(np.random.default_rng(5), 5)
    names = np.unique(answers.patients)
    weights = [2.0, 0.0, 1.0, 3.0, 1.0]
    parts = [
        answers.only(answers.patients == name)
        for name, n in zip(names, weights, strict=True)
        for _ in range(int(n))
    ]
    copies = [[f"{i}"] * part.n for i, part in enumerate(parts)]
    listed = answers_of(
        level="frame",
        classes=CLASSES,
        targets=np.concatenate([part.targets for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
        recordings=np.concatenate(copies),
        patients=np.concatenate(copies),
    )
    assert numbers(answers, weights) == pytest.approx(numbers(listed), nan_ok=True)


def test_an_absent_class_is_undefined_and_left_out_of_means() -> None:
    full = simulated(np.random.default_rng(6), 6)
    answers = full.only(full.targets != 2)
    found = numbers(answers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        f1 = metrics.f1_score(answers.targets, answers.said, labels=[0, 1, 3, 4], average="macro")
    assert np.isnan([found[name, "c"] for name in ("recall", "f1", "auroc", "auprc")]).all()
    assert found["precision", "c"] == 0
    assert found["macro_f1", ""] == pytest.approx(f1)
    assert found["auroc", ""] == pytest.approx(np.mean([found["auroc", c] for c in "abde"]))


def test_one_class_alone_has_no_ranking() -> None:
    full = simulated(np.random.default_rng(7), 3)
    found = numbers(full.only(full.targets == 1))
    assert np.isnan(found["auroc", "b"])
    assert np.isnan(found["specificity", "b"])
    assert found["auprc", "b"] == pytest.approx(1)


def test_numbers_are_counted_from_the_patients_that_show_a_class() -> None:
    answers = simulated(np.random.default_rng(8), 12)
    counted = tally(answers)
    shown = dict(zip(counted.numbers, counted.shown, strict=True))
    rare = len(np.unique(answers.patients[answers.targets == 4]))
    assert shown["recall", "e"] == shown["auroc", "e"] == rare < 12
    assert shown["accuracy", ""] == shown["specificity", "e"] == 12


def test_nothing_labelled_is_told() -> None:
    full = simulated(np.random.default_rng(9), 2)
    with pytest.raises(UsageError, match="Nothing is labelled"):
        tally(full.only(full.targets < 0))
