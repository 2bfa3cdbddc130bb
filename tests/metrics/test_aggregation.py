"""Many answers become one, and a tie is told."""

from typing import get_args

import numpy as np
import pytest
from scipy.special import softmax

from sonoplane.errors import UsageError
from sonoplane.metrics.aggregation import How, aggregate


def test_a_tie_is_told_and_settled_by_mean_probability() -> None:
    """The research system answered class 0 for every tie, even one between two others."""
    clips = np.array([[0.3, 0.6, 0.1], [0.3, 0.2, 0.5], [0.1, 0.8, 0.1], [0.0, 0.0, 1.0]])
    made = aggregate(clips, "vote")
    assert (made.label, made.tied) == (2, True)


def test_a_vote_without_a_tie_is_not_told_as_one() -> None:
    made = aggregate(np.array([[0.6, 0.4], [0.6, 0.4], [0.0, 1.0]]), "vote")
    assert (made.label, made.tied) == (0, False)
    assert made.probabilities == pytest.approx([2 / 3, 1 / 3])


def test_an_item_torn_between_two_classes_is_half_a_vote_for_each() -> None:
    made = aggregate(np.array([[0.0, 0.5, 0.5], [0.2, 0.2, 0.6]]), "vote")
    assert (made.label, made.tied) == (2, False)
    assert made.probabilities == pytest.approx([0, 0.25, 0.75])


def test_sums_of_logits_order_as_sums_of_logits() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (20, 6))
    made = aggregate(softmax(logits, axis=1), "logits")
    assert made.label == logits.sum(axis=0).argmax()
    assert made.probabilities == pytest.approx(softmax(logits.mean(axis=0)))


def test_probabilities_of_zero_have_a_say_in_logits() -> None:
    made = aggregate(np.array([[1.0, 0.0], [0.4, 0.6]]), "logits")
    assert made.label == 0
    assert np.isfinite(made.probabilities).all()


def test_max_takes_the_surest_item() -> None:
    clips = np.array([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.0, 0.1, 0.9]])
    assert aggregate(clips, "max").label == 2
    assert aggregate(clips, "mean").label == 0


@pytest.mark.parametrize("how", get_args(How))
def test_what_is_left_out_is_never_answered(how: How) -> None:
    clips = np.array([[0.8, 0.15, 0.05]] * 3)
    made = aggregate(clips, how, leave_out=0)
    assert made.label == 1
    assert made.probabilities.sum() == pytest.approx(1)
    assert made.probabilities[0] > 0.5


@pytest.mark.parametrize("how", get_args(How))
def test_one_item_is_its_own_answer(how: How) -> None:
    made = aggregate(np.array([[0.2, 0.7, 0.1]]), how)
    assert (made.label, made.tied) == (1, False)


def test_mean_is_what_predict_answers() -> None:
    from sonoplane.inference.timeline import recording_label
    from sonoplane.records import Timeline

    probabilities = np.random.default_rng(1).dirichlet(np.ones(4), 30).astype(np.float32)
    timeline = Timeline(
        recording="r",
        classes=("background", "x", "y", "z"),
        times_s=None,
        fps=None,
        logits=np.log(probabilities),
        probabilities=probabilities,
    )
    for left_out, name in ((None, None), (0, "background")):
        made = aggregate(probabilities, "mean", leave_out=left_out)
        label, probability = recording_label(timeline, name)
        assert timeline.classes[made.label] == label
        assert made.probabilities[made.label] == pytest.approx(probability)


def test_nothing_cannot_be_pooled() -> None:
    with pytest.raises(UsageError, match="0 items of 3 classes"):
        aggregate(np.zeros((0, 3)))
    with pytest.raises(UsageError, match="1 items of 1 classes"):
        aggregate(np.ones((1, 1)), leave_out=0)
