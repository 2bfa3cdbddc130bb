import numpy as np
import pytest

from sonoplane.clips.windows_settings import WindowSettings
from sonoplane.errors import UsageError
from sonoplane.training.samples import class_counts, cut_samples, evening_weights

LABELS = np.array([-1, 0, 0, 0, 0, 1, 1, 1])
WINDOWS = WindowSettings(length=3, stride=2, policy="last")


def test_every_labelled_frame_is_a_sample_whatever_the_windows() -> None:
    made = cut_samples("a", LABELS, form="frames", windows=WINDOWS)
    assert made.frames.tolist() == [[1], [2], [3], [4], [5], [6], [7]]
    assert made.targets.ravel().tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_centre_frames_are_those_of_the_clips_with_the_clips_labels() -> None:
    clips = cut_samples("a", LABELS, form="clips", windows=WINDOWS)
    centres = cut_samples("a", LABELS, form="centres", windows=WINDOWS)
    assert centres.frames[:, 0].tolist() == clips.frames[:, 1].tolist()
    assert np.array_equal(centres.targets, clips.targets)


def test_dense_samples_have_a_target_for_each_frame() -> None:
    made = cut_samples("a", LABELS, form="dense", windows=WINDOWS)
    assert made.targets.tolist() == [[-1, 0, 0], [0, 0, 0], [0, 1, 1], [1, 1, 1]]


def test_sub_sampling_keeps_the_clips_that_hold_a_chosen_frame() -> None:
    chosen = np.array([1, 7])
    frames = cut_samples("a", LABELS, form="frames", windows=WINDOWS, chosen=chosen)
    clips = cut_samples("a", LABELS, form="clips", windows=WINDOWS, chosen=chosen)
    assert frames.frames.tolist() == [[1], [7]]
    assert clips.frames.tolist() == [[0, 1, 2], [5, 6, 7]]


def test_clips_with_a_label_for_each_frame_need_dense_training() -> None:
    with pytest.raises(UsageError, match=r"training\.dense"):
        cut_samples("a", LABELS, form="clips", windows=WindowSettings(length=2, policy="per-frame"))


def test_balanced_weights_give_every_class_the_same_share() -> None:
    targets = np.array([[0], [0], [0], [0], [0], [2], [2], [1]])
    weights = evening_weights(targets, 3)
    shares = [weights[targets[:, 0] == number].sum() for number in range(3)]
    assert np.allclose(shares, 1 / 3)


def test_unlabelled_frames_count_for_no_class() -> None:
    assert class_counts(np.array([[-1, 2], [2, 0]]), 4).tolist() == [1, 0, 2, 0]
    assert evening_weights(np.array([[-1, 0], [1, 1]]), 2).tolist() == pytest.approx([2 / 3, 1 / 3])
