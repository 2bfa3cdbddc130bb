"""How gray values become network input."""

import numpy as np
import pytest

from sonoplane.models.normalization import Normalization
from sonoplane.models.normalization import normalize as normalize_levels

KINDS = [
    Normalization(kind="standardize-image", scale=255.0),
    Normalization(kind="dataset", mean=0.2, std=0.3),
    Normalization(kind="min-max"),
    Normalization(kind="unit"),
]


def normalize(frames: np.ndarray, how: Normalization) -> np.ndarray:
    """Frame by frame, each pixel looked up among the levels that its frame has."""
    made = []
    for frame in frames:
        levels, inverse, counts = np.unique(frame, return_inverse=True, return_counts=True)
        made.append(normalize_levels(levels.astype(np.float64), counts.astype(np.float64), how)[inverse])
    return np.stack(made).reshape(frames.shape)


@pytest.mark.parametrize("how", KINDS, ids=lambda how: how.kind)
@pytest.mark.parametrize("level", [0, 1, 77 / 3, 255])
def test_a_constant_frame_is_constant_and_finite(how: Normalization, level: float) -> None:
    values = normalize(np.full((1, 300, 400), level, np.float32), how)
    assert np.isfinite(values).all()
    assert np.ptp(values) == 0


def test_a_constant_frame_standardizes_to_zero() -> None:
    assert not normalize(np.full((1, 999, 777), 254.66667, np.float32), KINDS[0]).any()


def test_one_odd_pixel_still_counts() -> None:
    frame = np.zeros((1, 512, 512), np.float32)
    frame[0, 100, 100] = 1 / 3
    assert abs(normalize(frame, Normalization(kind="standardize-image")).std() - 1) < 1e-4


def test_formulas() -> None:
    x = np.random.default_rng(0).integers(0, 256, (2, 8, 9)).astype(np.float32)
    mean, std = x.mean((1, 2), keepdims=True), x.std((1, 2), keepdims=True)
    low, high = x.min((1, 2), keepdims=True), x.max((1, 2), keepdims=True)
    expected = [255 * (x - mean) / std, (x / 255 - 0.2) / 0.3, (x - low) / (high - low), x / 255]
    for how, values in zip(KINDS, expected, strict=True):
        assert np.allclose(normalize(x, how), values, rtol=1e-5, atol=1e-3 if how.scale else 1e-6)
