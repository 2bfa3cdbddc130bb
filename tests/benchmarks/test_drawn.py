"""Networks that nobody trained have something to say."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.drawn import CLASSES, Scenes, drawn_bundle, scenes, timeline


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    """Nine frames of each patient."""
    return scenes(tmp_path_factory.mktemp("scenes") / "scenes.mp4", height=160, width=200, n_frames=36)


@pytest.mark.parametrize("network", ["sononet3d-8", "sononet3d-8-causal"])
def test_patients_are_told_apart(seen: Scenes, network: str, tmp_path: Path) -> None:
    bundle = drawn_bundle(tmp_path, network, (64, 80), seen, mode="dense")
    found = timeline(seen.file, bundle, {"mode": "dense"})
    assert found.classes == CLASSES
    assert np.mean(np.array(found.labels) == np.array(seen.labels)) > 0.8


def test_every_tap_weighs_as_much(seen: Scenes, tmp_path: Path) -> None:
    weights = drawn_bundle(tmp_path, "sononet2plus1d-2", (32, 48), seen, mode="dense").weights()
    taps = weights["blocks.1.0.1.conv.weight"]
    assert taps.shape[2] == 3
    np.testing.assert_allclose(taps, np.repeat(taps[:, :, :1], 3, axis=2))
    np.testing.assert_allclose(taps.sum(axis=2)[:, :, 0, 0], np.eye(len(taps)), atol=1e-6)
