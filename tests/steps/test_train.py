import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoplane.clips.labels import write_labels
from sonoplane.errors import LabelError, SplitError, UsageError
from sonoplane.frames.archive import open_archive
from sonoplane.inference.backends import open_backend
from sonoplane.models.bundle import Bundle
from sonoplane.models.registry import build, weights_of
from sonoplane.steps.predict import predict
from sonoplane.steps.prepare import prepare
from sonoplane.steps.private import open_private
from sonoplane.steps.recipe import layered
from sonoplane.steps.train import recipe_for, train
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


def test_training_moves_weights_and_the_statistics_of_batch_norm(trained: Bundle) -> None:
    drawn = weights_of(build(trained.spec, seed=layered(SMALL).training.seed))
    learned = trained.weights()
    assert any("running_mean" in name for name in learned)
    assert all(not np.array_equal(learned[name], drawn[name]) for name in learned)


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
    mapping = open_private(archive).sources
    backend = open_backend(trained, "torch")
    for source in sorted(sweeps.iterdir()):
        name = mapping[source.stem].archive_id
        recording = open_recording(source, recording_id=source.stem)
        _, timeline = predict(recording, bundle=trained, backend=backend, recipe=layered(trained.recipe))
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
    assert any("1 rows are for recordings that are absent" in note for note in prepared.notes)


def test_metrics_are_plain_json(trained: Bundle) -> None:
    assert json.loads((trained.folder / "metrics.json").read_text()) == trained.metrics


def test_prediction_cleans_frames_as_the_archive_was_cleaned(
    sweeps: Path, labels: Path, tmp_path: Path
) -> None:
    recipe = layered(SMALL, {"region": {"margin_px": 7}})
    prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=recipe)
    trained = train(tmp_path / "a", task="planes", out=tmp_path / "b", recipe=layered(SMALL))
    assert trained.recipe["region"]["margin_px"] == 7


def test_the_same_seed_splits_the_same_patients_whatever_the_key(
    sweeps: Path, labels: Path, tmp_path: Path
) -> None:
    splits = []
    for name in ("a", "b"):
        prepare([sweeps], tmp_path / name, labels={"planes": labels}, recipe=layered(SMALL))
        mapping = open_private(tmp_path / name).sources
        store = open_archive(tmp_path / name)
        splits.append({source: store.entry(known.archive_id).split for source, known in mapping.items()})
    assert splits[0] == splits[1]
    assert open_private(tmp_path / "a").pseudonyms.of("x", "y") != open_private(tmp_path / "b").pseudonyms.of(
        "x", "y"
    )


def test_going_on_with_an_archive_keeps_its_labels_its_mapping_and_its_split(
    sweeps: Path, labels: Path, exams: list[PhantomExam], tmp_path: Path
) -> None:
    paths = sorted(sweeps.iterdir())
    archive = tmp_path / "a"
    prepare(paths[:4], archive, labels={"planes": labels}, recipe=layered(SMALL))
    before = {entry.id: entry.split for entry in open_archive(archive).entries}
    prepare(paths[4:], archive, labels={"planes": labels}, recipe=layered(SMALL))
    store = open_archive(archive)
    assert len(store) == len(open_private(archive).sources) == 6
    assert before.items() <= {entry.id: entry.split for entry in store.entries}.items()
    assert {row.recording for row in store.labels("planes")} == {entry.id for entry in store.entries}


def test_an_archive_without_its_key_is_not_gone_on_with(sweeps: Path, labels: Path, tmp_path: Path) -> None:
    prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    shutil.rmtree(tmp_path / "a-private")
    with pytest.raises(UsageError, match="its key is not beside it"):
        prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))


def test_another_recording_under_a_known_name_is_a_failure_that_is_listed(
    sweeps: Path, labels: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(sweeps, tmp_path / "source"))
    prepare([source], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    one, other = sorted(source.glob("*.dcm"))[:2]
    shutil.copy(other, one)
    prepared = prepare([source], tmp_path / "a", labels={"planes": labels}, recipe=layered(SMALL))
    assert [failure.recording for failure in prepared.failures] == [one.stem]
    assert one.stem in (tmp_path / "a-private" / "failures.csv").read_text()


def test_labels_past_the_last_frame_are_told_and_recordings_that_were_stored_stay(
    sweeps: Path, exams: list[PhantomExam], tmp_path: Path
) -> None:
    rows = [row for exam in exams for row in exam.labels]
    rows[-1] = replace(rows[-1], stop=99)
    write_labels(tmp_path / "planes.csv", rows)
    tables = {"planes": tmp_path / "planes.csv"}
    with pytest.raises(LabelError, match=f"row {len(rows) + 1}.*ends after 24 frames"):
        prepare([sweeps], tmp_path / "a", labels=tables, recipe=layered(SMALL))
    assert len(open_archive(tmp_path / "a")) == 6


def test_a_patient_that_only_one_of_two_tables_tells_is_known_in_any_order(
    sweeps: Path, exams: list[PhantomExam], tmp_path: Path
) -> None:
    mp4s = sorted(sweeps.glob("*.mp4"))
    named = [row for exam in exams for row in exam.labels]
    write_labels(tmp_path / "named.csv", named)
    write_labels(tmp_path / "bare.csv", [replace(row, patient=None) for row in named])
    for order in (("named", "bare"), ("bare", "named")):
        tables = {name: tmp_path / f"{name}.csv" for name in order}
        prepared = prepare(mp4s, tmp_path / "-".join(order), labels=tables, recipe=layered(SMALL))
        assert prepared.n_patients == 3


def test_training_that_cannot_be_saved_is_refused_before_it_begins(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").touch()
    with pytest.raises(UsageError, match="holds other files"):
        train(archive, task="planes", out=tmp_path / "b", recipe=layered(SMALL))


def test_a_trained_bundle_is_replaced_only_when_that_is_asked_for(archive: Path, trained: Bundle) -> None:
    with pytest.raises(UsageError, match="--overwrite"):
        train(archive, task="planes", out=trained.folder, recipe=layered(SMALL))


def test_training_that_diverges_is_told_and_leaves_no_bundle(archive: Path, tmp_path: Path) -> None:
    wild = {"training": {"learning_rate": 1e30, "optimizer": "sgd"}}
    with pytest.raises(UsageError, match="diverged"):
        train(archive, task="planes", out=tmp_path / "b", recipe=layered(SMALL, wild))
    assert not (tmp_path / "b").exists()


def test_an_input_too_small_for_the_network_is_told(sweeps: Path, labels: Path, tmp_path: Path) -> None:
    recipe = layered(SMALL, {"network": {"name": "smallnet"}})
    prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=recipe)
    with pytest.raises(UsageError, match="too small"):
        train(tmp_path / "a", task="planes", out=tmp_path / "b", recipe=recipe)


def test_sub_sampling_chooses_training_frames_and_stores_all(
    sweeps: Path, labels: Path, tmp_path: Path
) -> None:
    recipe = layered(SMALL, {"subsample": {"method": "every", "every": 6}})
    prepare([sweeps], tmp_path / "a", labels={"planes": labels}, recipe=recipe)
    store = open_archive(tmp_path / "a")
    for entry in store.entries:
        assert entry.n_frames == 24
        assert store.subsample(entry.id).tolist() == [0, 6, 12, 18]
    trained = train(tmp_path / "a", task="planes", out=tmp_path / "b", recipe=recipe)
    assert trained.recipe["subsample"] == {"method": "every", "every": 6, "frames": 64}


def test_the_input_is_the_archives_unless_another_is_asked_for(archive: Path) -> None:
    assert (recipe_for(archive).input.height, recipe_for(archive).input.width) == (32, 48)
    assert recipe_for(archive, {"input": {"height": 64}}).input.height == 64


@pytest.mark.parametrize("dense", [False, True])
def test_clips_are_learned_and_so_are_their_frames(archive: Path, tmp_path: Path, dense: bool) -> None:
    clips = {
        "network": {"name": "sononet3d-2"},
        "windows": {"length": 6, "stride": 3, "policy": "majority"},
        "training": {"dense": dense, "epochs": 1, "every": 1},
    }
    bundle = train(archive, task="planes", out=tmp_path / "b", recipe=layered(SMALL, clips))
    validation = (bundle.metrics or {})["validation"]
    assert ("frame_accuracy" if dense else "clip_accuracy") in validation
    assert sum(map(sum, validation["confusion"])) == sum(validation["labels"]) > 0


def test_a_training_that_starts_from_a_bundle_keeps_no_path(
    archive: Path, trained: Bundle, tmp_path: Path
) -> None:
    start = {"network": {"start": str(trained.folder), "trained": "head"}, "training": {"epochs": 1}}
    bundle = train(archive, task="planes", out=tmp_path / "b", recipe=layered(SMALL, start))
    assert bundle.recipe["network"]["start"] == trained.folder.name
    given, kept = trained.weights(), bundle.weights()
    assert np.array_equal(given["blocks.4.2.0.norm.running_mean"], kept["blocks.4.2.0.norm.running_mean"])
    assert not np.array_equal(given["head.0.0.conv.weight"], kept["head.0.0.conv.weight"])
