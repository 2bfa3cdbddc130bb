"""Law: a 2D network equals itself frame by frame."""

import numpy as np
import pytest
import torch

from sonoplane.models.card import Card
from sonoplane.models.registry import available, build, network_spec

CARD = Card(classes=("a", "b", "c"), size=(64, 80))


@pytest.mark.parametrize("name", available())
def test_a_batch_answers_as_its_frames_do(name: str) -> None:
    network = build(network_spec(name, n_classes=3), seed=0).eval()
    frames = np.random.default_rng(0).integers(0, 256, (4, 64, 80), np.uint8)
    with torch.inference_mode():
        together = network(torch.from_numpy(CARD.values(frames)))
        alone = torch.cat([network(torch.from_numpy(CARD.values(frame[None]))) for frame in frames])
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-5)
