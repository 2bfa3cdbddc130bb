"""What an exported network answers is what PyTorch answers, for every family, form and batch."""

from typing import Literal

import numpy as np
import pytest

from sonoplane.inference.backends import open_backend
from sonoplane.inference.export import export
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import build, network_spec, weights_of


@pytest.fixture(scope="module", params=["sononet2d-4", "smallnet"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    spec = network_spec(request.param, n_classes=3)
    bundle = save_bundle(
        tmp_path_factory.mktemp("b") / "drawn",
        name="drawn",
        version="1",
        spec=spec,
        card=Card(classes=("a", "b", "c"), size=(64, 80)),
        weights=weights_of(build(spec, seed=2)),
        recipe={},
    )
    for form in ("onnx", "openvino"):
        bundle, _ = export(bundle, form)
    return bundle


@pytest.mark.parametrize("form", ["onnx", "openvino"])
@pytest.mark.parametrize("batch", [1, 5])
def test_exported_logits_are_pytorchs(
    exported: Bundle, form: Literal["onnx", "openvino"], batch: int
) -> None:
    frames = np.random.default_rng(batch).integers(0, 256, (batch, 64, 80, 3), dtype=np.uint8)
    inputs = exported.card.values(frames)
    theirs = open_backend(exported, "torch")(inputs)
    ours = open_backend(exported, form)(inputs)
    assert ours.shape == (batch, 3)
    assert np.abs(ours - theirs).max() < 1e-4 * max(1, np.abs(theirs).max())


def test_an_export_is_hashed_and_its_proof_is_kept(exported: Bundle) -> None:
    loaded = Bundle.load(exported.folder)
    assert {"model.onnx", "model.xml", "model.bin"} <= set(loaded.hashes)
    for form in ("onnx", "openvino"):
        assert 0 <= loaded.exports[form]["largest_difference"] < 1e-3


def test_automatic_choice_takes_the_fastest_that_is_there(exported: Bundle, bundle: Bundle) -> None:
    assert open_backend(exported).name == "openvino"
    assert open_backend(bundle).name == "torch"


def test_an_answer_does_not_change_when_the_next_batch_comes(exported: Bundle) -> None:
    backend = open_backend(exported, "openvino")
    draw = np.random.default_rng(1)
    first, second = (
        exported.card.values(draw.integers(0, 256, (2, 64, 80), dtype=np.uint8)) for _ in range(2)
    )
    kept = backend(first)
    copy = kept.copy()
    backend(second)
    assert np.array_equal(kept, copy)
