"""3D ResNeXt: its published counts and layout, foreign weights in, gray in place of color, exported form."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from sonoplane.errors import UsageError, WeightsError
from sonoplane.models.blocks import initialize
from sonoplane.models.card import Card
from sonoplane.models.registry import build, load_weights, network_spec, start_from, weights_of
from sonoplane.models.resnext3d import ResNext3d
from sonoplane.models.resnext_plan import DEPTHS, ResNextPlan, resnext_shapes
from sonoplane.models.resnext_weights import (
    is_resnext,
    resnext_layout,
    translate_resnext,
    with_channels,
)
from sonoplane.models.weights import import_weights
from tests.models.exported import exported_answers

TINY = {"depth": 50, "cardinality": 2, "group_width": 2, "stem": 4}
CLIP = (6, 33, 40)


@pytest.fixture(autouse=True)
def same_noise() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("depth", "count"), [(50, 26_685_264), (101, 48_340_816), (152, 66_178_896)])
def test_parameter_counts_are_those_of_the_published_code(depth: int, count: int) -> None:
    # Counted on kenshohara/3D-ResNets-PyTorch, models/resnext.py of 2017-12, built for 400 classes.
    with torch.device("meta"):
        network = ResNext3d(depth=depth, n_classes=400, in_channels=3)
    assert sum(p.numel() for p in network.parameters()) == count
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items() if "tracked" not in key}
    assert resnext_shapes(ResNextPlan(depth=depth), n_classes=400, in_channels=3) == shapes


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_the_published_layout_answers_as_it_is_defined(shortcut: str) -> None:
    theirs = checkpoint(shortcut=shortcut)
    plan, weights = translate_resnext({key: value.numpy() for key, value in theirs.items()})
    assert plan == ResNextPlan(**TINY, shortcut=shortcut)  # type: ignore[arg-type]  # a parametrized str
    network = ResNext3d(**TINY, shortcut=shortcut, n_classes=5, in_channels=3).eval()  # type: ignore[arg-type]  # the same
    load_weights(network, weights)
    x = torch.randn(2, 3, *CLIP)
    assert torch.allclose(network(x), published(theirs, x), atol=1e-5)


def test_names_and_shapes_of_the_published_file() -> None:
    layout = resnext_layout([f"module.{name}" for name in names()])
    shapes = resnext_shapes(ResNextPlan(depth=101), n_classes=400, in_channels=3)
    assert list(layout.values()) == [f"module.{name}" for name in names()]
    published = {theirs: shapes[ours] for ours, theirs in layout.items()}
    assert published["module.conv1.weight"] == (64, 3, 7, 7, 7)
    assert published["module.layer1.0.conv1.weight"] == (128, 64, 1, 1, 1)
    assert published["module.layer1.0.conv2.weight"] == (128, 4, 3, 3, 3)
    assert published["module.layer1.0.downsample.0.weight"] == (256, 64, 1, 1, 1)
    assert published["module.layer4.2.conv3.weight"] == (2048, 1024, 1, 1, 1)
    assert published["module.layer4.2.bn3.running_var"] == (2048,)
    assert published["module.fc.bias"] == (400,)


@pytest.mark.parametrize("prefix", ["", "module.", "model.net."])
def test_any_prefix_is_taken_off_and_other_names_left_out(prefix: str) -> None:
    theirs = {f"{prefix}{key}": value.numpy() for key, value in checkpoint(prefix="").items()}
    theirs |= {"loss.weight": np.ones(3, np.float32), f"{prefix}bn1.num_batches_tracked": np.array(7)}
    assert is_resnext(theirs)
    plan, weights = translate_resnext(theirs)
    assert weights.keys() == resnext_shapes(plan, n_classes=5).keys()


@pytest.mark.parametrize("stem", [6, 8])  # 8 is as wide as the first stage, which then needs no projection
def test_the_stem_of_the_later_code_is_told_by_its_shape(stem: int) -> None:
    later = {"stem": stem, "stem_frames": 3}
    theirs = checkpoint(**later)
    arrays = {key: value.numpy() for key, value in theirs.items()}
    plan, weights = translate_resnext(arrays, stem_stride=2, stem_pool=False)
    assert plan == ResNextPlan(**TINY | later, stem_stride=2, stem_pool=False)
    network = ResNext3d(**TINY | later, stem_stride=2, stem_pool=False, n_classes=5, in_channels=3).eval()
    load_weights(network, weights)
    x = torch.randn(1, 3, *CLIP)
    assert torch.allclose(network(x), published(theirs, x, stem_stride=2, stem_pool=False), atol=1e-5)


def test_gray_answers_as_color_that_repeats_it() -> None:
    _, color = translate_resnext({key: value.numpy() for key, value in checkpoint().items()})
    x = torch.randn(2, 1, *CLIP)
    three = ResNext3d(**TINY, n_classes=5, in_channels=3).eval()
    load_weights(three, color)
    for channels in (1, 2):
        own = ResNext3d(**TINY, n_classes=5, in_channels=channels).eval()
        load_weights(own, with_channels(color, channels))
        gray, repeated = own(x.expand(-1, channels, -1, -1, -1)), three(x.expand(-1, 3, -1, -1, -1))
        assert torch.allclose(gray, repeated, atol=1e-5)


def test_a_published_file_starts_a_training_on_gray_clips(tmp_path: Path) -> None:
    saved = {"arch": "resnext-50", "epoch": 200, "state_dict": checkpoint(), "optimizer": {"state": {}}}
    torch.save(saved, tmp_path / "resnext-50-kinetics.pth")
    classes = ("a", "b", "c", "d", "e")
    spec, weights, _ = import_weights(
        tmp_path / "resnext-50-kinetics.pth", card=Card(classes=classes, size=(112, 112))
    )
    assert (spec.name, spec.in_channels, spec.n_classes) == ("resnext3d-50", 1, 5)
    own = network_spec("resnext3d-50", n_classes=3, options=spec.options)
    network = build(own, seed=0)
    assert set(start_from(network, own, weights)) == {"head.0.conv.weight", "head.0.conv.bias"}
    begun = weights_of(network)
    assert all(np.array_equal(begun[name], weights[name]) for name in begun if name.startswith("blocks."))


def test_what_does_not_fit_is_told() -> None:
    theirs = {key: value.numpy() for key, value in checkpoint().items()}
    with pytest.raises(WeightsError, match="last layer"):
        translate_resnext({key: value for key, value in theirs.items() if ".fc." not in key})
    with pytest.raises(WeightsError, match=r"missing: module\.layer3\.1\.bn2\.bias"):
        translate_resnext({key: value for key, value in theirs.items() if key != "module.layer3.1.bn2.bias"})
    with pytest.raises(WeightsError, match=r"3, 4, 6, 2 bottlenecks"):
        translate_resnext({key: value for key, value in theirs.items() if "layer4.2" not in key})
    ungrouped = {"module.layer1.0.conv2.weight": np.zeros((4, 4, 3, 3, 3), np.float32)}
    with pytest.raises(WeightsError, match="3D ResNet-50, not of a ResNeXt"):
        translate_resnext(theirs | ungrouped)
    with pytest.raises(WeightsError, match="several networks"):
        translate_resnext(theirs | {"ema.conv1.weight": theirs["module.conv1.weight"]})
    with pytest.raises(WeightsError, match="no finite numbers"):
        translate_resnext(theirs | {"module.fc.bias": np.full(5, np.nan, np.float32)})
    with pytest.raises(UsageError, match="depth 34"):
        ResNext3d(depth=34, n_classes=3)


def test_the_logit_is_the_mean_of_its_score_map_for_clips_of_any_length() -> None:
    network = drawn(0).eval()
    for frames in (1, 6, 17):
        x = torch.randn(2, 1, frames, 33, 40)
        maps = network.class_score_maps(x)
        assert maps.shape == (2, 5, -(-frames // 16), 2, 2)
        assert torch.allclose(network(x), maps.mean(dim=(2, 3, 4)), atol=1e-6)


def test_features_only_has_no_head() -> None:
    network = ResNext3d(**TINY, n_classes=3, features_only=True)
    assert network.eval()(torch.zeros(1, 1, *CLIP)).shape == (1, 64, 1, 2, 2)
    with pytest.raises(UsageError, match="features_only"):
        network.class_score_maps(torch.zeros(1, 1, *CLIP))


def test_every_parameter_learns() -> None:
    network = drawn(0)
    network(torch.randn(3, 1, 16, 48, 48)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_fine_tuning_begins_at_a_stage() -> None:
    network = drawn(0)
    network.trainable(1)
    network.train()
    learns = {".".join(name.split(".")[:2]) for name, p in network.named_parameters() if p.requires_grad}
    assert learns == {"blocks.4", "head.0"}
    before = network.blocks[1][0].reduce.norm.running_mean.clone()
    network(torch.randn(2, 1, *CLIP))
    assert torch.equal(before, network.blocks[1][0].reduce.norm.running_mean)


def test_the_exported_network_answers_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DEPTHS, 50, (1, 1, 1, 1))  # fewer steps are exported sooner
    network = drawn(0)
    clips = torch.randn(3, 1, *CLIP)
    for form, answers in exported_answers(network, clips, tmp_path).items():
        assert np.abs(answers - network(clips).detach().numpy()).max() < 1e-4, form


def drawn(seed: int) -> ResNext3d:
    network = ResNext3d(**TINY, n_classes=5)
    initialize(network, generator=torch.Generator().manual_seed(seed))
    return network


def names(depth: int = 101, shortcut: str = "B") -> list[str]:
    """Every name of a published state, in its order, without `module.`."""
    norm = ("weight", "bias", "running_mean", "running_var")
    found = ["conv1.weight", *(f"bn1.{part}" for part in norm)]
    for stage, steps in enumerate(DEPTHS[depth], 1):
        for place in range(steps):
            for step in (1, 2, 3):
                found.append(f"layer{stage}.{place}.conv{step}.weight")
                found += [f"layer{stage}.{place}.bn{step}.{part}" for part in norm]
            if place == 0 and shortcut == "B":
                found.append(f"layer{stage}.0.downsample.0.weight")
                found += [f"layer{stage}.0.downsample.1.{part}" for part in norm]
    return [*found, "fc.weight", "fc.bias"]


def checkpoint(
    *, prefix: str = "module.", shortcut: str = "B", stem: int = 4, stem_frames: int = 7
) -> dict[str, Tensor]:
    """A small state in the published layout, lived in: every array is different."""
    plan = ResNextPlan(**TINY | {"stem": stem}, stem_frames=stem_frames, shortcut=shortcut)  # type: ignore[arg-type]  # str
    shapes = resnext_shapes(plan, n_classes=5, in_channels=3)
    draw = torch.Generator().manual_seed(0)
    state = {}
    for ours, theirs in resnext_layout([f"{prefix}{name}" for name in names(50, shortcut)]).items():
        if ours not in shapes:
            continue
        shape = shapes[ours][:2] if theirs.endswith("fc.weight") else shapes[ours]
        value = torch.rand(shape, generator=draw) + 0.5
        state[theirs] = value if len(shape) == 1 else (value - 1) * (6 / value[0].numel()) ** 0.5
    return state


def published(state: dict[str, Tensor], x: Tensor, *, stem_stride: int = 1, stem_pool: bool = True) -> Tensor:
    """The network as the paper defines it, on the published names."""
    state = {key.removeprefix("module."): value for key, value in state.items()}

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return functional.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"])

    first = state["conv1.weight"]
    x = functional.conv3d(x, first, stride=(stem_stride, 2, 2), padding=(first.shape[2] // 2, 3, 3))
    x = functional.relu(norm(x, "bn1"))
    if stem_pool:
        x = functional.max_pool3d(x, 3, stride=2, padding=1)
    for stage, steps in enumerate(DEPTHS[50], 1):
        for place in range(steps):
            name, stride = f"layer{stage}.{place}", 2 if stage > 1 and place == 0 else 1
            y = functional.relu(norm(functional.conv3d(x, state[f"{name}.conv1.weight"]), f"{name}.bn1"))
            y = functional.conv3d(y, state[f"{name}.conv2.weight"], stride=stride, padding=1, groups=2)
            y = functional.conv3d(functional.relu(norm(y, f"{name}.bn2")), state[f"{name}.conv3.weight"])
            y = norm(y, f"{name}.bn3")
            if f"{name}.downsample.0.weight" in state:
                x = functional.conv3d(x, state[f"{name}.downsample.0.weight"], stride=stride)
                x = norm(x, f"{name}.downsample.1")
            elif place == 0:
                x = functional.avg_pool3d(x, 1, stride=stride)
                x = torch.cat([x, torch.zeros(len(x), y.shape[1] - x.shape[1], *x.shape[2:])], dim=1)
            x = functional.relu(x + y)
    return functional.linear(x.mean(dim=(2, 3, 4)), state["fc.weight"], state["fc.bias"])
