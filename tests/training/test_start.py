from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from sonoplane.errors import UsageError, WeightsError
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import build, network_spec, weights_of
from sonoplane.models.resnext_plan import DEPTHS
from sonoplane.models.resnext_weights import resnext_layout
from sonoplane.training.start import begin_with
from tests.models.foreign_networks import Flat, Nested, lasagne

#: Of a ResNeXt of 50 layers: stage and place of each.
BOTTLENECKS = [(n, at) for n, count in enumerate(DEPTHS[50], start=1) for at in range(count)]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A 2D network for three classes."""
    spec = network_spec("sononet2d-2", n_classes=3)
    return save_bundle(
        tmp_path_factory.mktemp("start") / "flat",
        name="flat",
        version="1",
        spec=spec,
        card=Card(classes=("a", "b", "c"), size=(32, 48)),
        weights=weights_of(build(spec, seed=3)),
        recipe={},
    )


def test_the_same_network_takes_all_weights(start: Bundle) -> None:
    network = build(start.spec, seed=9)
    said = begin_with(network, start.spec, str(start.folder))
    taken, given = weights_of(network), start.weights()
    assert all(np.array_equal(taken[name], given[name]) for name in given)
    assert said == "Starts with the weights of sononet2d-2 from 'flat', its head too."


@pytest.mark.parametrize("name", ["sononet3d-2", "sononet2plus1d-2-causal"])
def test_a_network_of_clips_takes_2d_weights_inflated(start: Bundle, name: str) -> None:
    spec = network_spec(name, n_classes=3)
    network = build(spec, seed=9)
    said = begin_with(network, spec, str(start.folder))
    assert f"inflated to {name}" in said
    first = weights_of(network)["blocks.0.0.0.conv.weight"]
    assert np.isin(start.weights()["blocks.0.0.0.conv.weight"], first).all()


def test_other_classes_keep_the_head_as_it_was_drawn_and_that_is_told(start: Bundle) -> None:
    spec = network_spec("sononet2d-2", n_classes=5)
    network = build(spec, seed=9)
    before = weights_of(network)
    said = begin_with(network, spec, str(start.folder))
    after = weights_of(network)
    assert said.endswith("; the head is drawn anew, for 5 classes in place of 3.")
    assert np.array_equal(before["head.1.0.conv.weight"], after["head.1.0.conv.weight"])
    assert not np.array_equal(before["blocks.0.0.0.conv.weight"], after["blocks.0.0.0.conv.weight"])


def test_weights_of_another_width_are_refused(start: Bundle) -> None:
    spec = network_spec("sononet2d-4", n_classes=3)
    with pytest.raises(
        WeightsError, match=r"weights of sononet2d-2: sononet2d-4 cannot .* of sononet2d-4, or"
    ):
        begin_with(build(spec), spec, str(start.folder))


def test_what_is_not_there_is_told_without_its_path(tmp_path: Path) -> None:
    spec = network_spec("sononet2d-2", n_classes=3)
    with pytest.raises(UsageError, match=r"no file 'nothing\.pth'") as caught:
        begin_with(build(spec), spec, str(tmp_path / "nothing.pth"))
    assert str(tmp_path) not in str(caught.value)


def foreign(kind: str, folder: Path, n_classes: int) -> tuple[Path, np.ndarray]:
    """A SonoNet of width 4 in one of the layouts, and its first kernel."""
    path = folder / kind.replace("/", ".")
    torch.manual_seed(1)
    if kind == "lasagne/npz":
        arrays = lasagne(n_classes)
        np.savez(path, **arrays)
        return path, arrays["arr_0"]
    if kind == "own/safetensors":
        weights = weights_of(build(network_spec("sononet2d-4", n_classes=n_classes), seed=1))
        safetensors.numpy.save_file(weights, path)
        return path, weights["blocks.0.0.0.conv.weight"]
    state = (Flat if kind.startswith("flat") else Nested)(n_classes).state_dict()
    first = next(iter(state.values())).numpy()
    if kind.endswith("ckpt"):
        more = {f"model.{name}": value for name, value in state.items()} | {"criterion.weight": torch.ones(3)}
        torch.save({"epoch": 3, "state_dict": more}, path)
    else:
        torch.save(state, path)
    return path, first


LAYOUTS = ["lasagne/npz", "flat/pth", "nested/ckpt", "own/safetensors"]


@pytest.mark.parametrize("kind", LAYOUTS)
@pytest.mark.parametrize("n_classes", [3, 11])
@pytest.mark.parametrize("name", ["sononet2d-4", "sononet3d-4", "sononet2plus1d-4", "sononet3d-4-causal"])
def test_a_file_of_any_layout_starts_every_kind_whatever_its_classes(
    kind: str, n_classes: int, name: str, tmp_path: Path
) -> None:
    path, first = foreign(kind, tmp_path, n_classes)
    spec = network_spec(name, n_classes=3)
    network = build(spec, seed=9)
    drawn = weights_of(network)
    said = begin_with(network, spec, str(path))
    taken = weights_of(network)
    tap = {"sononet3d-4": (1,), "sononet3d-4-causal": (2,), "sononet2plus1d-4": (0,)}.get(name, ())
    assert np.allclose(taken["blocks.0.0.0.conv.weight"][(slice(None), slice(None), *tap)], first)
    assert ("inflated" in said) is (name != "sononet2d-4")
    is_new = all(np.array_equal(taken[key], drawn[key]) for key in drawn if key.startswith("head"))
    assert is_new is (n_classes != 3)
    assert said.endswith("classes in place of 11." if is_new else "its head too.")


def test_a_file_without_a_head_or_with_another_form_of_it_starts_a_network(tmp_path: Path) -> None:
    body = {name: value for name, value in Nested().state_dict().items() if name.startswith("features")}
    spec = network_spec("sononet3d-4", n_classes=3)
    for more in ({}, {"fc.weight": torch.zeros(3, 32)}, {"adaption.0.weight": torch.zeros(9, 32, 1, 1)}):
        torch.save(body | more, tmp_path / "w.pth")
        network = build(spec, seed=9)
        assert begin_with(network, spec, str(tmp_path / "w.pth")).endswith("so it is drawn anew.")
        first = weights_of(network)["blocks.0.0.0.conv.weight"][:, :, 1]
        assert np.array_equal(first, body["features.0.0.0.weight"].numpy())


def test_a_file_that_lacks_a_part_of_the_body_is_refused_by_name(tmp_path: Path) -> None:
    state = Flat(11).state_dict()
    del state["_features.3.0.weight"]
    torch.save(state, tmp_path / "w.pth")
    spec = network_spec("sononet2d-4", n_classes=3)
    with pytest.raises(WeightsError, match=r"missing: _features\.3\.0\.weight"):
        begin_with(build(spec), spec, str(tmp_path / "w.pth"))


@pytest.mark.parametrize("name", ["sononet2plus1d-4", "sononet3d-4-causal", "smallnet-4", "echo3dcnn"])
@pytest.mark.parametrize("n_classes", [3, 11])
def test_a_file_of_the_same_network_in_our_own_names_starts_it(
    name: str, n_classes: int, tmp_path: Path
) -> None:
    options = {"plan": "[4,M,8,M]", "classifier": "[6,0.5]"} if name == "echo3dcnn" else {}
    given = weights_of(build(network_spec(name, n_classes=n_classes, options=options), seed=1))
    state = {f"network.{key}": torch.from_numpy(value) for key, value in given.items()}
    torch.save({"state_dict": state}, tmp_path / "w.ckpt")
    spec = network_spec(name, n_classes=3, options=options)
    network = build(spec, seed=9)
    said = begin_with(network, spec, str(tmp_path / "w.ckpt"))
    taken = weights_of(network)
    whole = n_classes == 3
    assert all(np.array_equal(taken[key], given[key]) for key in given if whole or key.startswith("blocks"))
    assert said.endswith("its head too." if whole else ".")
    assert name in said


def test_a_color_resnext_of_other_classes_or_none_starts_a_gray_one(tmp_path: Path) -> None:
    spec = network_spec("resnext3d-50", n_classes=3, options={"stem": 8, "group_width": 1, "cardinality": 8})
    own = weights_of(build(spec, seed=1))
    layout = resnext_layout(
        ["conv1.weight", "layer2.0.downsample.0.weight"]
        + [f"layer{n}.{at}.conv2.weight" for n, at in BOTTLENECKS]
    )
    state = {layout[name]: torch.from_numpy(array) for name, array in own.items() if name in layout}
    state["conv1.weight"] = state["conv1.weight"].repeat(1, 3, 1, 1, 1) / 3
    wide = own["head.0.conv.weight"].shape[1]
    for head in ({"fc.weight": torch.ones(400, wide), "fc.bias": torch.ones(400)}, {}):
        body = {f"module.{name}": value for name, value in state.items() if not name.startswith("fc")}
        torch.save(
            {"state_dict": body | {f"module.{key}": value for key, value in head.items()}}, tmp_path / "w.pth"
        )
        network = build(spec, seed=9)
        said = begin_with(network, spec, str(tmp_path / "w.pth"))
        assert ("in place of 400" if head else "no head") in said
        taken = weights_of(network)
        assert all(
            np.allclose(taken[name], own[name], atol=1e-6) for name in own if name.startswith("blocks")
        )


def test_weights_for_color_are_refused_where_the_network_takes_gray(tmp_path: Path) -> None:
    state = Flat().state_dict()
    state["_features.0.0.weight"] = torch.zeros(4, 3, 3, 3)
    torch.save(state, tmp_path / "w.pth")
    spec = network_spec("sononet2d-4", n_classes=3)
    with pytest.raises(WeightsError, match="sononet2d-4 for 3 channels"):
        begin_with(build(spec), spec, str(tmp_path / "w.pth"))


def test_published_fetal_weights_start_a_network_of_clips(shared_data: Path) -> None:
    spec = network_spec("sononet3d-16", n_classes=4)
    said = begin_with(build(spec), spec, str(shared_data / "sononet" / "SonoNet16.npz"))
    assert said.startswith("Starts with the weights of sononet2d-16 from 'SonoNet16.npz', inflated")
