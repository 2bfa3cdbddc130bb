"""What inflation keeps, leaves out and refuses; that its answers are right is a law."""

import numpy as np
import pytest

from sonoplane.errors import WeightsError
from sonoplane.models.fit import weight_shapes
from sonoplane.models.inflation import inflate
from sonoplane.models.registry import build, network_spec, start_from, weights_of

FLAT = weights_of(build(network_spec("sononet2d-2", n_classes=3), seed=0))


@pytest.mark.parametrize("name", ["sononet3d-2", "sononet2plus1d-2-causal", "sononet2d-2"])
def test_another_number_of_classes_leaves_the_head_as_it_was_drawn(name: str) -> None:
    spec = network_spec(name, n_classes=5)
    network = build(spec, seed=1)
    before = weights_of(network)
    kept = start_from(network, spec, FLAT)
    after = weights_of(network)
    assert kept
    assert all(key.startswith("head") for key in kept)
    assert all(np.array_equal(before[key], after[key]) for key in kept)
    assert not np.array_equal(before["blocks.0.0.0.conv.weight"], after["blocks.0.0.0.conv.weight"])


@pytest.mark.parametrize("name", ["sononet3d-2-causal", "sononet2plus1d-2"])
def test_features_can_be_inflated_without_a_head(name: str) -> None:
    spec = network_spec(name, n_classes=5, options={"features_only": True})
    assert set(inflate(FLAT, spec)) == set(weight_shapes(spec))


def test_a_networks_own_weights_start_it_again() -> None:
    for name in ("sononet3d-2", "smallnet-4"):
        spec = network_spec(name, n_classes=3)
        weights = weights_of(build(spec, seed=3))
        network = build(spec, seed=4)
        assert start_from(network, spec, weights) == ()
        assert all(np.array_equal(weights[key], array) for key, array in weights_of(network).items())
        other = network_spec(name, n_classes=4)
        assert all(key.startswith("head") for key in start_from(build(other), other, weights))


def test_the_papers_mid_channels_are_too_few() -> None:
    spec = network_spec("sononet2plus1d-2", n_classes=3, options={"mid_channels": "paper"})
    with pytest.raises(WeightsError, match='mid_channels = "out"'):
        inflate(FLAT, spec)


@pytest.mark.parametrize("name", ["sononet3d-4", "smallnet-2", "sononet2plus1d-8"])
def test_weights_of_another_network_are_refused(name: str) -> None:
    with pytest.raises(WeightsError, match="do not fit"):
        inflate(FLAT, network_spec(name, n_classes=3))
    with pytest.raises(WeightsError, match="do not fit"):
        inflate(
            weights_of(build(network_spec("smallnet-2", n_classes=3))),
            network_spec("sononet3d-2", n_classes=3),
        )
