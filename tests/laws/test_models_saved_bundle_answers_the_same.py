"""Law: a saved bundle answers the same as the network that was saved."""

from pathlib import Path

import pytest
import torch

from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import available, build, load_network, network_spec, weights_of


@pytest.mark.parametrize("name", available())
def test_a_saved_bundle_answers_the_same(name: str, tmp_path: Path) -> None:
    spec = network_spec(name, n_classes=3, in_channels=1)
    network = build(spec, seed=0).train()
    x = torch.randn(2, 1, 64, 80, generator=torch.Generator().manual_seed(0))
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
    again = load_network(Bundle.load(tmp_path / "b"))
    assert not again.training
    with torch.inference_mode():
        assert torch.equal(again(x), network.eval()(x))
