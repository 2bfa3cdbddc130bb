"""Every method points at what a network looks at, where that is known by hand or was learned."""

from pathlib import Path

import numpy as np
import pytest

from sonoplane.inference.attribution import open_explainer
from sonoplane.inference.attribution_settings import AttributionSettings
from sonoplane.inference.explaining import METHODS, Method
from sonoplane.inference.settings import RunSettings
from tests.inference.planted import bundled, looking_at_one_cell, passing, share_within

RUN = RunSettings(mode="clip", clip_length=7)
#: Four cells of a SonoNet, a sixth of the frame.
PATCH = (slice(16, 48), slice(48, 80))
#: A square that covers whole cells, else it hides nothing from a network that takes the largest of each.
LARGE = AttributionSettings(box=0.5, frames=0.5, most_steps=32)
#: Of the tiny echo network on clips of 7 frames: what the cell (1, 0, 1) reaches.
REACHED = (slice(2, 7), slice(0, 32), slice(48, 96))
QUADRANT = REACHED[1:]


def patched(n_frames: int) -> np.ndarray:
    """Dark frames with a bright patch, standardized."""
    clip = np.zeros((n_frames, 1, 64, 96), np.float32)
    clip[:, :, *PATCH] = 1
    return (clip - clip.mean()) / clip.std()


@pytest.mark.parametrize(
    ("name", "method"),
    [
        *(("sononet2d-2", method) for method in METHODS),
        *(("sononet3d-2-causal", method) for method in ("guided-backprop", "grad-cam", "grad-cam++")),
    ],
)
def test_the_patch_that_a_network_answers_is_found(name: str, method: Method, tmp_path: Path) -> None:
    explainer = open_explainer(bundled(tmp_path / "b", name, passing(name)), method, RUN, LARGE)
    relevance = explainer(patched(explainer.sight.length), 0).sum(axis=0)
    row, column = np.unravel_index(relevance.argmax(), relevance.shape)
    assert 16 <= row < 48
    assert 48 <= column < 80
    exact = method in ("guided-backprop", "integrated-gradients")
    assert share_within(relevance, *PATCH) > (0.99 if exact else 0.4)


@pytest.mark.parametrize("method", ["integrated-gradients", "occlusion"])
def test_what_speaks_against_a_class_is_below_zero(method: Method, tmp_path: Path) -> None:
    bundle = bundled(tmp_path / "b", "sononet2d-2", passing("sononet2d-2"))
    explainer = open_explainer(bundle, method, RUN, LARGE)
    assert explainer(patched(1), 0).any()
    np.testing.assert_allclose(explainer(patched(1), 2), -explainer(patched(1), 0), atol=1e-7)


@pytest.mark.parametrize("method", ["guided-backprop", "integrated-gradients", "occlusion"])
def test_the_frames_and_the_quadrant_that_a_network_looks_at_are_found(
    method: Method, tmp_path: Path
) -> None:
    bundle = bundled(tmp_path / "b", "echo3dcnn", looking_at_one_cell((1, 0, 1)))
    noise = np.random.default_rng(0).normal(size=(7, 1, 64, 96)).astype(np.float32)
    maps = open_explainer(bundle, method, RUN, LARGE)(noise, 0)
    exact = method != "occlusion"
    assert share_within(maps, *REACHED) > (0.999 if exact else 0.6)
    assert share_within(maps, REACHED[0]) > (0.999 if exact else 0.8)


@pytest.mark.parametrize("method", ["grad-cam", "grad-cam++"])
def test_grad_cam_finds_when_and_where_the_last_maps_answer(method: Method, tmp_path: Path) -> None:
    bundle = bundled(tmp_path / "b", "echo3dcnn", looking_at_one_cell((1, 0, 1)))
    clip = np.zeros((7, 1, 64, 96), np.float32)
    clip[4:, :, 8:24, 56:80] = 1
    maps = open_explainer(bundle, method, RUN)(clip, 0)
    assert share_within(maps, slice(3, 7), *QUADRANT) > 0.95
    assert maps[:3].max() == 0
