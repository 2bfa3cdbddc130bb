"""The sanity checks of Adebayo et al. (NeurIPS 2018): a map hangs on the weights that a network has learned."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from sonoplane.inference.attribution import open_explainer
from sonoplane.inference.attribution_settings import AttributionSettings
from sonoplane.inference.explaining import METHODS, Method
from sonoplane.inference.settings import RunSettings
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import build, network_spec, weights_of

Found: TypeAlias = Callable[[str, Method], np.ndarray]

SPEC = network_spec("sononet2d-4", n_classes=3)
SIZE = 48
RUN = RunSettings()
QUICK = AttributionSettings(most_steps=32, box=0.3)


def scene(kind: int, draw: np.random.Generator) -> tuple[np.ndarray, tuple[int, int]]:
    """Noise (0), or a ring (1) or a cross (2) in it, and its center."""
    row, column = draw.integers(10, SIZE - 10, 2)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    far = np.hypot(rows - row, columns - column)
    near = np.minimum(abs(rows - row), abs(columns - column))
    shape = (far > 4) & (far < 7) if kind == 1 else (near < 2) & (far < 7) & (kind == 2)
    image = draw.normal(0, 0.3, (SIZE, SIZE)) + 2 * shape
    return ((image - image.mean()) / image.std()).astype(np.float32)[None], (int(row), int(column))


@cache
def learned() -> dict[str, np.ndarray]:
    """A small SonoNet that tells rings from crosses."""
    draw = np.random.default_rng(0)
    network = build(SPEC, seed=1).train()
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=60)
    for _ in range(60):
        kinds = draw.integers(0, 3, 16)
        images = torch.from_numpy(np.stack([scene(kind, draw)[0] for kind in kinds]))
        loss = torch.nn.functional.cross_entropy(network(images), torch.from_numpy(kinds))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return weights_of(network)


def bundle_of(folder: Path, weights: dict[str, np.ndarray]) -> Bundle:
    return save_bundle(
        folder,
        name="learned",
        version="1",
        spec=SPEC,
        card=Card(classes=("noise", "ring", "cross"), size=(SIZE, SIZE)),
        weights=weights,
        recipe={},
    )


def forgetful(n_layers: int) -> dict[str, np.ndarray]:
    """The last layers' kernels drawn anew."""
    weights, drawn = learned(), weights_of(build(SPEC, seed=7))
    forgotten = [key for key in weights if key.endswith("conv.weight")][-n_layers:]
    return {key: drawn[key] if key in forgotten else value for key, value in weights.items()}


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation of two networks' maps, the mean of some scenes; none of a map that is flat."""
    return float(
        np.mean(
            [
                spearmanr(*pair).statistic if min(map(np.ptp, pair)) else 0
                for pair in zip(one, other, strict=True)
            ]
        )
    )


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    kinds = {"learned": learned(), "head": forgetful(2), "all": forgetful(15)}
    return {name: bundle_of(folder / name, weights) for name, weights in kinds.items()}


@pytest.fixture(scope="module")
def maps(bundles: dict[str, Bundle]) -> Found:
    """What a network's map of each of some scenes is, by a method; flattened."""

    @cache
    def found(name: str, method: Method) -> np.ndarray:
        draw = np.random.default_rng(2)
        explainer = open_explainer(bundles[name], method, RUN, QUICK)
        return np.stack([explainer(scene(kind, draw)[0][None], kind).ravel() for kind in (1, 2) * 2])

    return found


@pytest.mark.parametrize("method", ["guided-backprop", "integrated-gradients", "occlusion"])
def test_a_map_points_at_what_was_learned(method: Method, bundles: dict[str, Bundle]) -> None:
    """Of these small frames each cell of the last layer sees nearly all, so Grad-CAM has nothing to tell apart."""
    draw = np.random.default_rng(1)
    explainer = open_explainer(bundles["learned"], method, RUN, QUICK)
    hits = 0
    for kind in (1, 2) * 3:
        image, (row, column) = scene(kind, draw)
        relevance = gaussian_filter(explainer(image[None], kind)[0], 3)
        peak = np.unravel_index(relevance.argmax(), relevance.shape)
        hits += np.hypot(peak[0] - row, peak[1] - column) < 10
    assert hits >= 5


@pytest.mark.parametrize("method", METHODS)
def test_random_weights_destroy_the_map(method: Method, maps: Found) -> None:
    assert likeness(maps("learned", method), maps("all", method)) < 0.3


@pytest.mark.parametrize("method", [method for method in METHODS if method != "guided-backprop"])
def test_a_random_head_alone_spoils_the_map(method: Method, maps: Found) -> None:
    assert likeness(maps("learned", method), maps("head", method)) < 0.6


def test_guided_backprop_hardly_notices_a_random_head(maps: Found) -> None:
    """Its known weakness, which its docstring tells."""
    assert likeness(maps("learned", "guided-backprop"), maps("head", "guided-backprop")) > 0.9
