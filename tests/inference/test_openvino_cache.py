import os
from pathlib import Path

import numpy as np
import pytest

from sonoplane.inference import openvino_cache
from sonoplane.inference.layers import layers_of
from sonoplane.inference.openvino_runtime import DenseOpenVino, OpenVino, from_layers
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.ways import Way
from sonoplane.models.registry import weights_of
from tests.models.tiny_networks import tiny, tiny_spec

SIZE = (32, 32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SONOPLANE_CACHE", str(tmp_path))
    monkeypatch.setattr(openvino_cache, "_WORTH", 0)
    return tmp_path / "compiled"


def frame(change: float = 0.0, settings: RunSettings | None = None) -> np.ndarray:
    weights = weights_of(tiny("sononet2d-2"))
    next(iter(weights.values())).flat[0] += change
    layers = layers_of(tiny_spec("sononet2d-2"), weights)
    backend = from_layers(layers, SIZE, settings or RunSettings(), Way(), 1)
    assert isinstance(backend, OpenVino)
    return backend(np.random.default_rng(0).normal(size=(2, 1, *SIZE)).astype(np.float32))


def run() -> np.ndarray:
    layers = layers_of(tiny_spec("sononet3d-2"), weights_of(tiny("sononet3d-2")))
    backend = DenseOpenVino(layers, SIZE, RunSettings(), 9)
    return backend.dense()(np.random.default_rng(0).normal(size=(31, 1, *SIZE)).astype(np.float32), last=True)


def test_what_was_compiled_is_taken_again(folder: Path) -> None:
    first = frame()
    (kept,) = folder.iterdir()
    before = kept.read_bytes()
    assert np.array_equal(frame(), first)
    assert [path.read_bytes() for path in folder.iterdir()] == [before]
    frames = run()
    assert len(list(folder.iterdir())) == 3
    assert np.array_equal(run(), frames)


def test_other_weights_and_other_settings_are_other_models(folder: Path) -> None:
    first = frame()
    assert not np.array_equal(frame(change=0.01), first)
    frame(settings=RunSettings(threads=1))
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("damage", ["cut short", "altered", "empty"])
def test_what_is_damaged_is_compiled_anew(folder: Path, damage: str) -> None:
    first = frame()
    (kept,) = folder.iterdir()
    whole = kept.read_bytes()
    altered = bytearray(whole)
    for place in range(len(whole) // 2, len(whole) // 2 + 400):
        altered[place] ^= 0xFF
    kept.write_bytes({"cut short": whole[:-100], "altered": bytes(altered), "empty": b""}[damage])
    assert np.array_equal(frame(), first)


def test_a_folder_that_takes_nothing_changes_no_answer(folder: Path) -> None:
    folder.write_text("no folder")
    assert frame().shape == (2, 3)


def test_few_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_cache, "_KEPT", 2)
    for change in (0.0, 0.1, 0.2, 0.3):
        frame(change)
    assert len(list(folder.iterdir())) == 2


def test_an_unfinished_run_leaves_nothing_to_the_next() -> None:
    layers = layers_of(tiny_spec("sononet3d-2-causal"), weights_of(tiny("sononet3d-2-causal")))
    for _ in range(2):  # compiled, then from the cache
        backend = DenseOpenVino(layers, SIZE, RunSettings(), 9)
        inputs = np.random.default_rng(0).normal(size=(20, 1, *SIZE)).astype(np.float32)
        whole = backend.dense()(inputs, last=True)
        backend.dense()(inputs[::-1][:13], last=False)
        assert np.array_equal(backend.dense()(inputs, last=True), whole)


def test_what_was_never_finished_is_removed_after_a_day(folder: Path) -> None:
    folder.mkdir()
    fresh, stale = (folder / f".{name}.blob.0" for name in ("fresh", "stale"))
    for path in (fresh, stale):
        path.write_bytes(b"")
    os.utime(stale, (0, 0))
    frame()
    assert (fresh.exists(), stale.exists()) == (True, False)


@pytest.mark.parametrize(("name", "forms"), [("sononet3d-2", 2), ("sononet3d-2-causal", 1)])
def test_a_live_network_is_ready_before_its_first_frame(folder: Path, name: str, forms: int) -> None:
    layers = layers_of(tiny_spec(name), weights_of(tiny(name)))
    DenseOpenVino(layers, SIZE, RunSettings(piece=1), 1)
    assert len(list(folder.iterdir())) == forms
