import pytest
import torch
from torch import Tensor

from sonoplane.models.network import PlaneNetwork
from sonoplane.models.registry import build, network_spec
from sonoplane.training.bf16_layers import bf16_layers
from sonoplane.training.module import laid_out

NETWORKS = ["sononet2d-4", "sononet3d-4", "sononet2plus1d-4", "sononet2plus1d-4-causal"]


def trained(network: PlaneNetwork, x: Tensor, *, fast: bool) -> tuple[Tensor, Tensor]:
    """The first block's answer to one batch, and its gradients, in one row."""
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        if fast:
            with bf16_layers(network):
                answer = network.pool(network.blocks[0](x))  # type: ignore[operator, index]  # modules
        else:
            answer = network.pool(network.blocks[0](x))  # type: ignore[operator, index]  # modules
    answer.float().square().sum().backward()
    gradients = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
    return answer.detach().float(), torch.cat(gradients)


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_answer_and_learn_as_by_themselves(name: str) -> None:
    network = laid_out(build(network_spec(name, n_classes=3), seed=0), channels_last=True).train()
    space = (5, 32, 32) if network.takes_clips else (32, 32)
    layout = torch.channels_last_3d if network.takes_clips else torch.channels_last
    x = torch.rand(2, 1, *space, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=layout)
    keys = list(network.state_dict())
    for found, expected in zip(trained(network, x, fast=True), trained(network, x, fast=False), strict=True):
        assert float((found - expected).norm() / expected.norm()) < 0.02
    assert list(network.state_dict()) == keys
    assert not any("finish" in vars(module) for module in network.modules())
