import numpy as np

from sonoplane.inference.smoothing_hysteresis import Hysteresis, Lasting, merge_short

EVEN = np.full((12, 3), 1 / 3)


def test_a_label_holds_between_the_two_thresholds() -> None:
    first = np.array([0.9, 0.35, 0.35, 0.3, 0.35])
    rows = np.stack([first, np.minimum(1 - first, 0.55), np.maximum(1 - first - 0.55, 0)], axis=1)
    assert Hysteresis(enter=0.6, leave=0.35).push(rows).tolist() == [0, 0, 0, 1, 1]


def test_a_class_below_the_lower_threshold_gives_way_to_the_likeliest() -> None:
    rows = np.array([[0.8, 0.1, 0.1], [0.39, 0.3, 0.31], [0.3, 0.29, 0.41]])
    assert Hysteresis(enter=0.9, leave=0.4).push(rows).tolist() == [0, 0, 2]


def test_a_short_segment_goes_where_its_frames_are_likelier() -> None:
    numbers = np.array([0] * 5 + [1] * 2 + [2] * 5)
    rows = EVEN.copy()
    rows[5:7] = (0.1, 0.5, 0.4)
    assert merge_short(numbers, rows, 3).tolist() == [0] * 5 + [2] * 7
    rows[5:7] = (0.4, 0.5, 0.1)
    assert merge_short(numbers, rows, 3).tolist() == [0] * 7 + [2] * 5


def test_of_neighbors_as_likely_the_earlier_takes_it() -> None:
    assert merge_short(np.array([0] * 5 + [1] + [2] * 6), EVEN, 2).tolist() == [0] * 6 + [2] * 6


def test_the_shortest_goes_first_and_neighbors_of_one_class_become_one() -> None:
    numbers = np.array([0, 0, 0, 1, 0, 0, 0, 2, 2, 0, 0, 0])
    assert merge_short(numbers, EVEN, 3).tolist() == [0] * 12


def test_a_recording_shorter_than_the_shortest_is_one_segment() -> None:
    rows = np.array([[0.2, 0.8, 0.0], [0.6, 0.4, 0.0], [0.1, 0.9, 0.0]])
    assert len(set(merge_short(np.array([1, 0, 1]), rows, 10).tolist())) == 1


def test_many_flickers_are_merged_quickly() -> None:
    draw = np.random.default_rng(0)
    rows = draw.dirichlet(np.ones(7), 20_000)
    merged = merge_short(rows.argmax(axis=1), rows, 12)
    assert np.diff(np.flatnonzero(np.diff(merged, prepend=-1, append=-1))).min() >= 12


def test_a_stream_tells_a_new_label_when_it_has_held() -> None:
    assert Lasting(3).push(np.array([0, 1, 1, 0, 1, 1, 1, 2])).tolist() == [0, 0, 0, 0, 0, 0, 1, 1]


def test_nothing_makes_nothing() -> None:
    nothing = np.zeros(0, np.int64)
    assert not len(merge_short(nothing, np.zeros((0, 3)), 3))
