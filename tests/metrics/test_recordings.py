"""Each recording's own figures."""

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers, answers_of
from sonoplane.metrics.recordings import by_recording


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


def test_nothing_labelled_cannot_be_scored() -> None:
    answers = three()
    with pytest.raises(UsageError, match="Nothing is labelled"):
        by_recording(answers.only(answers.targets < 0))
