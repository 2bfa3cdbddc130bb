"""SonoNet's shapes, counts and freezing."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from sonoplane.errors import UsageError
from sonoplane.models.registry import build, network_spec, outline
from sonoplane.models.score_maps import ScoreMapNetwork
from sonoplane.models.sononet import SonoNet
from tests.models.tiny_networks import tiny

COUNTS = {
    "2d": (930_334, 3_715_630, 14_851_150),
    "3d": (2_769_214, 11_070_574, 44_269_774),
    "2plus1d": (1_276_189, 5_094_381, 20_357_005),
}


@pytest.mark.parametrize("kind", COUNTS)
@pytest.mark.parametrize("causal", ["", "-causal"])
def test_parameter_counts_are_the_published_ones(kind: str, causal: str) -> None:
    for width, count in zip((16, 32, 64), COUNTS[kind], strict=True):
        network = outline(network_spec(f"sononet{kind}-{width}{causal}", n_classes=7))
        assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize("width", [16, 32, 64])
def test_the_papers_mid_channels_match_3d(width: int) -> None:
    spec = network_spec(f"sononet2plus1d-{width}", n_classes=7, options={"mid_channels": "paper"})
    blocks = [sum(p.numel() for p in outline(s).blocks.parameters() if p.ndim > 1)
              for s in (spec, network_spec(f"sononet3d-{width}", n_classes=7))]  # fmt: skip
    assert 0.995 < blocks[0] / blocks[1] <= 1


def test_a_clip_keeps_its_time_but_for_the_pools() -> None:
    for name, left in [("3d-2", 6), ("2plus1d-2", 6), ("3d-2-causal", 10), ("2plus1d-2-causal", 10)]:
        network = tiny(f"sononet{name}", n_classes=5, in_channels=2)
        assert isinstance(network, ScoreMapNetwork)
        clip = torch.randn(2, 2, 10, 50, 70)
        maps = network.class_score_maps(clip)
        assert maps.shape == (2, 5, left, 3, 4)
        assert torch.allclose(network(clip), maps.mean(dim=(2, 3, 4)), atol=1e-6)


@pytest.mark.parametrize("kind", ["2d", "3d", "2plus1d"])
def test_no_relu_stands_between_or_after_the_class_convolutions(kind: str) -> None:
    head = SonoNet(width=2, n_classes=3, kind=kind).head
    assert head is not None
    assert [unit.relu is None for layer in head for unit in layer] == {
        "2d": [False, True],
        "3d": [False, True],
        "2plus1d": [False, False, True, True],
    }[kind]


@pytest.mark.parametrize("kind", ["3d", "2plus1d"])
def test_dense_answers_a_frame_with_its_own_score_map(kind: str) -> None:
    network = tiny(f"sononet{kind}-2")
    assert isinstance(network, ScoreMapNetwork)
    run = torch.randn(1, 1, 9, 32, 32)
    maps, logits = network.class_score_maps(run), network.dense(run)
    for frame, of in enumerate([0, 0, 0, 1, 2, 3, 4, 4, 4]):
        assert torch.allclose(logits[:, frame], maps[:, :, of].mean(dim=(2, 3)), atol=1e-6)


@pytest.mark.parametrize("n_frames", [1, 4])
def test_too_few_frames_are_refused_with_advice(n_frames: int) -> None:
    network = tiny("sononet3d-2")
    clip = torch.zeros(1, 1, n_frames, 32, 32)
    assert isinstance(network, ScoreMapNetwork)
    with pytest.raises(UsageError, match=r"need 5.*repeat the first"):
        network(clip)
    with pytest.raises(UsageError, match="need 5"):
        network.dense_chunk(clip, last=True)
    assert tiny("sononet3d-2-causal")(clip).shape == (1, 3)


def test_frames_and_clips_are_not_mistaken_for_each_other() -> None:
    with pytest.raises(UsageError, match="takes batch channel time height width, not 4"):
        tiny("sononet3d-2")(torch.zeros(1, 1, 32, 32))
    with pytest.raises(UsageError, match="takes batch channel height width, not 5"):
        tiny("sononet2d-2")(torch.zeros(1, 1, 5, 32, 32))


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
    assert isinstance(network, ScoreMapNetwork)
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


def test_frozen_blocks_may_go_on_adapting_their_statistics() -> None:
    network = build(network_spec("sononet3d-2", n_classes=3), seed=0)
    network.trainable(1, statistics="adapt")
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(torch.randn(2, 1, 5, 32, 32))
    moved = {name for name, value in network.state_dict().items() if not torch.equal(before[name], value)}
    assert "blocks.0.0.0.norm.running_mean" in moved
    assert [p.requires_grad for p in network.blocks[3].parameters()] == [False] * 9
    network.trainable(1)
    assert not any(module.training for module in network.blocks[3].modules())


def test_a_copy_of_a_frozen_network_is_frozen_on_its_own() -> None:
    network = build(network_spec("sononet2d-2", n_classes=3))
    network.trainable("head")
    copy = deepcopy(network).train()
    assert not copy.blocks[0].training
    assert network.train().blocks[0] is not copy.blocks[0]


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
