"""Law: every registered network trains every parameter."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from sonoplane.models.registry import available, build, network_spec


@pytest.mark.parametrize("name", available())
def test_every_model_trains_every_parameter(name: str) -> None:
    network = build(network_spec(name, n_classes=3), seed=0).train()
    x = torch.randn(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    cross_entropy(network(x), torch.tensor([0, 1, 2])).backward()
    idle = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle
