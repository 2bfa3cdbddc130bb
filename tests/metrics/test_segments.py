"""Runs are matched as in action segmentation."""

import numpy as np
import numpy.typing as npt
import pytest

from sonoplane.metrics.segments import OVERLAPS, matched, runs_of


def counts(targets: list[int], said: list[int], overlap: float, label: int = 1) -> list[int]:
    return matched(np.array(targets), np.array(said), 3, [overlap])[0, label].tolist()


def test_a_run_is_right_from_the_overlap_on() -> None:
    targets = [1] * 10 + [0] * 10
    half = [0] * 5 + [1] * 10 + [0] * 5  # 5 of 15 frames in common
    assert counts(targets, half, 0.5) == [0, 1, 1]
    assert counts(targets, half, 0.25) == [1, 0, 0]
    assert counts(targets, half, 1 / 3) == [1, 0, 0]


def test_a_flickering_answer_is_punished_once_for_each_run() -> None:
    assert counts([1] * 9, [1, 1, 1, 1, 1, 0, 1, 0, 1], 0.5) == [1, 2, 0]


def test_two_labelled_runs_need_two_answers() -> None:
    assert counts([1, 1, 1, 0, 1, 1], [1] * 6, 0.25) == [1, 0, 1]


def test_another_class_never_matches() -> None:
    found = matched(np.array([1, 1, 1]), np.array([2, 2, 2]), 3, [0.0])
    assert found[0].tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_unlabelled_frames_are_neither_right_nor_wrong() -> None:
    targets = [-1] * 4 + [1] * 4 + [-1] * 4
    assert counts(targets, [1] * 12, 0.9) == [1, 0, 0]
    assert counts(targets, [2] * 4 + [1] * 4 + [2] * 4, 0.9) == [1, 0, 0]
    assert matched(np.full(6, -1), np.ones(6, dtype=np.int64), 3).sum() == 0


def test_a_gap_in_the_labels_parts_runs_on_both_sides() -> None:
    assert counts([1, 1, -1, 1, 1], [1] * 5, 0.9) == [2, 0, 0]


def test_frames_without_an_answer_are_missed() -> None:
    assert counts([1, 1, 1], [-1, -1, -1], 0.1) == [0, 0, 1]


def test_no_frames_have_no_runs() -> None:
    assert runs_of(np.array([], dtype=np.int64)) == []
    assert matched(np.array([], dtype=np.int64), np.array([], dtype=np.int64), 2).sum() == 0


@pytest.mark.parametrize("seed", range(5))
def test_counts_agree_with_the_plain_definition(seed: int) -> None:
    """Written again from the paper's words: answered runs in order, each to the labelled run it overlaps most."""
    rng = np.random.default_rng(seed)
    targets: npt.NDArray[np.int64] = np.repeat(rng.integers(0, 4, 30), rng.integers(1, 9, 30))
    said = np.where(rng.random(len(targets)) < 0.85, targets, rng.integers(0, 4, len(targets)))
    frames = np.arange(len(targets))

    def sets(labels: npt.NDArray[np.int64]) -> list[tuple[int, set[int]]]:
        number = np.concatenate([[0], np.cumsum(np.diff(labels) != 0)])
        return [
            (int(labels[number == i][0]), set(frames[number == i].tolist())) for i in range(number[-1] + 1)
        ]

    for place, least in enumerate(OVERLAPS):
        right, false, free = np.zeros(4), np.zeros(4), sets(targets)
        for label, run in sets(said):
            mine = [
                (len(run & other) / len(run | other), other) for name, other in sets(targets) if name == label
            ]
            share, best = max(mine, key=lambda pair: pair[0], default=(0.0, set()))
            if share >= least and (label, best) in free:
                free.remove((label, best))
                right[label] += 1
            else:
                false[label] += 1
        missed = np.bincount([label for label, _ in free], minlength=4)
        assert np.array_equal(matched(targets, said, 4)[place].T, [right, false, missed])
