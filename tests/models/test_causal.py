"""Causal layers see the past only, and go on where they stopped."""

import pytest
import torch

from sonoplane.models.causal import TimeConv3d, TimePool3d, go_on
from sonoplane.models.registry import network_spec, outline
from tests.models.tiny_networks import tiny

LAYERS = [
    TimeConv3d(2, 3, (3, 3, 3)),
    TimeConv3d(2, 3, (3, 3, 3), causal=True),
    TimeConv3d(2, 3, (3, 1, 1), causal=True),
    TimePool3d(),
    TimePool3d(causal=True),
]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_layer_goes_on_as_if_it_had_seen_the_whole(layer: TimeConv3d | TimePool3d) -> None:
    x = torch.randn(1, 2, 7, 8, 8).abs()
    memory = x.new_zeros(1, 2, layer.past, 8, 8)
    answers = []
    for start, stop in [(0, 1), (1, 2), (2, 6), (6, 7)]:
        answer, memory = go_on(layer, x[:, :, start:stop], memory, last=stop == 7)
        assert memory.shape[2] <= layer.reach
        if answer is not None:
            answers.append(answer)
    with torch.inference_mode():
        assert torch.allclose(torch.cat(answers, dim=2), layer(x), atol=1e-6)


@pytest.mark.parametrize("kind", ["3d", "2plus1d"])
def test_a_causal_network_is_as_long_as_its_input_and_blind_to_the_future(kind: str) -> None:
    network = tiny(f"sononet{kind}-2-causal")
    x = torch.randn(1, 1, 8, 32, 32)
    other = x.clone()
    other[:, :, 5:] = 0
    with torch.inference_mode():
        one, two = network.dense(x), network.dense(other)
    assert one.shape == (1, 8, 3)
    assert torch.equal(one[:, :5], two[:, :5])
    assert not torch.allclose(one[:, 5:], two[:, 5:])


@pytest.mark.parametrize(
    ("name", "receptive_field", "delay", "min_frames"),
    [
        ("sononet2d-16", 1, 0, 1),
        ("smallnet", 1, 0, 1),
        ("sononet3d-16", 31, 15, 5),
        ("sononet2plus1d-16", 31, 15, 5),
        ("sononet3d-16-causal", 31, 0, 1),
        ("sononet2plus1d-16-causal", 31, 0, 1),
    ],
)
def test_how_far_a_network_sees(name: str, receptive_field: int, delay: int, min_frames: int) -> None:
    network = outline(network_spec(name, n_classes=7))
    assert (network.receptive_field, network.delay, network.min_frames) == (
        receptive_field,
        delay,
        min_frames,
    )
    assert network.streams == (delay == 0)
