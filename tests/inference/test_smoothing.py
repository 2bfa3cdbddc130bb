import time
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.inference.smoothing import StreamSmoother, assumed_rate, kind_of, smooth
from sonoplane.inference.smoothing_settings import SmoothingSettings
from sonoplane.inference.smoothing_transitions import LabelledFrames, Transitions, learn_transitions
from sonoplane.inference.timeline import segments, softmax
from sonoplane.records import Timeline

CLASSES = ("background", "aorta", "gallbladder", "ivc")
HMM = SmoothingSettings(kind="hmm")
FPS = 25.0
#: Half of the frames are background.
EXPECTED = np.array([3, 1, 1, 1]) / 6


def sweep(draw: np.random.Generator, n_frames: int = 500) -> np.ndarray:
    """Planes of one to three seconds, background between them."""
    runs: list[np.ndarray] = []
    while sum(map(len, runs)) < n_frames:
        plane = draw.integers(1, 4) if len(runs) % 2 else 0
        runs.append(np.full(draw.integers(25, 75), plane))
    return np.concatenate(runs)[:n_frames]


def noisy(truth: np.ndarray, draw: np.random.Generator, fps: float | None = FPS) -> Timeline:
    """What a network says that is right in about six frames of seven, and as sure as it should be."""
    seen = 2 * np.eye(4)[truth] + draw.normal(0, 1, (len(truth), 4))
    logits = (2 * seen + np.log(EXPECTED)).astype(np.float32)
    return Timeline(
        recording="sweep",
        classes=CLASSES,
        times_s=None,
        fps=fps,
        logits=logits,
        probabilities=softmax(logits),
    )


def f1_of_segments(found: np.ndarray, truth: np.ndarray) -> float:
    """A segment is found where one of its label overlaps it by more than half of what the two cover."""

    def runs(numbers: np.ndarray) -> list[tuple[int, set[int]]]:
        grouped = groupby(enumerate(numbers), key=lambda pair: pair[1])
        return [(int(number), {frame for frame, _ in pairs}) for number, pairs in grouped]

    ours, theirs = runs(found), runs(truth)
    hits = sum(any(one == other and len(a & b) > len(a | b) / 2 for other, b in theirs) for one, a in ours)
    return 2 * hits / (len(ours) + len(theirs))


@pytest.fixture(scope="module")
def learned() -> Transitions:
    recordings = [
        LabelledFrames(numbers=sweep(np.random.default_rng([9, patient])), fps=FPS, patient=f"p{patient}")
        for patient in range(8)
    ]
    transitions = learn_transitions(recordings, CLASSES)
    assert transitions is not None
    return transitions


def test_an_hmm_makes_fewer_mistakes_and_truer_segments(learned: Transitions) -> None:
    draw = np.random.default_rng(1)
    chosen = {
        "none": SmoothingSettings(kind="none"),
        "average": SmoothingSettings(kind="average"),
        "hysteresis": SmoothingSettings(kind="hysteresis"),
        "hmm": HMM,
        "viterbi": SmoothingSettings(kind="hmm", decoding="viterbi"),
    }
    wrong: dict[str, list[float]] = {name: [] for name in chosen}
    f1: dict[str, list[float]] = {name: [] for name in chosen}
    for _ in range(6):
        truth = sweep(draw)
        raw = noisy(truth, draw)
        for name, settings in chosen.items():
            numbers = smooth(raw, settings, learned).numbers
            wrong[name].append(float((numbers != truth).mean()))
            f1[name].append(f1_of_segments(numbers, truth))
    error = {name: np.mean(values) for name, values in wrong.items()}
    assert error["none"] > 0.1
    assert max(error["hmm"], error["viterbi"]) < error["none"] / 10
    assert max(error["hmm"], error["viterbi"]) < min(error["average"], error["hysteresis"])
    assert np.mean(f1["none"]) < 0.3
    assert min(np.mean(f1["hmm"]), np.mean(f1["viterbi"]), np.mean(f1["hysteresis"])) > 0.85


def test_a_stream_makes_fewer_mistakes_than_the_network_alone(learned: Transitions) -> None:
    draw = np.random.default_rng(2)
    truth = sweep(draw, 2000)
    raw = noisy(truth, draw)
    said = StreamSmoother(CLASSES, HMM, learned, fps=FPS).push(raw.probabilities)
    assert (said.path != truth).mean() < (raw.numbers != truth).mean() / 2


def test_frames_that_nobody_answered_count_as_time(learned: Transitions) -> None:
    """Of six frames one is answered: a new plane is told as soon after it was seen, in seconds, as of all frames."""
    truth = np.repeat([1, 2], 60)
    rows = (0.9 * np.eye(4)[truth] + 0.025).astype(np.float32)
    hysteresis = SmoothingSettings(kind="hysteresis", window_s=0.2, shortest_s=0.2)
    for settings in (hysteresis, SmoothingSettings(kind="average", window_s=0.4), HMM):
        stream = StreamSmoother(CLASSES, settings, learned, fps=30)
        told = [
            int(stream.push(rows[i : i + 1], missed=5 if i else 0).path[0]) for i in range(0, len(rows), 6)
        ]
        first = told.index(2) * 6
        assert 60 <= first <= 72, settings.kind
        assert told[told.index(2) :] == [2] * (len(told) - told.index(2))


def test_an_hmm_knows_of_a_missed_frame_what_it_knows_of_one_that_says_nothing(learned: Transitions) -> None:
    seen = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]])
    nothing = np.repeat(learned.prior[None], 3, axis=0)
    missing, silent = (StreamSmoother(CLASSES, HMM, learned, fps=FPS) for _ in range(2))
    said = silent.push(np.concatenate([seen[:1], nothing, seen[1:]])).probabilities[[0, -1]]
    found = [missing.push(seen[:1]).probabilities, missing.push(seen[1:], missed=3).probabilities]
    np.testing.assert_allclose(np.concatenate(found), said, rtol=1e-5)


def test_a_path_makes_the_segments_also_where_it_is_not_the_likeliest_class(learned: Transitions) -> None:
    rows = np.full((60, 4), 0.02, np.float32)
    rows[:, 0] = 0.94
    rows[30] = (0.02, 0.94, 0.02, 0.02)
    raw = replace(noisy(np.zeros(60, np.int64), np.random.default_rng(0)), probabilities=rows)
    steady = smooth(raw, SmoothingSettings(kind="hysteresis", window_s=0), learned)
    assert len(segments(raw)) == 3
    assert [(run.start, run.stop, run.label) for run in segments(steady)] == [(0, 60, "background")]
    assert np.array_equal(steady.probabilities, rows)
    assert steady.labels == ("background",) * 60
    assert smooth(raw, HMM, learned).labels == ("background",) * 60


def test_auto_is_an_hmm_where_the_bundle_knows_the_transitions(learned: Transitions) -> None:
    raw = noisy(sweep(np.random.default_rng(3)), np.random.default_rng(3))
    auto = SmoothingSettings()
    assert kind_of(auto, learned) == "hmm"
    assert smooth(raw, auto) is raw
    assert np.array_equal(smooth(raw, auto, learned).probabilities, smooth(raw, HMM, learned).probabilities)


def test_an_hmm_without_transitions_is_refused_with_advice() -> None:
    raw = noisy(sweep(np.random.default_rng(3)), np.random.default_rng(3))
    with pytest.raises(UsageError, match=r"--smoothing\.kind average"):
        smooth(raw, HMM)
    with pytest.raises(UsageError, match=r"--smoothing\.kind average"):
        StreamSmoother(CLASSES, HMM, fps=FPS)


def test_transitions_of_other_classes_are_refused(learned: Transitions) -> None:
    raw = noisy(sweep(np.random.default_rng(3)), np.random.default_rng(3))
    other = replace(learned, classes=CLASSES[::-1])
    with pytest.raises(UsageError, match="other classes"):
        smooth(raw, HMM, other)
    with pytest.raises(UsageError, match="other classes"):
        StreamSmoother(CLASSES, HMM, other, fps=FPS)


def test_without_frame_times_the_rate_is_that_of_the_training_and_a_warning_says_so(
    learned: Transitions,
) -> None:
    truth = sweep(np.random.default_rng(4))
    raw = noisy(truth, np.random.default_rng(4), fps=None)
    timed = replace(raw, fps=learned.fps)
    assert np.array_equal(smooth(raw, HMM, learned).probabilities, smooth(timed, HMM, learned).probabilities)
    note = assumed_rate(None, HMM, learned)
    assert note is not None
    assert "25 frames a second, the median of the recordings trained on" in note
    assert StreamSmoother(CLASSES, HMM, learned, fps=None).note == note
    assert assumed_rate(30.0, HMM, learned) is None
    assert assumed_rate(None, SmoothingSettings(), None) is None
    assert assumed_rate(None, SmoothingSettings(kind="average", window_s=0), None) is None
    assert "a common rate" in (assumed_rate(None, SmoothingSettings(kind="average"), None) or "")


def test_twice_the_frames_of_one_moment_are_not_twice_the_evidence(learned: Transitions) -> None:
    raw = noisy(sweep(np.random.default_rng(5)), np.random.default_rng(5))
    doubled = replace(
        raw,
        fps=2 * FPS,
        logits=raw.logits.repeat(2, axis=0),
        probabilities=raw.probabilities.repeat(2, axis=0),
    )
    moved = {}
    for alike_s in (0.0, 1 / FPS):
        settings = SmoothingSettings(kind="hmm", alike_s=alike_s)
        two = smooth(doubled, settings, learned).probabilities[::2]
        moved[alike_s] = np.abs(two - smooth(raw, settings, learned).probabilities).mean()
    assert moved[1 / FPS] < moved[0.0] / 2


def test_a_surer_network_that_is_wrong_once_does_not_end_a_plane(learned: Transitions) -> None:
    rows = np.zeros((40, 4), np.float32)
    rows[:, 1] = 1
    rows[20] = (0, 0, 1, 0)
    raw = replace(noisy(np.ones(40, np.int64), np.random.default_rng(0)), probabilities=rows)
    after = smooth(raw, HMM, learned)
    assert np.isfinite(after.probabilities).all()
    assert after.labels[19] == after.labels[21] == "aorta"


def test_an_empty_timeline_stays_empty(learned: Transitions) -> None:
    raw = noisy(np.zeros(0, np.int64), np.random.default_rng(0))
    assert smooth(raw, HMM, learned) is raw
    assert not len(StreamSmoother(CLASSES, HMM, learned, fps=FPS).push(raw.probabilities).path)


def test_an_hour_takes_seconds(learned: Transitions) -> None:
    truth = np.resize(sweep(np.random.default_rng(6)), 90_000)
    raw = noisy(truth, np.random.default_rng(6))
    begun = time.process_time()
    for settings in (
        HMM,
        SmoothingSettings(kind="hmm", decoding="viterbi"),
        SmoothingSettings(kind="hysteresis"),
    ):
        smooth(raw, settings, learned)
    assert time.process_time() - begun < 20
