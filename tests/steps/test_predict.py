import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.inference.backends import open_backend
from sonoplane.models.bundle import Bundle
from sonoplane.models.card import FixedCrop
from sonoplane.report.findings_json import validate
from sonoplane.steps.predict import predict, predict_all
from sonoplane.steps.recipe import Recipe, layered
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomExam


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def out(sweeps: Path, bundle: Bundle, tmp_path: Path) -> Path:
    recipe = layered({"keyframes": {"min_probability": 0.0, "min_run": 1}})
    predict_all([sweeps], bundle=bundle, out=tmp_path / "out", recipe=recipe, logits=True)
    return tmp_path / "out"


def test_every_recording_gets_the_files_of_the_contract(out: Path, exams: list[PhantomExam]) -> None:
    for exam in exams:
        folder = out / exam.id
        findings = json.loads((folder / "findings.json").read_text())
        validate(findings)
        assert findings["frames"] == 24
        assert findings["fps"] == pytest.approx(25)
        assert [segment["stop"] for segment in findings["segments"]][-1] == 24
        assert len(rows(folder / "timeline.csv")) == len(rows(folder / "logits.csv")) == 24
        assert all((folder / keyframe["image"]).is_file() for keyframe in findings["keyframes"])
        assert (folder / "report.html").is_file()
    assert (out / "index.html").is_file()
    assert rows(out / "failures.csv") == []


def test_planes_are_either_found_or_missing(out: Path, bundle: Bundle) -> None:
    for path in out.glob("*/findings.json"):
        findings = json.loads(path.read_text())
        planes = findings["planes"]
        assert sorted(planes["found"] + planes["missing"]) == sorted(bundle.card.protocol)
        assert {keyframe["label"] for keyframe in findings["keyframes"]} == set(planes["found"])


def test_no_name_id_or_date_of_the_patient_is_in_the_output(out: Path, exams: list[PhantomExam]) -> None:
    written = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    for exam in exams:
        for secret in (
            exam.banner.name,
            exam.banner.name.replace("^", " "),
            exam.banner.patient_id,
            exam.date,
        ):
            assert secret.encode() not in written
    assert str(out.parent).encode() not in written


def test_the_batch_size_does_not_change_an_answer(sweeps: Path, bundle: Bundle) -> None:
    recording = open_recording(next(iter(sorted(sweeps.glob("*.dcm")))), recording_id="sweep")
    timelines = [
        predict(
            recording,
            bundle=bundle,
            backend=open_backend(bundle, "torch"),
            recipe=layered({"run": {"batch": batch}}),
        )[1]
        for batch in (1, 7)
    ]
    assert np.allclose(timelines[0].logits, timelines[1].logits, atol=1e-4)


def test_one_bad_file_does_not_end_the_batch(sweeps: Path, bundle: Bundle, tmp_path: Path) -> None:
    good = min(sweeps.glob("*.dcm"))
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "cut.dcm").write_bytes(good.read_bytes()[:20_000])
    paths = [tmp_path / "empty.mp4", good, tmp_path / "cut.dcm"]
    predicted = predict_all(paths, bundle=bundle, out=tmp_path / "out", recipe=Recipe())
    assert [entry.recording for entry in predicted.done] == [good.stem]
    failures = rows(tmp_path / "out" / "failures.csv")
    assert sorted(row["recording"] for row in failures) == ["cut", "empty"]
    assert all(row["reason"].endswith(".") and row["what_to_do"] for row in failures)


def test_a_folder_without_recordings_is_told(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with pytest.raises(UsageError, match="No recording"):
        predict_all([tmp_path / "source"], bundle=bundle, out=tmp_path / "out", recipe=Recipe())


def test_a_second_run_lists_the_first_and_replaces_only_results_of_the_same_recording(
    sweeps: Path, bundle: Bundle, tmp_path: Path
) -> None:
    one, other = sorted(sweeps.glob("*.dcm"))[:2]
    for folder, source in (("a", one), ("b", other)):
        (tmp_path / folder).mkdir()
        shutil.copy(source, tmp_path / folder / "IM0001")
    out = tmp_path / "out"
    for path in ("a/IM0001", "a/IM0001", "b/IM0001"):
        predict_all([tmp_path / path], bundle=bundle, out=out, recipe=Recipe())
    folders = sorted(path.parent.name for path in out.glob("*/findings.json"))
    assert len(folders) == 2
    assert folders[0] == "IM0001"
    assert folders[1].startswith("IM0001-")
    assert all(f"{name}/report.html" in (out / "index.html").read_text() for name in folders)


def test_results_inside_the_source_are_not_predicted_again(
    sweeps: Path, bundle: Bundle, tmp_path: Path
) -> None:
    shutil.copy(min(sweeps.glob("*.dcm")), tmp_path / "sweep.dcm")
    for _ in range(2):
        predicted = predict_all([tmp_path], bundle=bundle, out=tmp_path / "out", recipe=Recipe())
        assert ([entry.recording for entry in predicted.done], predicted.failures) == (["sweep"], ())


def test_an_out_that_cannot_take_results_is_told_before_any_work(
    sweeps: Path, bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(UsageError, match="'out' cannot take the results"):
        predict_all([sweeps], bundle=bundle, out=tmp_path / "out", recipe=Recipe())


def test_a_card_whose_crop_is_for_other_frames_is_told_in_the_findings(
    sweeps: Path, bundle: Bundle, tmp_path: Path
) -> None:
    crop = FixedCrop(rows=(10, 40), columns=(5, 50), frame=(60, 70))
    cropping = dataclasses.replace(bundle, card=dataclasses.replace(bundle.card, crop=crop))
    recording = open_recording(min(sweeps.glob("*.dcm")), recording_id="sweep")
    findings, _ = predict(recording, bundle=cropping, backend=open_backend(bundle, "torch"), recipe=Recipe())
    assert any("crop is not for frames of 160 x 200" in warning for warning in findings.warnings)
