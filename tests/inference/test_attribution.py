import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from captum.attr import GuidedBackprop, LayerGradCam
from torch import Tensor, nn

from sonoplane.errors import MissingExtra, UsageError
from sonoplane.inference import attribution
from sonoplane.inference.attribution import open_explainer
from sonoplane.inference.attribution_cells import cells_of
from sonoplane.inference.attribution_grad_cam import grad_cam, grad_cam_plus_plus, last_layer
from sonoplane.inference.attribution_gray import integrated_gradients, occlusion
from sonoplane.inference.attribution_guided import guided_backprop
from sonoplane.inference.attribution_network import Relevance, open_network
from sonoplane.inference.attribution_settings import AttributionSettings
from sonoplane.inference.explaining import METHODS, Explainer, Method
from sonoplane.inference.localize import Localizer
from sonoplane.inference.settings import RunSettings
from sonoplane.models.bundle import Bundle
from sonoplane.models.ensemble import save_ensemble
from sonoplane.models.network import PlaneNetwork
from sonoplane.models.registry import weights_of
from sonoplane.models.score_maps import ScoreMapNetwork
from tests.inference.planted import bundled
from tests.models.tiny_networks import NAMES, tiny

RUN = RunSettings(clip_length=5)
COARSE = AttributionSettings(steps=2, most_steps=2, box=1, frames=1)
SIGNED = ("integrated-gradients", "occlusion")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """One small network of every family and form."""
    folder = tmp_path_factory.mktemp("bundles")
    return {name: bundled(folder / name, name, weights_of(tiny(name)), (64, 48)) for name in NAMES}


def some_clip(n_frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n_frames, 1, 64, 48)).astype(np.float32)


def speaking(explainer: Explainer, clip: np.ndarray) -> tuple[int, np.ndarray]:
    """The first class whose map is not empty, and its map."""
    told = ((target, explainer(clip, target)) for target in range(3))
    return next((target, maps) for target, maps in told if maps.any())


def as_input(bundle: Bundle, clip: np.ndarray) -> Tensor:
    return torch.from_numpy(clip.swapaxes(0, 1)[None].copy() if bundle.spec.takes_clips else clip)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NAMES)
def test_every_network_is_explained_by_every_method(
    name: str, method: Method, bundles: dict[str, Bundle]
) -> None:
    explainer = open_explainer(bundles[name], method, RUN, COARSE)
    assert explainer.method == method
    clip = some_clip(explainer.sight.length)
    target, maps = speaking(explainer, clip)
    assert maps.shape == (len(clip), 64, 48)
    assert np.isfinite(maps).all()
    assert method in SIGNED or maps.min() >= 0
    np.testing.assert_array_equal(maps, explainer(clip, target))


def test_the_methods_are_the_methods() -> None:
    assert get_args(Method) == METHODS


@pytest.mark.parametrize(
    "name",
    ["sononet2d-2", "sononet3d-2-causal", "smallnet-4", "echo3dcnn", "resnext3d-50"],
)
def test_integrated_gradients_add_up_to_the_change_of_the_logit(
    name: str, bundles: dict[str, Bundle]
) -> None:
    bundle = bundles[name]
    explainer, network = open_explainer(bundle, "integrated-gradients", RUN), open_network(bundle, RUN)
    clip = 3 + some_clip(explainer.sight.length)
    gray = np.broadcast_to(clip.mean(axis=(2, 3), keepdims=True), clip.shape).copy()
    with torch.no_grad():
        change = (network(as_input(bundle, clip)) - network(as_input(bundle, gray)))[0].numpy()
    target = int(np.abs(change).argmax())
    np.testing.assert_allclose(explainer(clip, target).sum(dtype=np.float64), change[target], rtol=0.0101)


def test_guided_backprop_is_that_of_captum(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["echo3dcnn"]
    x = as_input(bundle, some_clip(5)).requires_grad_()
    with pytest.warns(UserWarning, match="Setting backward hooks"):
        theirs = GuidedBackprop(open_network(bundle, RUN)).attribute(x, target=1)
    ours = guided_backprop(open_network(bundle, RUN))(x, 1)
    assert ours.any()
    torch.testing.assert_close(ours, theirs.abs().detach())


@pytest.mark.parametrize("name", ["sononet2d-2", "sononet3d-2", "smallnet-4"])
def test_guided_backprop_from_score_maps_is_that_of_captum(name: str, bundles: dict[str, Bundle]) -> None:
    class Halved(nn.Module):
        """Its gradient with respect to a class score map is what of it is above zero."""

        def __init__(self, network: ScoreMapNetwork) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> Tensor:
            return self.network.class_score_maps(x).clamp(min=0).square().flatten(2).sum(dim=2) / 2

    bundle = bundles[name]
    network = open_network(bundle, RUN)
    assert isinstance(network, ScoreMapNetwork)
    x = as_input(bundle, some_clip(5 if bundle.spec.takes_clips else 1)).requires_grad_()
    told = guided_backprop(open_network(bundle, RUN))
    with pytest.warns(UserWarning, match="Setting backward hooks"):
        theirs = [GuidedBackprop(Halved(network)).attribute(x, target=target) for target in range(3)]
    ours = [told(x, target) for target in range(3)]
    assert any(each.any() for each in ours)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other.abs().detach())


def test_without_torch_localization_says_the_same(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["sononet2plus1d-2"]
    clip = some_clip(5)
    explained = [open_explainer(bundle, "guided-backprop", RUN)(clip, target) for target in range(3)]
    localized = [Localizer(bundle, RUN, "float32")(clip, target) for target in range(3)]
    np.testing.assert_allclose(explained, localized, rtol=1e-3, atol=1e-4 * np.max(localized))


@pytest.mark.parametrize("name", ["sononet2d-2", "sononet3d-2", "echo3dcnn", "resnext3d-50"])
def test_grad_cam_is_that_of_captum_laid_over_the_input(name: str, bundles: dict[str, Bundle]) -> None:
    bundle = bundles[name]
    network = open_network(bundle, RUN)
    clip = some_clip(5 if bundle.spec.takes_clips else 1)
    x = as_input(bundle, clip).requires_grad_()
    layer = last_layer(network)
    theirs = LayerGradCam(network, layer).attribute(x, target=2, relu_attributions=True).detach()
    laid = cells_of(network, layer, x).spread(theirs, tuple(x.shape[2:])).numpy().reshape(len(clip), 64, 48)
    np.testing.assert_allclose(open_explainer(bundle, "grad-cam", RUN)(clip, 2), laid, rtol=1e-5, atol=1e-7)


def test_grad_cam_weighs_the_last_features_by_their_mean_gradient(bundles: dict[str, Bundle]) -> None:
    network = open_network(bundles["sononet2d-2"], RUN)
    assert isinstance(network, ScoreMapNetwork)
    assert network.head is not None
    x = torch.from_numpy(some_clip(1))
    features = network.features(x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(network.head(features).mean(dim=(2, 3))[0, 1], features)
    expected = (gradient.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1, keepdim=True).relu().detach()
    cells = cells_of(network, last_layer(network), x)
    torch.testing.assert_close(grad_cam(network)(x, 1), cells.spread(expected, (64, 48)))


def test_grad_cam_plus_plus_weighs_by_the_derivatives_of_the_exponential(bundles: dict[str, Bundle]) -> None:
    """Equation 10 of the paper, with derivatives that autograd takes of exp(y), against the short form."""
    network = open_network(bundles["sononet2d-2"], RUN).double()
    assert isinstance(network, ScoreMapNetwork)
    head = network.head
    assert head is not None
    x = torch.from_numpy(some_clip(1)).double()
    features = network.features(x).detach()
    _, n_maps, height, width = features.shape
    weights = torch.zeros(n_maps, dtype=torch.float64)
    for place in np.ndindex(n_maps, height, width):
        at = features[0, place[0], place[1], place[2]].clone().requires_grad_()
        score = (
            head(features.index_put(tuple(map(torch.tensor, (0, *place))), at)).mean(dim=(2, 3))[0, 1].exp()
        )
        (first,) = torch.autograd.grad(score, at, create_graph=True)
        if not first:
            continue
        (second,) = torch.autograd.grad(first, at, create_graph=True)
        (third,) = torch.autograd.grad(second, at)
        share = second / (2 * second + features[0, place[0]].sum() * third)
        weights[place[0]] += (share * first.relu() / score).detach()
    expected = (weights[:, None, None] * features[0]).sum(dim=0).relu()[None, None]
    cells = cells_of(network, last_layer(network), x)
    assert expected.any()
    torch.testing.assert_close(grad_cam_plus_plus(network)(x, 1), cells.spread(expected, (64, 48)))


@pytest.mark.parametrize(
    "told",
    [
        guided_backprop,
        grad_cam,
        grad_cam_plus_plus,
        partial(integrated_gradients, settings=COARSE, batch=1),
        partial(occlusion, settings=COARSE, batch=1),
    ],
    ids=METHODS,
)
def test_no_gradient_is_left_behind(
    told: Callable[[PlaneNetwork], Relevance], bundles: dict[str, Bundle]
) -> None:
    network = open_network(bundles["sononet2d-2"], RUN)
    before = weights_of(network)
    x = torch.from_numpy(some_clip(1))
    told(network)(x, 0)
    assert not network.training
    assert not x.requires_grad
    assert all(weight.grad is None for weight in network.parameters())
    after = weights_of(network)
    assert all(np.array_equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("method", ["guided-backprop", "occlusion"])
def test_members_of_an_ensemble_have_an_equal_say(
    method: Method, bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    small = bundles["sononet2d-2"]
    loud = weights_of(tiny("sononet2d-2"))
    drawn = np.random.default_rng(1)
    loud = {key: value + 0.1 * drawn.random(value.shape, np.float32) for key, value in loud.items()}
    last = [key for key in loud if key.endswith("norm.weight")][-1]
    loud[last] = 100 * loud[last]
    other = bundled(tmp_path / "loud", "sononet2d-2", loud, (64, 48))
    ensemble = save_ensemble(
        tmp_path / "both", name="both", version="1", members={"a": small, "b": other}, recipe={}
    )
    clip = some_clip(1)
    target, _ = speaking(open_explainer(small, method, RUN, COARSE), clip)
    told = [open_explainer(each, method, RUN, COARSE)(clip, target) for each in (small, other, ensemble)]
    shares = [each / np.abs(each).sum() for each in told[:2]]
    assert np.abs(told[1]).sum() > 20 * np.abs(told[0]).sum() > 0
    expected = np.mean(shares, axis=0) * np.mean([np.abs(each).sum() for each in told[:2]])
    np.testing.assert_allclose(told[2], expected, rtol=1e-3, atol=1e-6 * np.abs(expected).max())


def test_what_cannot_be_explained_is_refused_with_advice(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["sononet3d-2"]
    with pytest.raises(UsageError, match="clip-length of 5 or more"):
        open_explainer(bundle, "grad-cam", RunSettings(clip_length=4))
    explainer = open_explainer(bundle, "grad-cam", RUN)
    with pytest.raises(UsageError, match="has 4 frames, and the network is given 5"):
        explainer(some_clip(4), 0)
    for target in (-1, 3):
        with pytest.raises(UsageError, match="from 0 to 2"):
            explainer(some_clip(5), target)


@pytest.mark.parametrize("missing", ["torch", "captum"])
def test_without_torch_or_captum_it_says_what_to_install(
    missing: str, bundles: dict[str, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(attribution, "find_spec", lambda name: None if name == missing else there(name))
    with pytest.raises(MissingExtra, match=rf"needs {missing}.*sonoplane\[train\]"):
        open_explainer(bundles["sononet2d-2"], "grad-cam", RUN)


def test_a_network_that_is_run_densely_is_explained_by_its_clips(bundles: dict[str, Bundle]) -> None:
    explainer = open_explainer(bundles["sononet3d-2"], "grad-cam", RunSettings(mode="dense"))
    assert explainer.sight.length == 9
    assert explainer(some_clip(9), 0).shape == (9, 64, 48)
