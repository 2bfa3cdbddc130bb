"""Law: every family of networks trains every parameter, on clips and, where it can, on each frame of a run."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sonoplane.models.network import PlaneNetwork
from sonoplane.models.registry import build
from tests.models.tiny_networks import NAMES, some_input, tiny_spec


def idle(network: PlaneNetwork, logits: Tensor) -> list[str]:
    """The parameters that learn nothing from these answers."""
    labels = torch.arange(logits.shape[0]) % 3
    cross_entropy(logits, labels).backward()
    return [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()]


@pytest.mark.parametrize("name", NAMES)
def test_every_model_trains_every_parameter(name: str) -> None:
    network = build(tiny_spec(name), seed=0).train()
    assert not idle(network, network(some_input(name, batch=3, size=(64, 64))))


@pytest.mark.parametrize("name", [name for name in NAMES if tiny_spec(name).dense])
def test_dense_training_trains_every_parameter(name: str) -> None:
    network = build(tiny_spec(name), seed=0).train()
    run = torch.randn(2, 1, 7, 64, 64, generator=torch.Generator().manual_seed(0))
    assert not idle(network, network.dense(run).flatten(0, 1))
