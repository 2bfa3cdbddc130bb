"""Law: a saved bundle answers the same as the network that was saved."""

from pathlib import Path

import pytest
import torch

from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import build, load_network, weights_of
from tests.models.tiny_networks import NAMES, some_input, tiny_spec


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_bundle_answers_the_same(name: str, tmp_path: Path) -> None:
    spec = tiny_spec(name)
    network = build(spec, seed=0).train()
    x = some_input(name)
    network(x)  # moves the batch norm statistics
    save_bundle(
        tmp_path / "b",
        name="b",
        version="1",
        spec=spec,
        card=Card(classes=("a", "b", "c"), size=(64, 80)),
        weights=weights_of(network),
        recipe={},
    )
    bundle = Bundle.load(tmp_path / "b")
    assert bundle.spec == spec
    again = load_network(bundle)
    assert not again.training
    with torch.inference_mode():
        assert torch.equal(again(x), network.eval()(x))
