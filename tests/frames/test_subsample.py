from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from skimage.metrics import structural_similarity

from sonoplane.errors import RecordingError
from sonoplane.frames.subsample import Subsampler, below_mean, choose, evenly
from sonoplane.frames.subsample_settings import SubsampleSettings
from sonoplane.records import Box
from sonoplane.video.phantom import PhantomExam

SSIM = SubsampleSettings(method="ssim")
NOISE = np.random.default_rng(0).integers(0, 256, (3, 20, 24), np.uint8)


def oracle(images: np.ndarray) -> tuple[int, ...]:
    """The rule as it is written down, with scikit-image."""
    ssim = np.array([structural_similarity(a, b, win_size=7, data_range=255) for a, b in pairwise(images)])
    low = np.flatnonzero(ssim < ssim.mean())
    return tuple(sorted({0, *low.tolist(), *(low + 1).tolist()}))


def test_the_frames_chosen_from_a_sweep_are_those_of_scikit_image(exams: list[PhantomExam]):
    for exam in exams:
        images = np.stack([frame.image for frame in exam.recording.frames()])
        assert choose(images, SSIM) == oracle(images)
        box = Box(left=30, top=21, right=171, bottom=140)
        assert choose(images, SSIM, box=box) == oracle(images[:, 21:140, 30:171])


@pytest.mark.parametrize(
    "order", [[0, 1], [0, 0, 1, 1], [0, 1, 2, 2, 0], [0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1]]
)
def test_frames_that_repeat_are_chosen_as_scikit_image_does(order: list[int]):
    assert choose(NOISE[order], SSIM) == oracle(NOISE[order])


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30))
def test_kept_are_frame_0_and_both_frames_of_every_pair_below_the_mean(similarities: list[float]):
    kept, mean = below_mean(similarities), float(np.mean(similarities))
    sure = {i for i, value in enumerate(similarities) if value < mean - 1e-11}
    at_most = {i for i, value in enumerate(similarities) if value < mean}
    assert {0} | sure | {i + 1 for i in sure} <= set(kept) <= {0} | at_most | {i + 1 for i in at_most}


@given(st.floats(-1, 1), st.integers(1, 200))
def test_where_all_pairs_are_alike_only_frame_0_is_kept(similarity: float, n_pairs: int):
    noise = np.resize([0.0, 1e-15, -1e-15], n_pairs)
    assert below_mean((similarity + noise).tolist()) == (0,)


def test_one_changed_gray_level_in_a_still_recording_is_seen():
    images = np.repeat(NOISE[:1], 9, axis=0)
    images[4, 10, 10] ^= 1
    assert choose(images, SSIM) == (0, 3, 4, 5) == oracle(images)


@pytest.mark.parametrize("n_frames", [1, 2, 5])
def test_of_a_still_recording_only_frame_0_is_kept(n_frames: int):
    assert choose(np.full((n_frames, 9, 9), 70, np.uint8), SSIM) == (0,)


def test_of_two_different_frames_only_the_first_is_kept():
    assert choose(NOISE[:2], SSIM) == (0,)


@pytest.mark.parametrize("method", ["none", "ssim", "every", "even"])
def test_of_no_frame_none_is_kept_and_of_one_that_one(method: str):
    settings = SubsampleSettings.model_validate({"method": method})
    assert choose([], settings) == ()
    assert choose(NOISE[:1], settings) == (0,)


def test_frames_too_small_for_ssim_are_refused_with_another_method():
    tiny = np.zeros((3, 6, 9), np.uint8)
    with pytest.raises(RecordingError, match=r"6 x 9 pixels are too small .* `every`, `even` or `none`"):
        choose(tiny, SSIM)
    assert choose(tiny, SubsampleSettings(method="every", every=2)) == (0, 2)


def test_none_keeps_all():
    assert choose(NOISE, SubsampleSettings()) == (0, 1, 2)


@given(st.integers(1, 300), st.integers(1, 300))
def test_evenly_spaced_frames_go_from_the_first_to_the_last(n_frames: int, n_kept: int):
    kept = evenly(n_frames, n_kept)
    assert len(kept) == min(n_frames, n_kept)
    assert kept[0] == 0
    assert len(kept) == 1 or kept[-1] == n_frames - 1
    steps = {after - before for before, after in pairwise(kept)}
    assert not steps or (min(steps) >= 1 and max(steps) - min(steps) <= 1)


def test_frames_are_read_one_at_a_time():
    shown = 0

    def images() -> Iterator[np.ndarray]:
        nonlocal shown
        for image in NOISE:
            shown += 1
            assert subsampler.n_frames == shown - 1
            yield image

    subsampler = Subsampler(SSIM)
    for image in images():
        subsampler.see(image)
    assert len(subsampler.similarities) == 2
    assert subsampler.chosen == choose(NOISE, SSIM)


@pytest.mark.parametrize("wrong", [{"every": 0}, {"frames": 0}, {"method": "some"}, {"step": 3}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]):
    with pytest.raises(ValidationError):
        SubsampleSettings.model_validate(wrong)
