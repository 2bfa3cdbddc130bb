"""Similarity of consecutive frames of 760 x 1200 pixels: ours against scikit-image's `structural_similarity`.

Both give the mean SSIM of every pair of neighbors in a short recording of drifting speckle, equal to 1e-8.
"""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from skimage.metrics import structural_similarity

from benchmarks.runner import Contest
from sonoplane.frames.ssim import ConsecutiveSsim

__all__ = ["prepare"]

N_FRAMES = 17


def prepare(folder: Path) -> Contest:
    """Sixteen pairs, compared by both; ours uses two threads."""
    images = _speckle()
    expected, found = _with_scikit_image(images), _with_ours(images)
    if not np.allclose(found, expected, rtol=0, atol=1e-8):
        raise ValueError("the two do not agree to 1e-8")
    return Contest(
        baseline="skimage.metrics.structural_similarity",
        piece="pair of frames",
        run_baseline=lambda: len(_with_scikit_image(images)),
        run_ours=lambda: len(_with_ours(images)),
    )


def _with_scikit_image(images: list[np.ndarray]) -> list[float]:
    return [
        structural_similarity(a, b, win_size=7, data_range=255, use_sample_covariance=True)
        for a, b in pairwise(images)
    ]


def _with_ours(images: list[np.ndarray]) -> list[float]:
    similarity = ConsecutiveSsim(threads=2)
    seen = [similarity.see(image) for image in images]
    return [value for value in seen if value is not None]


def _speckle() -> list[np.ndarray]:
    """The same frames every time: the tissue drifts, and each frame has noise of its own."""
    random = np.random.default_rng(0)
    tissue = cv2.GaussianBlur(random.rayleigh(40, (760, 1200 + N_FRAMES)), (0, 0), 2)
    return [
        (tissue[:, i : i + 1200] + random.normal(0, 2, (760, 1200))).clip(0, 255).astype(np.uint8)
        for i in range(N_FRAMES)
    ]
