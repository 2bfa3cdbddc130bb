import numpy as np

from sonoplane.frames.motion import Steadiness, watch


def test_it_remembers_the_extremes_and_the_mean_of_every_pixel():
    images = np.random.default_rng(0).integers(0, 255, (5, 12, 10)).astype(np.uint8)
    motion = watch(images, height=12, width=10, working_px=400)[0]
    assert (motion.brightest == images.max(0)).all()
    assert (motion.darkest == images.min(0)).all()
    assert np.allclose(motion.mean, images.mean(0), atol=1e-3)
    assert motion.n_frames == 5


def test_large_frames_are_reduced_by_a_whole_number():
    motion, _ = watch(np.zeros((1, 900, 1281, 3), np.uint8), height=900, width=1281, working_px=400)
    assert motion.reduction == 3
    assert motion.brightest.shape == (300, 427)


def test_steadiness_is_the_mean_and_deviation_of_every_pixel_at_full_size():
    images = np.random.default_rng(0).integers(0, 255, (8, 12, 10, 3)).astype(np.uint8)
    _, seen = watch(images, height=12, width=10, working_px=5)
    assert np.allclose(seen.mean, images.max(-1).mean(0), atol=0.51)
    assert np.allclose(seen.spread, images.max(-1).std(0), atol=1e-2)


def test_after_the_first_eight_frames_every_fourth_counts():
    seen = Steadiness(height=2, width=2)
    for _ in range(64):
        seen.add(np.zeros((2, 2), np.uint8))
    assert seen.n_frames == 8 + 14


def test_huge_frames_are_reduced_for_steadiness_too():
    seen = Steadiness(height=2160, width=3840)
    assert (seen.reduction, seen.mean.shape) == (2, (1080, 1920))
