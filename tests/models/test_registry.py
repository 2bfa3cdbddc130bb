"""Weights in and out of networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sonoplane.errors import WeightsError
from sonoplane.models.fit import weight_shapes
from sonoplane.models.registry import build, load_weights, network_spec, weights_of
from tests.models.tiny_networks import NAMES, tiny_spec


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("features_only", [False, True])
def test_shapes_are_known_without_building(name: str, features_only: bool) -> None:
    spec = tiny_spec(name, n_classes=5, in_channels=3)
    spec = replace(spec, options=spec.options | {"features_only": features_only})
    assert weight_shapes(spec) == {key: value.shape for key, value in weights_of(build(spec)).items()}


def test_shapes_with_the_papers_mid_channels_are_known_too() -> None:
    spec = network_spec("sononet2plus1d-4", n_classes=5, options={"mid_channels": "paper"})
    assert weight_shapes(spec) == {key: value.shape for key, value in weights_of(build(spec)).items()}


def test_weights_go_in_and_come_out() -> None:
    spec = network_spec("sononet2d-4", n_classes=3)
    one, two = build(spec, seed=1), build(spec, seed=2)
    load_weights(two, weights_of(one))
    x = torch.randn(1, 1, 32, 32)
    assert torch.equal(one.eval()(x), two.eval()(x))


def test_what_does_not_fit_is_named() -> None:
    network = build(network_spec("smallnet-4", n_classes=3))
    weights = weights_of(network)
    del weights["head.1.0.conv.bias"]
    weights["extra"] = np.zeros(1, np.float32)
    weights["head.0.0.conv.bias"] = np.zeros(5, np.float32)
    with pytest.raises(WeightsError) as caught:
        load_weights(network, weights)
    assert "missing: head.1.0.conv.bias" in str(caught.value)
    assert "surplus: extra" in str(caught.value)
    assert "head.0.0.conv.bias (5,) instead of (8,)" in str(caught.value)
