"""SonoNet's shapes, counts and freezing."""

import pytest
import torch
from torch import nn

from sonoplane.errors import UsageError
from sonoplane.models.blocks import KERNELS
from sonoplane.models.registry import build, network_spec
from sonoplane.models.sononet import SonoNet


@pytest.mark.parametrize(("width", "count"), [(16, 930_334), (32, 3_715_630), (64, 14_851_150)])
def test_parameter_counts_are_the_published_ones(width: int, count: int) -> None:
    network = build(network_spec(f"sononet2d-{width}", n_classes=7))
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize(
    ("kind", "kernels", "count"),
    [("3d", ((3, 3, 3),), 2_769_214), ("2plus1d", ((1, 3, 3), (3, 1, 1)), 1_276_189)],
)
def test_another_kind_is_one_more_row_of_the_table(
    kind: str, kernels: tuple, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KERNELS, kind, kernels)
    network = SonoNet(width=16, n_classes=7, kind=kind)
    assert sum(p.numel() for p in network.parameters()) == count


def test_the_logit_is_the_mean_of_its_score_map() -> None:
    network = SonoNet(width=4, n_classes=5, in_channels=2).eval()
    x = torch.randn(2, 2, 50, 70)
    maps = network.class_score_maps(x)
    assert maps.shape == (2, 5, 3, 4)
    assert torch.allclose(network(x), maps.mean(dim=(2, 3)), atol=1e-6)
    assert (network(x) < 0).any(), "no softmax, no ReLU at the end"


def test_features_only_has_no_head() -> None:
    network = build(network_spec("sononet2d-4", n_classes=7, options={"features_only": True}))
    assert network(torch.zeros(1, 1, 32, 32)).shape == (1, 32, 2, 2)
    assert not any(name.startswith("head") for name in network.state_dict())
    with pytest.raises(UsageError, match="features_only"):
        network.class_score_maps(torch.zeros(1, 1, 32, 32))


@pytest.mark.parametrize(("part", "n_frozen"), [("all", 0), ("head", 5), (0, 5), (2, 3), (5, 0)])
def test_frozen_blocks_neither_learn_nor_drift(part: str | int, n_frozen: int) -> None:
    network = build(network_spec("sononet2d-4", n_classes=3), seed=0)
    network.trainable(part)  # type: ignore[arg-type]  # a parametrized str
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=1.0)
    network(torch.randn(2, 1, 32, 32)).square().sum().backward()
    optimizer.step()
    after = network.state_dict()
    for index in range(5):
        names = [name for name in after if name.startswith(f"blocks.{index}.")]
        same = [torch.equal(before[name], after[name]) for name in names]
        assert all(same) if index < n_frozen else not any(same)
    assert not torch.equal(before["head.1.0.conv.weight"], after["head.1.0.conv.weight"])


def test_thawing_undoes_freezing() -> None:
    network = SonoNet(width=2, n_classes=3)
    network.trainable("head")
    network.trainable("all")
    assert all(p.requires_grad for p in network.parameters())
    assert all(module.training for module in network.modules())
    with pytest.raises(UsageError, match="5 blocks"):
        network.trainable(6)


@pytest.mark.parametrize("init", ["normal", "uniform"])
def test_initialization_is_kaiming_and_seeded(init: str) -> None:
    spec = network_spec("sononet2d-16", n_classes=7)
    one, two, other = (build(spec, init=init, seed=seed) for seed in (1, 1, 2))  # type: ignore[arg-type]  # a str
    conv = one.blocks[2][1][0].conv
    assert isinstance(conv, nn.Conv2d)
    assert torch.equal(conv.weight, two.blocks[2][1][0].conv.weight)
    assert not torch.equal(conv.weight, other.blocks[2][1][0].conv.weight)
    std = (2 / (64 * 9)) ** 0.5
    assert abs(conv.weight.std().item() / std - 1) < 0.05
    assert (conv.weight.abs().max().item() <= std * 3**0.5 + 1e-6) == (init == "uniform")
