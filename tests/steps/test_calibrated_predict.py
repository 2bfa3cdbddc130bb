"""A bundle's calibration is in force in prediction: in timeline, key frames and the recording's label."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import BundleError
from sonoplane.inference.timeline import softmax
from sonoplane.metrics.abstention import Threshold
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.metrics.ood import Likeness
from sonoplane.models.bundle import Bundle, add_files
from sonoplane.report.findings_json import read
from sonoplane.steps.predict import predict_all
from sonoplane.steps.recipe import layered

LOOSE = {"keyframes": {"min_probability": 0.0, "min_run": 1}}


def with_calibration(bundle: Bundle, folder: Path, **changes: object) -> Bundle:
    shutil.copytree(bundle.folder, folder)
    made = replace(Calibration(classes=bundle.card.classes), **changes)
    return add_files(Bundle.load(folder), {"calibration.json": json.dumps(made.to_dict()).encode()})


def numbers(path: Path, first: int) -> np.ndarray:
    with path.open(encoding="utf-8") as file:
        return np.array([[float(cell) for cell in row[first:]] for row in list(csv.reader(file))[1:]])


def answered(bundle: Bundle, sweeps: Path, out: Path, **findings: object) -> Path:
    recipe = layered(LOOSE, {"findings": findings})
    done = predict_all([sorted(sweeps.iterdir())[1]], bundle=bundle, out=out, recipe=recipe, logits=True)
    assert done.failures == ()
    return out / done.done[0].recording


def threshold(value: float) -> Threshold:
    return Threshold(
        wished=0.9, cautious=True, value=value, precision=0.95, low=0.9, coverage=0.8, n=60, n_patients=40
    )


def test_probabilities_are_calibrated_and_logits_are_raw(
    bundle: Bundle, sweeps: Path, tmp_path: Path
) -> None:
    hot = with_calibration(bundle, tmp_path / "hot", kind="temperature", temperature=4.0)
    plain, soft = (answered(each, sweeps, tmp_path / each.folder.name) for each in (bundle, hot))
    logits = numbers(soft / "logits.csv", 2)
    assert np.array_equal(logits, numbers(plain / "logits.csv", 2))
    said = numbers(soft / "timeline.csv", 4)
    assert np.allclose(said, softmax(logits / 4), atol=2e-5)
    assert np.array_equal(said.argmax(axis=1), numbers(plain / "timeline.csv", 4).argmax(axis=1))
    found = read(soft / "findings.json")
    assert found["keyframes"]
    for keyframe in found["keyframes"]:
        place = found["classes"].index(keyframe["label"])
        assert keyframe["probability"] == pytest.approx(said[keyframe["frame"], place], abs=1e-5)


def test_a_recording_may_be_unknown(bundle: Bundle, sweeps: Path, tmp_path: Path) -> None:
    strict = with_calibration(bundle, tmp_path / "strict", thresholds=(threshold(0.999),))
    told, silent = (
        answered(strict, sweeps, tmp_path / name, **findings)
        for name, findings in (("told", {"precision": 0.9}), ("silent", {}))
    )
    found = read(told / "findings.json")
    assert found["recording_label"]["label"] == "unknown"
    assert any("is the likeliest with" in warning for warning in found["warnings"])
    assert "It is not sure enough to say" in (told / "report.html").read_text(encoding="utf-8")
    assert read(silent / "findings.json")["recording_label"]["label"] in bundle.card.classes


def test_frames_unlike_any_make_it_unknown_where_a_precision_is_wished_and_are_always_told(
    bundle: Bundle, sweeps: Path, tmp_path: Path
) -> None:
    likeness = Likeness(score="energy", threshold=1e3, accepted=0.95, n_frames=99, n_patients=9)
    strange = with_calibration(bundle, tmp_path / "strange", likeness=likeness)
    for name, wished in (("unknown", {"precision": 0.9}), ("given", {})):
        found = read(answered(strange, sweeps, tmp_path / name, **wished) / "findings.json")
        assert (found["recording_label"]["label"] == "unknown") is (name == "unknown")
        assert any("look unlike" in warning for warning in found["warnings"])


def test_without_a_threshold_it_answers_and_says_so(bundle: Bundle, sweeps: Path, tmp_path: Path) -> None:
    found = read(answered(bundle, sweeps, tmp_path / "out", precision=0.9) / "findings.json")
    assert found["recording_label"]["label"] in bundle.card.classes
    assert any("has no threshold for that" in warning for warning in found["warnings"])


def test_a_broken_calibration_stops_before_any_answer(bundle: Bundle, sweeps: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle.folder, tmp_path / "broken")
    broken = add_files(Bundle.load(tmp_path / "broken"), {"calibration.json": b'{"format": 9}'})
    with pytest.raises(BundleError, match="format 9"):
        predict_all([sweeps], bundle=broken, out=tmp_path / "out", recipe=layered({}))
