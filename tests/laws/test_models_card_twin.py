"""Law: a card's values in torch equal those in NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sonoplane.models.card import Card
from sonoplane.models.card_tensor import CardValues
from sonoplane.models.normalization import Normalization

KINDS = [
    Normalization(kind="standardize-image", scale=255.0),
    Normalization(kind="dataset", mean=0.213303, std=0.21379),
    Normalization(kind="min-max"),
    Normalization(kind="unit"),
]


def twins_agree(images: np.ndarray, how: Normalization) -> None:
    card = Card(classes=("a",), size=images.shape[1:3], normalization=how)
    numpy_values = card.values(images)
    torch_values = CardValues(card)(torch.from_numpy(images)).numpy()
    assert torch_values.shape == numpy_values.shape
    scale = max(1.0, float(np.abs(numpy_values).max()))
    assert np.abs(torch_values - numpy_values).max() <= 1e-5 * scale


@pytest.mark.parametrize("how", KINDS, ids=lambda how: how.kind)
@pytest.mark.parametrize("shape", [(3, 224, 288), (2, 224, 288, 3), (1, 300, 300)])
def test_on_frames_of_real_size(how: Normalization, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for low, high in [(0, 256), (0, 2), (254, 256), (77, 78)]:
        twins_agree(rng.integers(low, high, shape, np.uint8), how)


@settings(max_examples=60, deadline=None)
@given(
    how=st.sampled_from(KINDS),
    images=arrays(
        np.uint8,
        st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)).flatmap(
            lambda shape: st.sampled_from([shape, (*shape, 3)])
        ),
    ),
)
def test_on_any_frames(how: Normalization, images: np.ndarray) -> None:
    twins_agree(images, how)
