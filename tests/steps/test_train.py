import json
from dataclasses import replace
from pathlib import Path

import pytest

from sonoplane.clips.labels import write_labels
from sonoplane.errors import LabelError, SplitError, UsageError
from sonoplane.frames.archive import open_archive
from sonoplane.inference.backends import open_backend
from sonoplane.models.bundle import Bundle
from sonoplane.steps.predict import predict
from sonoplane.steps.prepare import prepare
from sonoplane.steps.recipe import Recipe, layered
from sonoplane.steps.train import train
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomExam

SMALL = {
    "input": {"height": 32, "width": 48},
    "network": {"name": "sononet2d-4"},
    "training": {"epochs": 2, "batch": 8, "every": 2},
    "split": {"train": 0.5, "validation": 0.25, "test": 0.25},
}


@pytest.fixture(scope="module")
def labels(exams: list[PhantomExam], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "planes.csv"
    write_labels(path, [row for exam in exams for row in exam.labels])
    return path


@pytest.fixture(scope="module")
def archive(sweeps: Path, labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("archives") / "archive"
    prepared = prepare([sweeps], out, labels={"planes": labels}, recipe=layered(SMALL))
    assert (prepared.n_done, prepared.n_patients, prepared.failures) == (6, 6, ())
    assert set(prepared.parts) == {"train", "validation", "test"}
    return out


@pytest.fixture(scope="module")
def trained(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return train(archive, task="planes", out=tmp_path_factory.mktemp("b") / "liver", recipe=layered(SMALL))


def test_training_leaves_a_bundle_with_its_recipe_and_how_well_it_did(trained: Bundle) -> None:
    assert Bundle.load(trained.folder).sha256 == trained.sha256
    assert trained.recipe["training"]["epochs"] == 2
    assert trained.card.background == "background"
    metrics = trained.metrics
    assert metrics is not None
    assert 0 <= metrics["validation"]["frame_accuracy"]["value"] <= 1
    assert metrics["best_epoch"] in (1, 2)
    assert len(metrics["history"]) == 2


def test_the_same_seed_trains_the_same_weights(archive: Path, trained: Bundle, tmp_path: Path) -> None:
    again = train(archive, task="planes", out=tmp_path / "again", recipe=layered(SMALL))
    other = train(
        archive, task="planes", out=tmp_path / "other", recipe=layered(SMALL, {"training": {"seed": 1}})
    )
    weights = {name: array.tobytes() for name, array in trained.weights().items()}
    assert weights == {name: array.tobytes() for name, array in again.weights().items()}
    assert weights != {name: array.tobytes() for name, array in other.weights().items()}


def test_what_prediction_sees_of_a_source_file_is_what_the_archive_holds(
    archive: Path, trained: Bundle, sweeps: Path
) -> None:
    """The law that lets a figure on the archive speak for the clinic: the path measured is the path that serves."""
    store = open_archive(archive)
    mapping = (archive.parent / "archive-private" / "recordings.csv").read_text().split()[1:]
    backend = open_backend(trained, "torch")
    for source in sorted(sweeps.iterdir()):
        name = next(row.split(",")[1] for row in mapping if row.startswith(f"{source.stem},"))
        recording = open_recording(source, recording_id=source.stem)
        _, timeline = predict(recording, bundle=trained, backend=backend, recipe=Recipe())
        logits = backend(trained.card.values(store.read(name)))
        assert abs(logits - timeline.logits).max() < 1e-4


def test_the_archive_names_no_patient(archive: Path, exams: list[PhantomExam]) -> None:
    held = b"".join(path.read_bytes() for path in archive.rglob("*") if path.is_file())
    for exam in exams:
        for secret in (exam.id, exam.banner.name, exam.banner.patient_id):
            assert secret.encode() not in held


def test_a_second_prepare_does_nothing(archive: Path, sweeps: Path, labels: Path) -> None:
    files = {path: path.stat().st_mtime_ns for path in (archive / "recordings").rglob("*") if path.is_file()}
    prepare([sweeps], archive, labels={"planes": labels}, recipe=layered(SMALL))
    assert files == {path: path.stat().st_mtime_ns for path in files}


def test_another_input_size_than_the_archives_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="another input size"):
        train(archive, task="planes", out=tmp_path / "b", recipe=layered(SMALL, {"input": {"height": 64}}))


def test_an_unknown_task_is_told_with_the_known_ones(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="It has: planes"):
        train(archive, task="zone", out=tmp_path / "b", recipe=layered(SMALL))


def test_a_patient_in_two_fixed_parts_stops_prepare(
    sweeps: Path, exams: list[PhantomExam], tmp_path: Path
) -> None:
    parts = ["train", "validation", "test"] * 2
    rows = [
        replace(row, split=part, patient="p00")
        for exam, part in zip(exams, parts, strict=True)
        for row in exam.labels
    ]
    write_labels(tmp_path / "planes.csv", rows)
    with pytest.raises(SplitError, match="give each patient one split"):
        prepare([sweeps], tmp_path / "a", labels={"planes": tmp_path / "planes.csv"}, recipe=layered(SMALL))
    assert not (tmp_path / "a").exists()


def test_labels_of_absent_recordings_are_told_and_the_rest_is_kept(
    sweeps: Path, exams: list[PhantomExam], tmp_path: Path
) -> None:
    rows = [
        *(row for exam in exams for row in exam.labels),
        replace(exams[0].labels[0], recording="elsewhere"),
    ]
    write_labels(tmp_path / "planes.csv", rows)
    prepared = prepare(
        [sweeps], tmp_path / "a", labels={"planes": tmp_path / "planes.csv"}, recipe=layered(SMALL)
    )
    assert prepared.n_done == 6
    assert "1 label rows of 'planes' are for recordings that are absent." in prepared.notes


def test_metrics_are_plain_json(trained: Bundle) -> None:
    assert json.loads((trained.folder / "metrics.json").read_text()) == trained.metrics
