"""Scores agree with scikit-learn, and say so where something is undefined."""

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics

from sonoplane.errors import UsageError
from sonoplane.metrics.scores import Scores, confusion, scores_of

NAMES = ("background", "kidney", "liver", "spleen")


def score(targets: npt.ArrayLike, answers: npt.ArrayLike, classes: tuple[str, ...] = NAMES) -> Scores:
    return scores_of(confusion(targets, answers, len(classes)), classes)


@pytest.mark.parametrize("seed", range(5))
def test_scores_agree_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 4, 300)
    said = np.where(rng.random(300) < 0.6, true, rng.integers(0, 4, 300))
    ours = score(true, said)
    assert ours.accuracy == pytest.approx(metrics.accuracy_score(true, said))
    assert ours.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(true, said))
    assert ours.macro_f1 == pytest.approx(metrics.f1_score(true, said, average="macro"))
    assert ours.weighted_f1 == pytest.approx(metrics.f1_score(true, said, average="weighted"))
    assert ours.kappa == pytest.approx(metrics.cohen_kappa_score(true, said))
    assert np.array_equal(ours.confusion, metrics.confusion_matrix(true, said))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(true, said)
    assert [c.precision for c in ours.classes] == pytest.approx(list(precision))
    assert [c.recall for c in ours.classes] == pytest.approx(list(recall))
    assert [c.f1 for c in ours.classes] == pytest.approx(list(f1))
    assert [c.support for c in ours.classes] == list(support)
    for (tn, fp, fn, tp), c in zip(
        metrics.multilabel_confusion_matrix(true, said).reshape(4, 4), ours.classes, strict=True
    ):
        counts = (c.true_negatives, c.false_positives, c.false_negatives, c.true_positives)
        assert counts == (tn, fp, fn, tp)
        assert (c.specificity, c.npv) == pytest.approx((tn / (tn + fp), tn / (tn + fn)))


def test_kappa_of_one_class_is_undefined() -> None:
    ours = score([1, 1, 1], [1, 1, 1])
    assert (ours.accuracy, ours.macro_f1, ours.kappa) == (1.0, 1.0, None)
    assert ours.classes[1].specificity is None
    assert ours.classes[0].npv == 1.0


def test_kappa_is_that_of_a_worked_example() -> None:
    """50 proposals read by two readers (Wikipedia, "Cohen's kappa"): 20, 5, 10, 15."""
    assert scores_of(np.array([[20, 5], [10, 15]]), ("yes", "no")).kappa == pytest.approx(0.4)


def test_an_absent_class_is_undefined_and_named() -> None:
    ours = score([0, 0, 1, 1], [0, 2, 1, 1])
    liver, spleen = ours.classes[2:]
    assert ours.absent == ("liver", "spleen")
    assert (liver.precision, liver.recall, liver.f1) == (0.0, None, None)
    assert (spleen.precision, spleen.recall, spleen.f1) == (None, None, None)
    assert ours.balanced_accuracy == 0.75
    labelled = metrics.f1_score([0, 0, 1, 1], [0, 2, 1, 1], average="macro", labels=[0, 1])
    assert ours.macro_f1 == pytest.approx(labelled)


def test_unlabelled_frames_are_left_out() -> None:
    assert score([-1, 0, -1, 1], [1, 0, 0, 1]).accuracy == 1.0


def test_macro_f1_is_of_the_whole_set_not_a_mean_over_batches() -> None:
    """The research system averaged it over batches."""
    true, said = np.array([0, 0, 0, 1, 0, 1, 1, 1]), np.array([0, 0, 0, 0, 0, 1, 1, 0])
    batches = [(true[i : i + 2], said[i : i + 2]) for i in range(0, 8, 2)]
    whole = scores_of(np.sum([confusion(t, s, 2) for t, s in batches], axis=0), NAMES[:2])
    assert whole.macro_f1 == score(true, said, NAMES[:2]).macro_f1
    assert whole.macro_f1 != pytest.approx(np.mean([score(t, s, NAMES[:2]).macro_f1 for t, s in batches]))


@pytest.mark.parametrize(
    ("true", "said", "told"),
    [
        ([0, 1], [0.0, np.nan], "1 of 2 answers are NaN"),
        ([0.0, np.nan], [0, 1], "1 of 2 targets are NaN"),
        ([0, 1], [0.0, 0.7], "no whole numbers"),
        ([0, 1], [0, 4], "from 0 to 4; there are 4 classes"),
        ([0, 1], [0, -1], "from -1 to 0"),
        ([0, -2], [0, 1], "from -2 to 0"),
        ([0, 1], [0], "2 targets meet 1 answers"),
        ([-1, -1], [0, 1], "No frame is labelled"),
        ([], [], "No frame is labelled"),
        ([[0, 1]], [0, 1], "shape"),
        (["a"], ["b"], "type"),
    ],
)
def test_what_cannot_be_scored_is_told(true: list[float], said: list[float], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        score(true, said)
