"""Smoothing is what its definition says, for any recording, and a stream hears the same as a file, up to now."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonoplane.inference.smoothing import StreamSmoother, smooth
from sonoplane.inference.smoothing_hmm import Filter, evidence, forward_backward, viterbi
from sonoplane.inference.smoothing_hysteresis import Hysteresis, Lasting, merge_short
from sonoplane.inference.smoothing_settings import SmoothingSettings
from sonoplane.inference.smoothing_transitions import Transitions
from sonoplane.inference.smoothing_windows import PastAverage, average
from sonoplane.records import Timeline

CLASSES = ("background", "kidney", "liver")
SEEDS = st.integers(0, 2**32 - 1)
LENGTHS = st.integers(1, 60)
KINDS = ("none", "average", "hysteresis", "hmm")


def drawn_transitions(seed: int) -> Transitions:
    draw = np.random.default_rng(seed)
    counts = draw.integers(0, 30, (3, 3))
    np.fill_diagonal(counts, 0)
    return Transitions(
        classes=CLASSES,
        counts=counts,
        seconds=draw.uniform(0, 20, 3),
        prior=draw.dirichlet(np.full(3, 5.0)),
        fps=25.0,
        n_recordings=4,
        n_patients=4,
    )


def drawn_probabilities(seed: int, n_frames: int) -> np.ndarray:
    return np.random.default_rng([seed, 1]).dirichlet(np.full(3, 0.4), n_frames).astype(np.float32)


def timeline(probabilities: np.ndarray, fps: float | None = 25.0) -> Timeline:
    return Timeline(
        recording="sweep",
        classes=CLASSES,
        times_s=None,
        fps=fps,
        logits=np.log(probabilities + 1e-6).astype(np.float32),
        probabilities=probabilities,
    )


def run_lengths(numbers: np.ndarray) -> np.ndarray:
    return np.diff(np.flatnonzero(np.diff(numbers, prepend=-1, append=-1)))


def chunks(rows: np.ndarray, seed: int) -> list[np.ndarray]:
    cuts = np.random.default_rng([seed, 2]).integers(0, len(rows) + 1, 4)
    return np.split(rows, np.sort(cuts))


def courses(n_frames: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Every course through the classes, and how likely each is, by the definition."""
    chain = drawn_transitions(seed)
    says, matrix = evidence(drawn_probabilities(seed, n_frames), chain.prior), chain.matrix(3.0)
    paths = np.array(list(product(range(3), repeat=n_frames)))
    likely = chain.start[paths[:, 0]] * says[0, paths[:, 0]]
    for time in range(1, n_frames):
        likely *= matrix[paths[:, time - 1], paths[:, time]] * says[time, paths[:, time]]
    return paths, likely / likely.sum()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("n_frames", [1, 2, 6])
def test_smoother_and_viterbi_are_those_of_counting_every_course(n_frames: int, seed: int) -> None:
    paths, likely = courses(n_frames, seed)
    chain = drawn_transitions(seed)
    says, matrix = evidence(drawn_probabilities(seed, n_frames), chain.prior), chain.matrix(3.0)
    counted = np.stack([(likely[:, None] * (paths == number)).sum(axis=0) for number in range(3)], axis=1)
    assert np.allclose(forward_backward(says, matrix, chain.start), counted, atol=1e-12)
    assert np.array_equal(viterbi(says, matrix, chain.start), paths[likely.argmax()])


@given(SEEDS, LENGTHS)
@settings(max_examples=40, deadline=None)
def test_filter_equals_smoother_at_the_last_frame(seed: int, n_frames: int) -> None:
    chain = drawn_transitions(seed)
    says, matrix = evidence(drawn_probabilities(seed, n_frames), chain.prior), chain.matrix(25.0)
    filtered = Filter(matrix, chain.start).push(says)
    assert np.allclose(filtered[-1], forward_backward(says, matrix, chain.start)[-1], atol=1e-12)
    for known in range(1, n_frames, 7):  # what comes later never reaches back
        assert np.array_equal(filtered[:known], Filter(matrix, chain.start).push(says[:known]))


@given(SEEDS, LENGTHS, st.sampled_from(KINDS))
@settings(max_examples=80, deadline=None)
def test_a_stream_says_the_same_in_any_chunks_and_again_after_a_reset(
    seed: int, n_frames: int, kind: str
) -> None:
    chosen = SmoothingSettings.model_validate({"kind": kind})
    stream = StreamSmoother(CLASSES, chosen, drawn_transitions(seed), fps=25.0)
    rows = drawn_probabilities(seed, n_frames)
    whole = stream.push(rows)
    stream.reset()
    parts = [stream.push(chunk) for chunk in chunks(rows, seed)]
    assert np.allclose(np.concatenate([part.probabilities for part in parts]), whole.probabilities, atol=1e-6)
    assert np.array_equal(np.concatenate([part.path for part in parts]), whole.path)
    stream.reset()
    one_by_one = np.concatenate([stream.push(row[None]).path for row in rows])
    assert np.array_equal(one_by_one, whole.path)


@given(SEEDS, LENGTHS, st.sampled_from(KINDS), st.sampled_from(["posterior", "viterbi"]))
@settings(max_examples=80, deadline=None)
def test_probabilities_add_up_to_one_and_logits_stay(
    seed: int, n_frames: int, kind: str, decoding: str
) -> None:
    chosen = SmoothingSettings.model_validate({"kind": kind, "decoding": decoding})
    before = timeline(drawn_probabilities(seed, n_frames))
    after = smooth(before, chosen, drawn_transitions(seed))
    assert after.probabilities.shape == before.probabilities.shape
    assert np.allclose(after.probabilities.sum(axis=1), 1, atol=1e-5)
    assert (after.probabilities >= 0).all()
    assert after.logits is before.logits
    assert len(after.labels) == n_frames


@given(SEEDS, st.floats(0.5, 200), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_at_a_multiple_of_the_rate_so_many_steps_make_one(seed: int, fps: float, times: int) -> None:
    chain = drawn_transitions(seed)
    assert np.allclose(
        np.linalg.matrix_power(chain.matrix(fps * times), times), chain.matrix(fps), atol=1e-12
    )


@given(SEEDS, st.floats(1e-3, 1e6))
@settings(max_examples=40, deadline=None)
def test_chances_are_chances_at_any_rate(seed: int, fps: float) -> None:
    matrix = drawn_transitions(seed).matrix(fps)
    assert (matrix > 0).all()
    assert np.allclose(matrix.sum(axis=1), 1)


@given(SEEDS, LENGTHS)
@settings(max_examples=30, deadline=None)
def test_a_chain_that_forgets_leaves_probabilities_as_they_are(seed: int, n_frames: int) -> None:
    prior = drawn_transitions(seed).prior
    rows = drawn_probabilities(seed, n_frames)
    forgets = np.tile(prior, (3, 1))
    assert np.allclose(forward_backward(evidence(rows, prior), forgets, prior), rows, atol=1e-6)


@given(SEEDS, LENGTHS)
@settings(max_examples=30, deadline=None)
def test_a_chain_that_never_moves_gives_one_answer_to_all_frames(seed: int, n_frames: int) -> None:
    prior, rows = drawn_transitions(seed).prior, drawn_probabilities(seed, n_frames)
    says = evidence(rows, prior)
    beliefs = forward_backward(says, np.eye(3), prior)
    together = np.log(says).sum(axis=0) + np.log(prior)
    together = np.exp(together - together.max())
    assert np.allclose(beliefs, together / together.sum(), atol=1e-9)


@given(SEEDS, LENGTHS, st.integers(1, 15))
@settings(max_examples=80, deadline=None)
def test_no_segment_is_shorter_than_the_shortest_unless_the_recording_is(
    seed: int, n_frames: int, shortest: int
) -> None:
    rows = drawn_probabilities(seed, n_frames)
    held = Hysteresis(enter=0.6, leave=0.4).push(rows)
    merged = merge_short(held, rows, shortest)
    assert run_lengths(merged).min() >= min(shortest, n_frames)
    assert set(merged) <= set(held)
    told = run_lengths(Lasting(shortest).push(held))[:-1]  # the last goes on when the stream does
    assert not len(told) or told.min() >= shortest


@given(SEEDS, LENGTHS, st.integers(0, 10))
@settings(max_examples=40, deadline=None)
def test_averages_are_means_over_the_frames_that_there_are(seed: int, n_frames: int, half: int) -> None:
    rows = drawn_probabilities(seed, n_frames)
    around = [rows[max(0, t - half) : t + half + 1].mean(axis=0) for t in range(n_frames)]
    before = [rows[max(0, t - half) : t + 1].mean(axis=0) for t in range(n_frames)]
    assert np.allclose(average(rows, half=half), around, atol=1e-6)
    assert np.allclose(PastAverage(half + 1).push(rows), before, atol=1e-6)
