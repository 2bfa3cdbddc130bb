"""Foreign weights: known layouts are renamed exactly, everything else is refused by name."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from torch import nn

from sonoplane.errors import UsageError, WeightsError
from sonoplane.models.card import Card, builtin_card
from sonoplane.models.registry import build, load_weights, network_spec, weights_of
from sonoplane.models.weights import import_weights, list_known
from tests.models.foreign_networks import Flat, Nested, lasagne, lived_in

CLASSES = ("a", "b", "c")
CARD = Card(classes=CLASSES, size=(32, 32))


def answers_alike(path: Path, original: nn.Module) -> None:
    spec, weights, card = import_weights(path, card=CARD)
    assert (spec.name, spec.n_classes, card) == ("sononet2d-4", 3, CARD)
    network = build(spec)
    load_weights(network, weights)
    x = torch.randn(2, 1, 32, 48)
    assert torch.allclose(network.eval()(x), original(x), atol=1e-5)


@pytest.mark.parametrize("foreign", [Flat, Nested])
@pytest.mark.parametrize("prefix", ["", "model.", "module.net."])
def test_both_pytorch_layouts_answer_alike_whatever_their_prefix(
    tmp_path: Path, foreign: type[nn.Module], prefix: str
) -> None:
    original = lived_in(foreign())
    state = {prefix + name: value for name, value in original.state_dict().items()}
    torch.save(state, tmp_path / "w.pth")
    answers_alike(tmp_path / "w.pth", original)


def test_a_lightning_checkpoint_is_read_and_its_loss_left_out(tmp_path: Path) -> None:
    original = lived_in(Flat())
    state = {f"model.{name}": value for name, value in original.state_dict().items()}
    state["criterion.weight"] = torch.ones(3)
    torch.save({"epoch": 3, "state_dict": state, "hyper_parameters": {"lr": 0.1}}, tmp_path / "w.ckpt")
    answers_alike(tmp_path / "w.ckpt", original)


@pytest.mark.parametrize("foreign", [Flat, Nested])
@pytest.mark.parametrize("causal", ["", "-causal"])
def test_both_pytorch_layouts_are_read_with_kernels_over_time_too(
    tmp_path: Path, foreign: type[nn.Module], causal: str
) -> None:
    flat = foreign().state_dict()
    state = {
        name: torch.randn(*value.shape[:2], *[value.shape[-1]] * 3) if value.ndim == 4 else value
        for name, value in flat.items()
    }
    torch.save(state, tmp_path / "w.pth")
    name = f"sononet3d-4{causal}"
    spec, weights, _ = import_weights(tmp_path / "w.pth", card=CARD, name=name if causal else None)
    assert spec.name == name
    network = build(spec)
    load_weights(network, weights)
    first = next(value for value in state.values() if value.ndim == 5)
    assert torch.equal(network.state_dict()["blocks.0.0.0.conv.weight"], first)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sononet2d-4", {}),
        ("smallnet-4", {}),
        ("sononet3d-4", {}),
        ("sononet3d-4-causal", {}),
        ("sononet2plus1d-4", {}),
        ("sononet2plus1d-4", {"mid_channels": "paper"}),
    ],
)
def test_our_own_layout_reads_back(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    weights = weights_of(build(network_spec(name, n_classes=3, options=options)))
    safetensors.numpy.save_file(weights, tmp_path / "w.safetensors")
    spec, again, _ = import_weights(tmp_path / "w.safetensors", card=CARD, name=name)
    assert (spec.name, spec.options) == (name, options)
    assert all(np.array_equal(again[key], weights[key]) for key in weights)


def test_missing_surplus_and_misshapen_arrays_are_named(tmp_path: Path) -> None:
    state = Flat().state_dict()
    del state["_features.3.0.weight"]
    state["_features.1.0.weight"] = torch.zeros(4, 4, 5, 5)
    state["_features.99.0.weight"] = torch.zeros(1)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsError) as caught:
        import_weights(tmp_path / "w.pth", card=CARD)
    assert "missing: _features.3.0.weight" in str(caught.value)
    assert "surplus: _features.99.0.weight" in str(caught.value)
    assert "_features.1.0.weight (4, 4, 5, 5) instead of (4, 4, 3, 3)" in str(caught.value)


def test_a_network_without_its_head_is_refused_by_name(tmp_path: Path) -> None:
    state = {name: value for name, value in Nested().state_dict().items() if "adaption" not in name}
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"adaption\.0\.weight.*missing"):
        import_weights(tmp_path / "w.pth", card=CARD)


def test_two_networks_in_one_file_are_refused(tmp_path: Path) -> None:
    state = {
        f"{who}.{name}": value for who in ("model", "ema") for name, value in Flat().state_dict().items()
    }
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"several networks: ema\., model\."):
        import_weights(tmp_path / "w.pth", card=CARD)


class Bomb:
    """Would make a file if it were ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_nothing_in_a_foreign_file_is_ever_run(tmp_path: Path) -> None:
    bomb = Bomb(tmp_path / "ran")
    torch.save({"state_dict": bomb}, tmp_path / "w.pth")
    (tmp_path / "w.ckpt").write_bytes(pickle.dumps(bomb))
    np.savez(tmp_path / "w.npz", arr_0=np.array([bomb], dtype=object))
    for name in ("w.pth", "w.ckpt", "w.npz"):
        with pytest.raises(WeightsError, match=name):
            import_weights(tmp_path / name, card=CARD)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("ending", [".npz", ".pth", ".ckpt", ".safetensors"])
@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04broken", b"\x80\x02broken"])
def test_a_damaged_file_is_refused_without_its_folder_in_the_message(
    tmp_path: Path, ending: str, data: bytes
) -> None:
    (tmp_path / f"w{ending}").write_bytes(data)
    with pytest.raises(WeightsError) as caught:
        import_weights(tmp_path / f"w{ending}", card=CARD)
    assert caught.value.advice
    assert str(tmp_path) not in str(caught.value)


def test_unknown_kinds_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"Known are \.npz"):
        import_weights(tmp_path / "w.h5")
    with pytest.raises(UsageError, match="no file"):
        import_weights(tmp_path / "w.npz")
    np.savez(tmp_path / "w.npz", weird=np.zeros(3))
    with pytest.raises(WeightsError, match="no known layout"):
        import_weights(tmp_path / "w.npz", card=CARD)


def test_lasagne_keeps_the_inverse_of_the_deviation(tmp_path: Path) -> None:
    arrays = lasagne(3)
    np.savez(tmp_path / "w.npz", **arrays)
    spec, weights, _ = import_weights(tmp_path / "w.npz", card=CARD)
    assert spec.name == "sononet2d-4"
    assert np.array_equal(weights["blocks.0.0.0.norm.bias"], arrays["arr_1"])
    assert np.array_equal(weights["blocks.0.0.0.norm.weight"], arrays["arr_2"])
    assert np.allclose(weights["head.1.0.norm.running_var"] + 1e-4, arrays["arr_74"] ** -2.0)


def test_a_truncated_lasagne_file_is_refused_by_name(tmp_path: Path) -> None:
    arrays = lasagne(3)
    del arrays["arr_74"]
    np.savez(tmp_path / "w.npz", **arrays)
    with pytest.raises(WeightsError, match="missing: arr_74"):
        import_weights(tmp_path / "w.npz", card=CARD)


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **lasagne(3) | {"arr_74": np.zeros(3, np.float32)})
    with pytest.raises(WeightsError, match="arr_74 holds values"):
        import_weights(tmp_path / "w.npz", card=CARD)


def test_an_unknown_head_needs_a_card_and_its_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **lasagne(3))
    for classes in (None, CLASSES):
        with pytest.raises(WeightsError, match=r"--classes .* --card"):
            import_weights(tmp_path / "w.npz", classes=classes)
    card = import_weights(
        tmp_path / "w.npz", card=builtin_card("fetal"), classes=["x", "y", "Background"]
    ).card
    assert (card.classes, card.background, card.size) == (("x", "y", "Background"), "Background", (224, 288))
    with pytest.raises(WeightsError, match="answer 3 classes, but 2 are named"):
        import_weights(tmp_path / "w.npz", card=CARD, classes=["x", "y"])
    with pytest.raises(WeightsError, match="not of sononet2d-16"):
        import_weights(tmp_path / "w.npz", card=CARD, name="sononet2d-16")


def test_known_weights_say_licence_citation_and_address() -> None:
    for weights in list_known():
        assert weights.license == "Apache-2.0"
        assert "Baumgartner" in weights.citation
        assert weights.url.startswith("https://raw.githubusercontent.com/baumgach/SonoNet-weights/6c4df399")
        assert network_spec(weights.network, n_classes=14)
        assert builtin_card(weights.card)
