import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import BundleError, UsageError
from sonoplane.inference.smoothing_transitions import (
    TRANSITIONS,
    LabelledFrames,
    Transitions,
    learn_transitions,
    transitions_of,
)
from sonoplane.models.bundle import Bundle, add_files, save_bundle

CLASSES = ("background", "kidney", "liver")


def labelled(letters: str, fps: float | None = 10.0, patient: str = "p0") -> LabelledFrames:
    numbers = np.array(["bkl".find(letter) for letter in letters], dtype=np.int64)
    return LabelledFrames(numbers=numbers, fps=fps, patient=patient)


def learned(*recordings: LabelledFrames) -> Transitions:
    transitions = learn_transitions(recordings, CLASSES)
    assert transitions is not None
    return transitions


def test_counts_are_changes_and_seconds_are_those_watched_at_each_rate() -> None:
    made = learned(labelled("bbbkkb"), labelled("bbbkkb", fps=20.0, patient="p1"))
    assert made.counts.tolist() == [[0, 2, 0], [2, 0, 0], [0, 0, 0]]
    assert made.seconds == pytest.approx([3 / 10 + 3 / 20, 2 / 10 + 2 / 20, 0])
    assert (made.fps, made.n_recordings, made.n_patients) == (15.0, 2, 2)


def test_nothing_is_counted_across_a_gap_without_labels() -> None:
    assert learned(labelled("bbk.lkk")).counts.tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 0]]


def test_no_change_within_a_recording_teaches_nothing() -> None:
    assert learn_transitions([labelled("bbb"), labelled("kkk"), labelled("l")], CLASSES) is None
    assert learn_transitions([labelled("b.k")], CLASSES) is None
    assert learn_transitions([], CLASSES) is None


def test_recordings_without_frame_times_count_for_the_prior_alone() -> None:
    assert learn_transitions([labelled("bbkk", fps=None)], CLASSES) is None
    made = learned(labelled("bk"), labelled("llll", fps=None))
    assert made.n_recordings == 1
    assert made.prior.tolist() == pytest.approx([2 / 9, 2 / 9, 5 / 9])


def test_one_is_added_to_every_count() -> None:
    made = learned(labelled("bbbbbbbbbbk"))
    assert made.rates[0].tolist() == pytest.approx([-1.5, 2 / 2, 1 / 2])  # ten frames: one second
    assert made.rates[2].tolist() == pytest.approx([1, 1, -2])  # never seen


def test_rates_come_back_from_a_chain_that_has_them() -> None:
    truth = np.array([[-0.5, 0.4, 0.1], [0.3, -0.4, 0.1], [0.2, 0.6, -0.8]])
    draw = np.random.default_rng(0)
    recordings = []
    for fps in (12.0, 30.0, 50.0):
        steps = np.eye(3) + truth / fps
        numbers = np.zeros(int(3000 * fps), np.int64)
        chances = draw.random(len(numbers))
        for time in range(1, len(numbers)):
            numbers[time] = np.searchsorted(steps[numbers[time - 1]].cumsum(), chances[time])
        recordings.append(LabelledFrames(numbers=numbers, fps=fps, patient=f"{fps}"))
    made = learned(*recordings)
    assert np.allclose(made.rates, truth, atol=0.05)


def test_what_is_written_reads_back() -> None:
    made = learned(labelled("bbbkkb"), labelled("lk"))
    back = Transitions.from_json(made.to_json())
    assert back.to_json() == made.to_json()
    assert np.array_equal(back.matrix(25.0), made.matrix(25.0))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("classes", ["background", "kidney"]),
        ("classes", ["kidney", "kidney", "liver"]),
        ("counts", [[0, -1, 0], [0, 0, 0], [0, 0, 0]]),
        ("counts", "many"),
        ("seconds", [1, float("nan"), 1]),
        ("prior", [0.5, 0.5, 0.5]),
        ("prior", [1.0, 0.0, 0.0]),
        ("fps", 0),
        ("fps", None),
    ],
)
def test_a_file_with_a_number_that_cannot_be_is_refused(key: str, value: object) -> None:
    values = json.loads(learned(labelled("bk")).to_json())
    with pytest.raises(BundleError, match=TRANSITIONS):
        Transitions.from_json(json.dumps(values | {key: value}).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"format": 1}'])
def test_another_file_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match=TRANSITIONS):
        Transitions.from_json(data)


def test_numbers_that_do_not_fit_are_never_transitions() -> None:
    with pytest.raises(UsageError, match="do not fit"):
        replace(learned(labelled("bk")), classes=("background",))


def test_a_bundle_keeps_them(bundle: Bundle, tmp_path: Path) -> None:
    classes = bundle.card.classes
    assert transitions_of(bundle) is None
    copy = save_bundle(
        tmp_path / "copy",
        name="copy",
        version="1",
        spec=bundle.spec,
        card=bundle.card,
        weights=bundle.weights(),
        recipe={},
    )
    made = learn_transitions([LabelledFrames(numbers=np.array([0, 0, 3]), fps=25.0, patient="p")], classes)
    assert made is not None
    kept = transitions_of(add_files(copy, {TRANSITIONS: made.to_json()}))
    assert kept is not None
    assert kept.to_json() == made.to_json()
    other = replace(made, classes=tuple(reversed(classes)))
    with pytest.raises(BundleError, match="other classes"):
        transitions_of(add_files(copy, {TRANSITIONS: other.to_json()}))
