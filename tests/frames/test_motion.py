import numpy as np

from sonoplane.frames.motion import watch


def test_it_remembers_the_extremes_and_the_mean_of_every_pixel():
    images = np.random.default_rng(0).integers(0, 255, (5, 12, 10)).astype(np.uint8)
    motion = watch(images, height=12, width=10, working_px=400)
    assert (motion.brightest == images.max(0)).all()
    assert (motion.darkest == images.min(0)).all()
    assert np.allclose(motion.mean, images.mean(0), atol=1e-3)
    assert motion.n_frames == 5


def test_large_frames_are_reduced_by_a_whole_number():
    motion = watch(np.zeros((1, 900, 1281, 3), np.uint8), height=900, width=1281, working_px=400)
    assert motion.reduction == 3
    assert motion.brightest.shape == (300, 427)
