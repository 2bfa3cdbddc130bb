import csv
import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from sonoplane.clips.labels import write_labels
from sonoplane.errors import UsageError
from sonoplane.frames.archive import open_archive
from sonoplane.frames.layout_toml import layout_values
from sonoplane.inference.backends import open_backend
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import FixedCrop
from sonoplane.models.registry import build, load_network, network_spec, weights_of
from sonoplane.models.score_maps import ScoreMapNetwork
from sonoplane.records import Frame, Recording
from sonoplane.report.findings_json import validate
from sonoplane.steps.layouts import known_layouts
from sonoplane.steps.predict import predict, predict_all
from sonoplane.steps.prepare import prepare
from sonoplane.steps.private import open_private
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


@pytest.fixture(scope="module")
def clips(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small 3D SonoNet that has learned nothing, as if from clips of six frames."""
    spec = network_spec("sononet3d-2", n_classes=len(bundle.card.classes))
    return save_bundle(
        tmp_path_factory.mktemp("bundles") / "clips",
        name="clips",
        version="1",
        spec=spec,
        card=bundle.card,
        weights=weights_of(build(spec, seed=1)),
        recipe={"run": {"clip_length": 6}},
    )


def test_what_a_3d_network_sees_of_a_source_file_is_what_the_archive_holds(
    clips: Bundle, sweeps: Path, exams: list[PhantomExam], tmp_path: Path
) -> None:
    write_labels(tmp_path / "planes.csv", [row for exam in exams for row in exam.labels])
    prepare(
        [sweeps],
        tmp_path / "archive",
        labels={"planes": tmp_path / "planes.csv"},
        recipe=layered({"input": {"height": 32, "width": 48}}),
    )
    store = open_archive(tmp_path / "archive")
    trained = {
        **clips.recipe,
        "region": store.settings["region"],
        "layout": [layout_values(layout) for layout in known_layouts(store)],
    }
    mapping = open_private(tmp_path / "archive").sources
    network = load_network(clips)
    assert isinstance(network, ScoreMapNetwork)
    backend = open_backend(clips, "torch")
    for source in sorted(sweeps.iterdir()):
        held = clips.card.values(store.read(mapping[source.stem].archive_id))
        indices = np.maximum(0, np.arange(len(held))[:, None] + np.arange(-5, 1))
        with torch.inference_mode():
            expected = {
                "clip": network(torch.from_numpy(held[indices]).transpose(1, 2)),
                "dense": network.dense(torch.from_numpy(held).transpose(0, 1)[None])[0],
            }
        for mode, logits in expected.items():
            recipe = layered(trained, {"run": {"mode": mode}})
            recording = open_recording(source, recording_id=source.stem)
            findings, timeline = predict(recording, bundle=clips, backend=backend, recipe=recipe)
            assert np.abs(logits.numpy() - timeline.logits).max() < 1e-5
            assert findings.n_frames == findings.segments[-1].stop == len(held)


@pytest.mark.parametrize("mode", ["clip", "dense"])
def test_findings_say_how_the_network_was_run(mode: str, clips: Bundle, sweeps: Path, tmp_path: Path) -> None:
    recipe = layered(clips.recipe, {"run": {"mode": mode, "clip_step": 2}})
    predict_all([min(sweeps.glob("*.dcm"))], bundle=clips, out=tmp_path, recipe=recipe)
    findings = json.loads(next(tmp_path.glob("*/findings.json")).read_text())
    run = findings["settings"]["run"]
    assert (run["mode"], run["clip_length"], run["clip_step"]) == (mode, 6, 2)
    assert findings["warnings"] == []


def test_findings_of_a_network_of_single_frames_say_nothing_of_clips(out: Path) -> None:
    findings = json.loads(next(out.glob("*/findings.json")).read_text())
    assert findings["settings"]["run"] == {"batch": 8, "threads": 0, "precision": "float32"}


@pytest.mark.parametrize(("mode", "needed"), [("clip", 6), ("dense", 5)])
def test_a_recording_shorter_than_the_network_looks_is_answered_and_told(
    mode: str, needed: int, clips: Bundle, exams: list[PhantomExam]
) -> None:
    recipe = layered(clips.recipe, {"run": {"mode": mode}})
    backend = open_backend(clips, "torch", recipe.run)
    for n_frames in (1, 4):
        short = dataclasses.replace(exams[0].recording, source=First(exams[0].recording, n_frames))
        findings, timeline = predict(short, bundle=clips, backend=backend, recipe=recipe)
        assert timeline.n_frames == n_frames
        assert np.isfinite(timeline.logits).all()
        assert any(f"the network looks at {needed}" in warning for warning in findings.warnings)


@dataclasses.dataclass(frozen=True)
class First:
    """The first frames of a recording."""

    recording: Recording
    n_frames: int

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        return self.recording.frames(start, min(self.n_frames, stop or self.n_frames))
