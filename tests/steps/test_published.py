"""The published fetal network, from the file that was published to the names of real images."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from sonoplane.inference.export import export
from sonoplane.models.bundle import Bundle
from sonoplane.records import Box
from sonoplane.steps.predict import predict_all
from sonoplane.steps.recipe import layered
from sonoplane.steps.weights import import_bundle

#: Where the structure that names each plane lies, marked by eye.
MARKED = {
    "3VV": Box(left=467, top=308, right=698, bottom=578),
    "BRAIN-CB": Box(left=215, top=115, right=659, bottom=488),
    "FEMUR": Box(left=464, top=345, right=744, bottom=440),
    "KIDNEYS": Box(left=440, top=200, right=850, bottom=500),
    "LIPS": Box(left=300, top=180, right=600, bottom=560),
    "PROFILE": Box(left=270, top=240, right=560, bottom=480),
    "SPINE-SAGITTAL": Box(left=240, top=290, right=780, bottom=500),
}


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


def test_key_frames_of_all_seven_have_a_box_on_the_structure_that_names_the_plane(
    fetal: Bundle, shared_data: Path, tmp_path: Path
) -> None:
    predict_all([shared_data / "sononet/images"], bundle=fetal, out=tmp_path, recipe=layered(fetal.recipe))
    for name, marked in MARKED.items():
        (keyframe,) = json.loads((tmp_path / name / "findings.json").read_text())["keyframes"]
        box = Box(**keyframe["box"])
        x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        assert marked.left < x < marked.right, name
        assert marked.top < y < marked.bottom, name
        assert box.overlap(marked) > 0.3, name


def test_no_box_is_drawn_where_none_is_wanted(fetal: Bundle, shared_data: Path, tmp_path: Path) -> None:
    recipe = layered(fetal.recipe, {"localization": {"keyframes": False}})
    predict_all([shared_data / "sononet/images/3VV.tiff"], bundle=fetal, out=tmp_path, recipe=recipe)
    (keyframe,) = json.loads((tmp_path / "3VV" / "findings.json").read_text())["keyframes"]
    assert keyframe["box"] is None
