import time

import cv2
import numpy as np
import pytest

from sonoplane.frames.fingerprint import Fingerprint, step_of
from tests.frames.scenes import scene, sector_mask


def hashes_of(images: np.ndarray, most: int = 256) -> np.ndarray:
    fingerprint = Fingerprint(most=most)
    for image in images:
        fingerprint.see(image)
    return fingerprint.hashes


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return scene(sector_mask(200, 260, convex=True), n_frames=24)


def test_every_frame_is_kept_until_there_are_too_many(images: np.ndarray):
    all_of_them = hashes_of(images)
    assert len(all_of_them) == 24
    assert np.array_equal(hashes_of(images, most=24), all_of_them)
    assert np.array_equal(hashes_of(images, most=23), all_of_them[::2])
    assert np.array_equal(hashes_of(images, most=5), all_of_them[::8])


def test_a_long_recording_keeps_a_bounded_number(images: np.ndarray):
    fingerprint = Fingerprint(most=16)
    for index in range(1000):
        fingerprint.see(images[index % 24])
        assert len(fingerprint.hashes) <= 16
    assert fingerprint.n_frames == 1000
    assert len(fingerprint.hashes) == 16


def test_black_and_flat_frames_tell_nothing(images: np.ndarray):
    flat = np.zeros((3, 200, 260), np.uint8)
    flat[1] = 90
    flat[2, 4:9, 4:9] = 255
    assert not hashes_of(flat).any()
    between = hashes_of(np.concatenate([images[:3], flat, images[3:]]))
    assert np.array_equal(np.delete(between, range(3, 6), axis=0), hashes_of(images))


def test_the_frame_of_a_sample_is_known(images: np.ndarray):
    for n_frames in range(1, 24):
        for most in (1, 3, 7, 30):
            samples = hashes_of(images[:n_frames], most=most)
            kept = images[:n_frames][:: step_of(n_frames, len(samples))]
            assert np.array_equal(hashes_of(kept), samples)


def test_no_frames_have_an_empty_fingerprint():
    assert Fingerprint().hashes.shape == (0, 102)


def test_gray_written_as_color_is_the_same(images: np.ndarray):
    assert np.array_equal(hashes_of(np.repeat(images[..., None], 3, axis=-1)), hashes_of(images))


def test_a_frame_may_be_smaller_than_the_grid():
    tiny = np.random.default_rng(0).integers(0, 256, (2, 7, 5), np.uint8)
    assert hashes_of(tiny).shape == (2, 102)


def test_few_bits_change_with_size_and_brightness(images: np.ndarray):
    """But many where the picture is another one."""
    large = np.stack([cv2.resize(image, None, fx=3.7, fy=3.7) for image in images])
    brighter = np.minimum(images * 1.3, 255).astype(np.uint8)
    mirrored = images[:, :, ::-1]

    def disagree(one: np.ndarray, two: np.ndarray) -> float:
        both = one[:, 51:] & two[:, 51:]
        differ = (one[:, :51] ^ two[:, :51]) & both
        return float(np.bitwise_count(differ).sum() / np.bitwise_count(both).sum())

    hashes = hashes_of(images)
    assert disagree(hashes, hashes_of(large)) < 0.02
    assert disagree(hashes, hashes_of(brighter)) < 0.02
    assert disagree(hashes, hashes_of(mirrored)) > 0.15


def test_a_large_frame_takes_under_a_millisecond():
    image = np.random.default_rng(0).integers(0, 256, (760, 1200), np.uint8)
    fingerprint = Fingerprint()
    took = []
    for _ in range(30):
        start = time.perf_counter()
        fingerprint.see(image)
        took.append(time.perf_counter() - start)
    assert min(took) < 1e-3
