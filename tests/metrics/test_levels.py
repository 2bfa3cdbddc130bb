"""Segments, recordings and patients are made of their frames, and of what can be scored nothing is lost in silence."""

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers, answers_of
from sonoplane.metrics.levels import to_patients, to_recordings, to_segments

CLASSES = ("background", "kidney", "liver")


def frames(*recordings: tuple[str, str, list[int], list[list[float]]]) -> Answers:
    return answers_of(
        level="frame",
        classes=CLASSES,
        targets=[t for _, _, targets, _ in recordings for t in targets],
        probabilities=[p for _, _, _, rows in recordings for p in rows],
        recordings=[name for name, _, targets, _ in recordings for _ in targets],
        patients=[patient for _, patient, targets, _ in recordings for _ in targets],
    )


KIDNEY, LIVER, NOTHING = [0.1, 0.7, 0.2], [0.1, 0.2, 0.7], [0.8, 0.1, 0.1]


def test_segments_are_labelled_runs_and_never_cross_recordings() -> None:
    made = to_segments(
        frames(
            ("r", "p", [1, 1, -1, 1], [KIDNEY, LIVER, NOTHING, KIDNEY]),
            ("s", "p", [1, 0], [KIDNEY, NOTHING]),
        )
    )
    assert made.level == "segment"
    assert made.targets.tolist() == [1, 1, 1, 0]
    assert made.recordings.tolist() == ["r", "r", "s", "s"]
    assert made.probabilities[0] == pytest.approx([0.1, 0.45, 0.45])


def test_recordings_with_one_label_are_scored_and_the_others_counted() -> None:
    made = to_recordings(
        frames(
            ("one", "p", [1, -1, 1], [KIDNEY, LIVER, KIDNEY]),
            ("mixed", "p", [1, 2], [KIDNEY, LIVER]),
            ("none", "q", [-1, -1], [LIVER, LIVER]),
        )
    )
    assert made.targets.tolist() == [1, -1, -1]
    assert made.said.tolist() == [1, 1, 2]
    assert made.notes == (
        "1 of 3 recordings with several labelled classes: not scored as a whole.",
        "1 of 3 recordings without a label: not scored as a whole.",
    )


def test_background_left_out_is_neither_target_nor_answer() -> None:
    sweep = frames(
        ("r", "p", [0, 0, 0, 2], [NOTHING, NOTHING, NOTHING, LIVER]), ("s", "p", [0, 0], [NOTHING] * 2)
    )
    made = to_recordings(sweep, leave_out="background")
    assert (made.targets.tolist(), made.said[0]) == ([2, -1], 2)
    assert to_recordings(sweep).targets.tolist() == [-1, 0]


def test_a_long_recording_counts_no_more_for_a_patient_than_a_short_one() -> None:
    made = to_patients(
        frames(
            ("long", "p", [2] * 9, [KIDNEY] * 9),
            ("short", "p", [2], [[0.0, 0.1, 0.9]]),
            ("other", "q", [1], [KIDNEY]),
        )
    )
    assert made.level == "patient"
    assert made.recordings.tolist() == made.patients.tolist() == ["p", "q"]
    assert made.targets.tolist() == [2, 1]
    assert made.said.tolist() == [2, 1]


def test_a_patient_with_two_labels_is_not_scored() -> None:
    made = to_patients(frames(("r", "p", [2], [LIVER]), ("s", "p", [1], [KIDNEY]), ("t", "q", [1], [KIDNEY])))
    assert made.targets.tolist() == [-1, 1]
    assert made.notes == ("1 of 2 patients with several labelled classes: not scored as a whole.",)


def test_recordings_vote_for_their_patient_and_a_tie_is_told() -> None:
    one = ("r", "p", [2, 2], [[0.0, 0.6, 0.4], [0.0, 0.6, 0.4]])
    other = ("s", "p", [2, 2], [[0.0, 0.2, 0.8], [0.0, 0.2, 0.8]])
    made = to_patients(frames(one, other), "vote")
    assert made.tied.tolist() == [True]
    again = to_patients(frames(one, other, ("t", "p", [2], [KIDNEY])), "vote")
    assert (again.said.tolist(), again.tied.tolist()) == ([1], [False])


def test_pooled_answers_are_not_pooled_again() -> None:
    made = to_recordings(frames(("r", "p", [1], [KIDNEY])))
    with pytest.raises(UsageError, match="pooled already"):
        to_segments(made)
    with pytest.raises(UsageError, match="no class 'spleen'"):
        to_recordings(frames(("r", "p", [1], [KIDNEY])), leave_out="spleen")


def test_no_rows_make_no_rows() -> None:
    nothing = frames(("r", "p", [1], [KIDNEY])).only(np.array([], dtype=int))
    assert to_segments(nothing).n == to_recordings(nothing).n == to_patients(nothing).n == 0
