"""What an exported network answers is what PyTorch answers, for every family, form and batch."""

from typing import Literal

import numpy as np
import pytest

from sonoplane.inference.backends import open_backend
from sonoplane.inference.export import export
from sonoplane.inference.settings import RunSettings
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import weights_of
from tests.models.tiny_networks import tiny, tiny_spec

NAMES = ("sononet2d-2", "smallnet-4", "sononet3d-2", "echo3dcnn")


@pytest.fixture(scope="module", params=NAMES)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    spec = tiny_spec(request.param)
    bundle = save_bundle(
        tmp_path_factory.mktemp("b") / "drawn",
        name="drawn",
        version="1",
        spec=spec,
        card=Card(classes=("a", "b", "c"), size=(64, 80)),
        weights=weights_of(tiny(request.param)),
        recipe={"run": {"mode": "clip", "clip_length": 6}},
    )
    for form in ("onnx", "openvino"):
        bundle, _ = export(bundle, form)
    return bundle


def some_input(bundle: Bundle, batch: int, seed: int = 0) -> np.ndarray:
    """Frames; for a network of clips, of six of them."""
    length = 6 if bundle.spec.takes_clips else 1
    frames = np.random.default_rng(seed).integers(0, 256, (batch * length, 64, 80, 3), dtype=np.uint8)
    inputs = bundle.card.values(frames)
    return inputs.reshape(batch, 1, length, 64, 80) if bundle.spec.takes_clips else inputs


@pytest.mark.parametrize("form", ["onnx", "openvino"])
@pytest.mark.parametrize("batch", [1, 5])
def test_exported_logits_are_pytorchs(
    exported: Bundle, form: Literal["onnx", "openvino"], batch: int
) -> None:
    inputs = some_input(exported, batch)
    theirs = open_backend(exported, "torch")(inputs)
    ours = open_backend(exported, form)(inputs)
    assert ours.shape == (batch, 3)
    assert np.abs(ours - theirs).max() < 1e-4 * max(1, np.abs(theirs).max())


def test_an_export_is_hashed_and_its_proof_is_kept(exported: Bundle) -> None:
    loaded = Bundle.load(exported.folder)
    assert {"model.onnx", "model.xml", "model.bin"} <= set(loaded.hashes)
    for form in ("onnx", "openvino"):
        assert 0 <= loaded.exports[form]["largest_difference"] < 1e-3
        assert loaded.exports[form].get("clip_length") == (6 if loaded.spec.takes_clips else None)


def test_automatic_choice_takes_the_fastest_that_is_there(exported: Bundle, bundle: Bundle) -> None:
    assert open_backend(exported).name == "openvino"
    assert open_backend(exported, settings=RunSettings(clip_length=6, clip_step=3)).name == "openvino"
    assert open_backend(bundle).name == "torch"


def test_an_answer_does_not_change_when_the_next_batch_comes(exported: Bundle) -> None:
    backend = open_backend(exported, "openvino")
    first, second = (some_input(exported, 2, seed) for seed in (1, 2))
    kept = backend(first)
    copy = kept.copy()
    backend(second)
    assert np.array_equal(kept, copy)
