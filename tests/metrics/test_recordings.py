"""Each recording's own figures."""

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers, answers_of
from sonoplane.metrics.recordings import by_recording, mistakes


def three() -> Answers:
    said = [0, 0, 1, 1, 1, 0, 0, 0]
    return answers_of(
        level="frame",
        classes=("kidney", "liver"),
        targets=[0, 0, 0, 0, -1, 1, 1, -1],
        probabilities=[[0.8, 0.2] if one == 0 else [0.3, 0.7] for one in said],
        recordings=["z"] * 5 + ["a"] * 2 + ["n"],
        patients=["p"] * 8,
    )


def test_each_recording_counts_once_in_the_mean() -> None:
    found = by_recording(three())
    assert found.values == {"z": 0.5, "a": 0.0}
    assert list(found.values) == ["z", "a"]
    assert (found.mean, found.sd) == pytest.approx((0.25, np.std([0.5, 0.0], ddof=1)))
    assert by_recording(three().only(slice(0, 5))).sd is None


def test_mistakes_are_runs_with_the_frames_of_their_recording() -> None:
    first, second = mistakes(three())
    assert (first.recording, first.start, first.stop, first.target, first.said) == (
        "z",
        2,
        4,
        "kidney",
        "liver",
    )
    assert (second.recording, second.start, second.stop, second.probability) == (
        "a",
        0,
        2,
        pytest.approx(0.8),
    )


def test_what_is_right_or_unlabelled_is_no_mistake() -> None:
    answers = three()
    assert mistakes(answers.only((answers.targets == answers.said) | (answers.targets < 0))) == ()
    assert mistakes(answers.only(np.array([], dtype=int))) == ()
    with pytest.raises(UsageError, match="Nothing is labelled"):
        by_recording(answers.only(answers.targets < 0))
