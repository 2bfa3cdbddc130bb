"""Law: inflated to any kind, a network answers a run that repeats one frame as the 2D network answers the frame."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sonoplane.models.card import builtin_card
from sonoplane.models.registry import build, network_spec, start_from, weights_of
from sonoplane.models.score_maps import ScoreMapNetwork
from sonoplane.models.weights import import_weights
from tests.models.tiny_networks import lived_in

KINDS = ["2d", "3d", "3d-causal", "2plus1d", "2plus1d-causal"]


def named(kind: str, width: int) -> str:
    form, _, causal = kind.partition("-")
    return f"sononet{form}-{width}" + ("-causal" if causal else "")


def answers(network: ScoreMapNetwork, frames: torch.Tensor, n_frames: int) -> list[torch.Tensor]:
    """Of a clip, and of each frame of a dense run."""
    run = frames.unsqueeze(2).expand(-1, -1, n_frames, -1, -1)
    with torch.inference_mode():
        return [network(run) if network.takes_clips else network(frames), *network.dense(run).unbind(dim=1)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_frames", [5, 9])
def test_a_repeated_frame_gives_the_2d_logits(kind: str, n_frames: int) -> None:
    flat = lived_in(build(network_spec("sononet2d-4", n_classes=3), seed=0)).eval()
    spec = network_spec(named(kind, 4), n_classes=3)
    network = build(spec, seed=1).eval()
    assert start_from(network, spec, weights_of(flat)) == ()
    frames = torch.randn(2, 1, 32, 48)
    assert isinstance(network, ScoreMapNetwork)
    for answer in answers(network, frames, n_frames):
        assert (answer - flat(frames)).abs().max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_the_published_weights_start_every_kind(kind: str, shared_data: Path) -> None:
    published, weights, _ = import_weights(shared_data / "sononet" / "SonoNet16.npz")
    card, image = builtin_card("fetal"), sorted((shared_data / "sononet" / "images").glob("*.tiff"))[0]
    frame = np.array(Image.open(image))
    small = np.ascontiguousarray(card.geometry(frame, card.fixed_box(*frame.shape[:2]))[::2, ::2])
    frames = torch.from_numpy(card.values(small[None]))
    flat = build(published).eval()
    start_from(flat, published, weights)
    spec = network_spec(named(kind, 16), n_classes=14)
    network = build(spec).eval()
    start_from(network, spec, weights)
    assert isinstance(network, ScoreMapNetwork)
    with torch.inference_mode():
        expected = flat(frames)
    for answer in answers(network, frames, 5):
        assert (answer - expected).abs().max() < 1e-4 * max(1, float(expected.abs().max()))
