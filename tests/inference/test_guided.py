"""The graph of guided back-propagation: what PyTorch's gradients say, in every network that is a chain of layers."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sonoplane.inference.guided import guided_graph
from sonoplane.inference.layers import layers_of
from sonoplane.inference.openvino_runtime import called
from sonoplane.inference.settings import RunSettings
from sonoplane.models.registry import weights_of
from sonoplane.models.score_maps import ScoreMapNetwork
from tests.models.tiny_networks import tiny, tiny_spec

FORMS = ["sononet2d-2", "sononet3d-2", "sononet3d-2-causal", "sononet2plus1d-2", "sononet2plus1d-2-causal"]


def guided(module: nn.Module, before: object, after: object) -> tuple[Tensor]:
    """What a ReLU lets through on the way back: only what is above zero."""
    assert isinstance(before, tuple)
    return (before[0].clamp(min=0),)


def by_torch(network: ScoreMapNetwork, clip: np.ndarray, target: int) -> np.ndarray:
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
            module.register_full_backward_hook(guided)
    x = torch.from_numpy(clip.swapaxes(0, 1)[None] if network.takes_clips else clip)
    x.requires_grad_()
    score_map = network.class_score_maps(x)[:, target]
    (gradient,) = torch.autograd.grad(score_map, x, score_map.clamp(min=0))
    return gradient.abs()[0, 0].numpy() if network.takes_clips else gradient.abs()[:, 0].numpy()


@pytest.mark.parametrize("name", [*FORMS, "smallnet"])
@pytest.mark.parametrize("size", [(64, 96), (70, 83)])
def test_the_graph_says_what_gradients_say(name: str, size: tuple[int, int]) -> None:
    network = tiny(name)
    assert isinstance(network, ScoreMapNetwork)
    n_frames = 7 if network.takes_clips else 1
    clip = np.random.default_rng(3).normal(size=(n_frames, 1, *size)).astype(np.float32)
    run = called(
        guided_graph(layers_of(tiny_spec(name), weights_of(network)), size, n_frames).SerializeToString(),
        RunSettings(),
    )
    n_told = 0
    for target in range(3):
        maps = run({"clip": clip, "target": np.array([target])})
        expected = by_torch(network, clip, target)
        n_told += bool(expected.any())
        np.testing.assert_allclose(maps, expected, atol=2e-5 * max(expected.max(), 1e-6), rtol=1e-3)
    assert n_told, "some class speaks"


@pytest.mark.parametrize("name", ["sononet2d-2", "sononet3d-2"])
def test_flat_areas_count_once_though_all_of_their_pixels_are_the_largest(name: str) -> None:
    """PyTorch gives what goes back through a pool to one of several that are equally large; here they share it."""
    network = tiny(name)
    assert isinstance(network, ScoreMapNetwork)
    n_frames = 7 if network.takes_clips else 1
    clip = np.full((n_frames, 1, 64, 96), -1.0, np.float32)
    clip[..., 16:48, 24:64] = 1.0
    run = called(
        guided_graph(layers_of(tiny_spec(name), weights_of(network)), (64, 96), n_frames).SerializeToString(),
        RunSettings(),
    )
    pairs = [
        (run({"clip": clip, "target": np.array([target])}).sum(), by_torch(network, clip, target).sum())
        for target in range(3)
    ]
    told = [(ours, theirs) for ours, theirs in pairs if theirs > 0]
    assert told
    for ours, theirs in told:
        assert 0.5 < ours / theirs < 1.5
