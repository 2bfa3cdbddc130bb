import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from sonoplane.errors import BundleError, MissingExtra, UsageError
from sonoplane.inference import activation
from sonoplane.inference.activation import maximize_activation
from sonoplane.inference.activation_settings import ActivationSettings
from sonoplane.inference.filters import layers
from sonoplane.inference.settings import RunSettings
from sonoplane.models.bundle import Bundle
from sonoplane.models.ensemble import save_ensemble
from sonoplane.models.registry import load_network, weights_of
from tests.inference.planted import bundled
from tests.models.tiny_networks import NAMES, tiny

#: The deeper ResNeXts are more of the same.
SHALLOW = [name for name in NAMES if not name.startswith("resnext3d-1")]
RUN = RunSettings(mode="clip", clip_length=5)
FEW = ActivationSettings(steps=6)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    return {name: bundled(folder / name, name, weights_of(tiny(name)), (64, 48)) for name in SHALLOW}


def logits(bundle: Bundle, picture: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(bundle.card.values(picture))
    with torch.no_grad():
        answer = load_network(bundle)(x.transpose(0, 1)[None] if bundle.spec.takes_clips else x)
    return np.asarray(answer[0].numpy())


@pytest.mark.parametrize("name", SHALLOW)
def test_a_picture_that_a_class_answers_more_than_noise(name: str, bundles: dict[str, Bundle]) -> None:
    """Shown to the network as any frame is shown to it."""
    bundle = bundles[name]
    last = list(layers(bundle))[-1]
    settings = ActivationSettings(steps=8, rate=0.5, jitter=0)
    begun, made = (
        maximize_activation(bundle, last, 1, run=RUN, seed=3, settings=each)
        for each in (ActivationSettings(steps=1, rate=1e-6, jitter=0), settings)
    )
    assert made.shape == (5 if bundle.spec.takes_clips else 1, 64, 48)
    assert made.std() > 2 * begun.std()
    assert logits(bundle, made)[1] > logits(bundle, begun)[1]


def test_every_layer_has_its_pictures(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["sononet2plus1d-2"]
    pictures = [
        maximize_activation(bundle, layer, 0, run=RUN, settings=ActivationSettings(steps=2))
        for layer in layers(bundle)
    ]
    assert {picture.shape for picture in pictures} == {(5, 64, 48)}
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_the_same_seed_gives_the_same_picture(bundles: dict[str, Bundle]) -> None:
    one, same, other = (
        maximize_activation(bundles["sononet2d-2"], "blocks.0.1.0", 1, run=RUN, seed=seed, settings=FEW)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_blur_makes_smoother_pictures(bundles: dict[str, Bundle]) -> None:
    rough, smooth = (
        maximize_activation(
            bundles["sononet2d-2"],
            "blocks.0.1.0",
            0,
            run=RUN,
            settings=ActivationSettings(steps=16, blur=blur),
        )[0].astype(float)
        for blur in (0, 4)
    )
    steps = [np.abs(np.diff(picture)).mean() / picture.std() for picture in (rough, smooth)]
    assert steps[1] < 0.8 * steps[0]


def test_what_is_not_there_is_told_with_what_is(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    bundle = bundles["sononet3d-2"]
    with pytest.raises(UsageError, match=r"no layer 'conv1'\. Name one of blocks\.0\.0\.0, .*head\.1\.0"):
        maximize_activation(bundle, "conv1", 0, run=RUN)
    for number in (-1, 2):
        with pytest.raises(UsageError, match="from 0 to 1"):
            maximize_activation(bundle, "blocks.0.0.0", number, run=RUN)
    with pytest.raises(UsageError, match="clip-length of 5 or more"):
        maximize_activation(bundle, "blocks.0.0.0", 0, run=RunSettings(clip_length=4))
    members = {"a": bundle, "b": bundle}
    both = save_ensemble(tmp_path / "both", name="both", version="1", members=members, recipe={})
    with pytest.raises(BundleError, match="Name one of its members: a, b"):
        maximize_activation(both, "blocks.0.0.0", 0, run=RUN)


def test_without_torch_it_says_what_to_install(
    bundles: dict[str, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(activation, "find_spec", lambda name: None if name == "torch" else there(name))
    with pytest.raises(MissingExtra, match=r"needs torch.*sonoplane\[train\]"):
        maximize_activation(bundles["sononet2d-2"], "blocks.0.0.0", 0, run=RUN)
