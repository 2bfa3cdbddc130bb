from pathlib import Path

import numpy as np
import pytest
import torch

from sonoplane.errors import UsageError, WeightsError
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import build, network_spec, weights_of
from sonoplane.training.start import begin_with


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
    assert "drawn anew (the head)" in said
    assert np.array_equal(before["head.1.0.conv.weight"], after["head.1.0.conv.weight"])
    assert not np.array_equal(before["blocks.0.0.0.conv.weight"], after["blocks.0.0.0.conv.weight"])


def test_weights_of_another_width_are_refused(start: Bundle) -> None:
    spec = network_spec("sononet2d-4", n_classes=3)
    with pytest.raises(WeightsError, match="do not fit"):
        begin_with(build(spec), spec, str(start.folder))


def test_what_is_not_there_is_told_without_its_path(tmp_path: Path) -> None:
    spec = network_spec("sononet2d-2", n_classes=3)
    with pytest.raises(UsageError, match=r"no file 'nothing\.pth'") as caught:
        begin_with(build(spec), spec, str(tmp_path / "nothing.pth"))
    assert str(tmp_path) not in str(caught.value)


def test_a_file_whose_classes_are_not_known_is_to_be_imported_first(start: Bundle, tmp_path: Path) -> None:
    torch.save(build(start.spec, seed=1).state_dict(), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="weights import"):
        begin_with(build(start.spec), start.spec, str(tmp_path / "w.pth"))


def test_published_fetal_weights_start_a_network_of_clips(shared_data: Path) -> None:
    spec = network_spec("sononet3d-16", n_classes=4)
    said = begin_with(build(spec), spec, str(shared_data / "sononet" / "SonoNet16.npz"))
    assert said.startswith("Starts with the weights of sononet2d-16 from 'SonoNet16.npz', inflated")
