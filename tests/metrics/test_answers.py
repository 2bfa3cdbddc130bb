"""Answers are checked once, in words that help."""

from typing import Any

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import answers_of, check_same_rows, frame_answers
from sonoplane.records import Timeline

ROWS: dict[str, Any] = {
    "level": "frame",
    "classes": ("kidney", "liver"),
    "targets": [0, 1, -1],
    "probabilities": [[0.9, 0.1], [0.3, 0.7], [0.5, 0.5]],
    "recordings": ["a", "a", "b"],
    "patients": ["p", "p", "p"],
}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"probabilities": [[0.9, 0.1], [np.nan, 0.7], [0.5, 0.5]]}, "1 of 3 rows of probabilities hold NaN"),
        ({"probabilities": [[9.0, 1.0], [0.3, 0.7], [0.5, 0.5]]}, "take the softmax first"),
        ({"probabilities": [[1.1, -0.1], [0.3, 0.7], [0.5, 0.5]]}, "negative"),
        ({"probabilities": [[0.9], [0.3], [0.5]]}, "each of 2 classes"),
        ({"targets": [0, 1]}, "2 targets, 3 rows of probabilities"),
        ({"targets": [0, 1, 2]}, "from 0 to 2; there are 2 classes"),
        ({"targets": [0.0, 1.0, np.nan]}, "1 of 3 targets are NaN"),
        ({"said": [0, 1, -1]}, "from -1 to 1"),
        ({"patients": ["p", "q", "p"]}, "two patients"),
        ({"recordings": ["a", "b", "a"]}, "do not follow each other"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        answers_of(**ROWS | wrong)


def test_float32_probabilities_pass() -> None:
    odds = np.random.default_rng(0).random((50, 7), dtype=np.float32)
    answers_of(
        level="clip",
        classes="abcdefg",
        targets=np.zeros(50, int),
        probabilities=odds / odds.sum(axis=1, keepdims=True),
        recordings=["r"] * 50,
        patients=["p"] * 50,
    )


def timeline(name: str, n: int, classes: tuple[str, ...] = ("kidney", "liver")) -> Timeline:
    flat = np.full((n, len(classes)), 1 / len(classes), dtype=np.float32)
    return Timeline(recording=name, classes=classes, times_s=None, fps=None, logits=flat, probabilities=flat)


def test_timelines_become_rows_in_their_order() -> None:
    made = frame_answers([(timeline("b", 2), np.array([0, 1]), "p"), (timeline("a", 1), np.array([-1]), "q")])
    assert made.recordings.tolist() == ["b", "b", "a"]
    assert made.patients.tolist() == ["p", "p", "q"]
    assert made.labelled.tolist() == [True, True, False]


def test_timelines_that_do_not_belong_together_are_refused() -> None:
    one = (timeline("a", 1), np.array([0]), "p")
    with pytest.raises(UsageError, match="different classes"):
        frame_answers([one, (timeline("b", 1, ("x", "y")), np.array([0]), "p")])
    with pytest.raises(UsageError, match="of one recording"):
        frame_answers([one, one])
    with pytest.raises(UsageError, match="no timeline"):
        frame_answers([])


def test_only_the_same_rows_are_compared() -> None:
    ours = answers_of(**ROWS)
    check_same_rows(ours, answers_of(**ROWS | {"probabilities": [[0.1, 0.9]] * 3}))
    with pytest.raises(UsageError, match="same rows"):
        check_same_rows(ours, answers_of(**ROWS | {"targets": [0, 0, -1]}))
