"""The published fetal network, from the file that was published to the names of real images."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from sonoplane.inference.export import export
from sonoplane.models.bundle import Bundle
from sonoplane.steps.predict import predict_all
from sonoplane.steps.recipe import layered
from sonoplane.steps.weights import import_bundle


@pytest.fixture(scope="module")
def fetal(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    bundle = import_bundle(shared_data / "sononet/SonoNet16.npz", tmp_path_factory.mktemp("b") / "fetal16")
    for form in ("openvino", "onnx"):
        bundle, (exported,) = export(bundle, form)  # type: ignore[arg-type]  # a str
        assert exported.proof
        assert exported.proof.largest_difference < 1e-4
    return bundle


@pytest.mark.parametrize("backend", ["torch", "openvino", "onnx"])
def test_all_seven_images_are_named_and_their_logits_are_the_published(
    backend: str, fetal: Bundle, shared_data: Path, tmp_path: Path
) -> None:
    expected = json.loads((shared_data / "sononet/expected.json").read_text())
    images = sorted((shared_data / "sononet/images").glob("*.tiff"))
    predict_all(
        images, bundle=fetal, out=tmp_path, recipe=layered(fetal.recipe), backend=backend, logits=True
    )  # type: ignore[arg-type]  # a str
    assert len(expected["images"]) == 7
    for name, image in expected["images"].items():
        findings = json.loads((tmp_path / name / "findings.json").read_text())
        assert findings["recording_label"]["label"] == image["predicted"]
        assert findings["recording_label"]["probability"] == pytest.approx(image["probability"], abs=1e-3)
        with (tmp_path / name / "logits.csv").open() as file:
            (row,) = csv.DictReader(file)
        logits = [float(row[label]) for label in expected["classes"]]
        assert np.allclose(logits, image["logits"], atol=2e-3)
