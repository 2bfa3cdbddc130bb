from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import BundleError
from sonoplane.inference.filters import first_filters, layers
from sonoplane.models.ensemble import save_ensemble
from sonoplane.models.registry import build, weights_of
from tests.inference.planted import bundled
from tests.models.tiny_networks import NAMES, tiny, tiny_spec

#: The deeper ResNeXts are more of the same.
SHALLOW = [name for name in NAMES if not name.startswith("resnext3d-1")]
#: Frames, rows and columns of the first layer's filters.
FIRST = {"smallnet": (1, 7, 7), "sononet2d": (1, 3, 3), "sononet2plus1d": (1, 3, 3), "resnext3d": (7, 7, 7)}


@pytest.mark.parametrize("name", SHALLOW)
def test_the_first_layers_filters_are_shown_as_they_are(name: str, tmp_path: Path) -> None:
    weights = weights_of(tiny(name))
    bundle = bundled(tmp_path / "b", name, weights)
    pictures = first_filters(bundle)
    n_frames, height, width = FIRST.get(bundle.spec.family.split("-")[0], (3, 3, 3))
    weight = next(iter(weights.values()))
    assert pictures.shape == (len(weight), n_frames, height, width)
    for picture, kernel in zip(pictures, weight[:, 0].reshape(pictures.shape), strict=True):
        np.testing.assert_array_equal(picture, np.round(128 + 127 * kernel / np.abs(kernel).max()))


@pytest.mark.parametrize("name", SHALLOW)
def test_every_layer_is_a_module_with_as_many_filters(name: str, tmp_path: Path) -> None:
    network = build(tiny_spec(name))
    there = layers(bundled(tmp_path / "b", name, weights_of(network)))
    for layer, n_filters in there.items():
        module = network.get_submodule(layer)
        conv = getattr(module, "conv", module)
        assert conv.weight.shape[0] == n_filters
    assert list(there.values())[-1] == 3, "the last answers the classes"


def test_an_ensemble_says_to_ask_a_member(tmp_path: Path) -> None:
    member = bundled(tmp_path / "b", "smallnet-4", weights_of(tiny("smallnet-4")))
    both = save_ensemble(
        tmp_path / "both", name="both", version="1", members={"a": member, "b": member}, recipe={}
    )
    with pytest.raises(BundleError, match="Name one of its members: a, b"):
        first_filters(both)
