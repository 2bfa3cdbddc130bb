import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from sonoplane.errors import DamagedRecording, MissingExtra, RecordingError, UsageError
from sonoplane.frames import ssim
from sonoplane.frames.ssim import ConsecutiveSsim, mean_ssim
from sonoplane.records import Box

random = np.random.default_rng(0)
NOISE = random.integers(0, 256, (2, 90, 131), np.uint8)
SLOPE = np.add.outer(np.arange(64), 2 * np.arange(80)).astype(np.uint8)


def oracle(a: np.ndarray, b: np.ndarray) -> float:
    return float(structural_similarity(a, b, win_size=7, data_range=255, use_sample_covariance=True))


def equal(a: np.ndarray, b: np.ndarray) -> bool:
    return abs(mean_ssim(a, b) - oracle(a, b)) < 1e-8


@pytest.mark.parametrize(
    ("a", "b"),
    [
        pytest.param(*NOISE, id="noise"),
        pytest.param(NOISE[0], 255 - NOISE[0], id="opposites"),
        pytest.param(SLOPE, SLOPE[::-1], id="smooth, turned over"),
        pytest.param(SLOPE, np.full_like(SLOPE, 90), id="smooth and constant"),
        pytest.param(np.zeros((20, 20), np.uint8), np.full((20, 20), 255, np.uint8), id="black and white"),
        pytest.param(*NOISE[:, ::2, ::-3], id="every other row, columns backwards"),
        pytest.param(*NOISE.transpose(0, 2, 1), id="transposed"),
        pytest.param(*np.asfortranarray(NOISE), id="columns first"),
        pytest.param(*random.integers(0, 256, (2, 760, 1200), np.uint8) // 3, id="a whole frame"),
    ],
)
def test_it_equals_scikit_image(a: np.ndarray, b: np.ndarray):
    assert equal(a, b)


@pytest.mark.parametrize("shape", [(7, 7), (7, 8), (8, 7), (9, 40), (40, 9), (13, 13), (31, 200)])
def test_it_equals_scikit_image_for_small_and_odd_sizes(shape: tuple[int, int]):
    assert equal(*random.integers(0, 256, (2, *shape), np.uint8))


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(7, 50), st.integers(7, 50)),
    st.integers(0, 2**32),
    st.integers(1, 256),
    st.booleans(),
)
def test_it_equals_scikit_image_whatever_the_frames(
    shape: tuple[int, int], seed: int, levels: int, alike: bool
):
    drawn = np.random.default_rng(seed)
    a, b = drawn.integers(256 - levels, 256, (2, *shape)).astype(np.uint8)
    assert equal(a, np.where(a % 5 == 0, b, a) if alike else b)


def test_equal_frames_are_exactly_alike_and_order_does_not_matter():
    assert mean_ssim(NOISE[0], NOISE[0].copy()) == 1.0
    assert mean_ssim(NOISE[0], NOISE[1]) == mean_ssim(NOISE[1], NOISE[0])


def test_the_stream_equals_the_pairs_and_one_thread_equals_two():
    images = random.integers(0, 256, (6, 50, 33), np.uint8)
    one, two = ConsecutiveSsim(threads=1), ConsecutiveSsim(threads=2)
    seen = [one.see(image) for image in images]
    assert seen == [two.see(image) for image in images]
    assert seen == [None, *(mean_ssim(a, b) for a, b in pairwise(images))]


def test_a_reader_may_reuse_its_memory():
    stream, memory = ConsecutiveSsim(), NOISE[0].copy()
    stream.see(memory)
    memory[:] = NOISE[1]
    assert stream.see(memory) == mean_ssim(*NOISE)


def test_frames_may_be_read_only():
    a, b = NOISE.copy()
    a.flags.writeable = b.flags.writeable = False
    assert mean_ssim(a, b) == mean_ssim(*NOISE)


def test_only_the_box_is_compared():
    box = Box(left=5, top=10, right=40, bottom=60)
    assert mean_ssim(*NOISE, box=box) == mean_ssim(*NOISE[:, 10:60, 5:40])


def test_a_color_frame_is_compared_by_the_rounded_mean_of_its_colors():
    rgb = random.integers(0, 256, (2, 30, 40, 3), np.uint8)
    gray = np.round(rgb.sum(axis=3) / 3).astype(np.uint8)
    assert mean_ssim(*rgb) == mean_ssim(*gray)
    assert mean_ssim(*rgb[:, :, ::-2]) == mean_ssim(*gray[:, :, ::-2])


def test_a_gray_frame_stored_as_rgb_is_the_gray_frame():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert mean_ssim(np.stack([ramp] * 3, axis=2), ramp) == 1.0


def test_several_threads_may_compare_at_once():
    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(lambda _: mean_ssim(*NOISE), range(40)))) == 1


@pytest.mark.parametrize("shape", [(6, 40), (40, 6)])
def test_frames_below_the_window_are_refused(shape: tuple[int, int]):
    with pytest.raises(RecordingError, match="too small for SSIM"):
        mean_ssim(*np.zeros((2, *shape), np.uint8))


def test_a_change_of_size_is_damage():
    stream = ConsecutiveSsim()
    stream.see(np.zeros((9, 9), np.uint8))
    with pytest.raises(DamagedRecording, match="9 x 8 pixels follows one of 9 x 9"):
        stream.see(np.zeros((9, 8), np.uint8))


def test_a_box_outside_the_frame_is_refused():
    with pytest.raises(UsageError, match="holds no pixel"):
        mean_ssim(*NOISE, box=Box(left=500, top=0, right=520, bottom=20))


def test_without_numba_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    ssim._compiled.cache_clear()
    with pytest.raises(MissingExtra, match=r"pip install 'sonoplane\[train\]'"):
        ConsecutiveSsim()


def test_the_machine_code_is_read_from_disk_by_the_next_process():
    mean_ssim(*NOISE)
    code = "from sonoplane.frames.ssim import _compiled as c; print(sum(c().stats.cache_hits.values()))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "1"


def test_importing_it_does_not_load_numba():
    code = "import sys, sonoplane.frames.subsample; print('numba' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
