import csv
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import tomli_w

from sonoplane.clips.folds import HELD_OUT, parts_of_fold
from sonoplane.clips.labels import write_labels
from sonoplane.clips.splits import audit
from sonoplane.errors import UsageError
from sonoplane.frames.archive import open_archive
from sonoplane.inference.backends import open_backend
from sonoplane.inference.smoothing_transitions import transitions_of
from sonoplane.models.bundle import Bundle
from sonoplane.records import Label
from sonoplane.steps.archived import timeline_of
from sonoplane.steps.folds import folds_of, train_folds
from sonoplane.steps.learning import learn
from sonoplane.steps.material import read_material
from sonoplane.steps.out_of_fold import has_answers
from sonoplane.steps.predict import predict_all
from sonoplane.steps.prepare import prepare
from sonoplane.steps.recipe import layered
from sonoplane.video.phantom import PhantomExam

SMALL: dict[str, dict[str, Any]] = {
    "input": {"height": 32, "width": 48},
    "network": {"name": "sononet2d-2"},
    "training": {"epochs": 2, "batch": 8, "cache_gb": 0.1, "workers": 0},
    "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
    "tracking": {"trackers": []},
    "store": {"sheet": False},
}


@pytest.fixture(scope="module")
def archive(sweeps: Path, exams: list[PhantomExam], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Planes frame by frame, but of the first patient; a label for every recording; two are of one patient."""
    folder = tmp_path_factory.mktemp("folds")
    whose = {exam.id: exam.patient for exam in exams} | {exams[place].id: "twice" for place in (1, 3)}
    tables = {"planes": [replace(row, patient=whose[exam.id]) for exam in exams[1:] for row in exam.labels]}
    tables["halves"] = [
        Label(recording=exam.id, label="left" if index % 2 else "right", patient=whose[exam.id])
        for index, exam in enumerate(exams)
    ]
    for name, rows in tables.items():
        write_labels(folder / f"{name}.csv", rows)
    labels = {name: folder / f"{name}.csv" for name in tables}
    prepare([sweeps], folder / "a", labels=labels, recipe=layered(SMALL))
    return folder / "a"


@pytest.fixture(scope="module")
def trained(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("t") / "three"
    return train_folds(archive, task="planes", out=out, n_folds=3, recipe=layered(SMALL))


def test_it_leaves_one_bundle_a_fold_in_one_that_holds_them_and_nothing_else(trained: Bundle) -> None:
    assert [member.name for member in trained.members] == ["three-fold-1", "three-fold-2", "three-fold-3"]
    assert Bundle.load(trained.folder) == trained
    assert [path.name for path in trained.folder.parent.iterdir()] == ["three"]
    for member in trained.members:
        assert {"history.csv", "train.log", "history.png"} <= member.hashes.keys()
    drawn = {member.weights()["blocks.0.0.0.conv.weight"].tobytes() for member in trained.members}
    assert len(drawn) == 3


def test_every_recording_outside_the_test_part_is_answered_and_every_frame_of_it(
    archive: Path, trained: Bundle
) -> None:
    store = open_archive(archive)
    there = {entry.id: entry.n_frames for entry in store.entries if entry.split != "test"}
    assert 0 < len(there) < len(store)
    frames = pl.read_csv(trained.folder / "out_of_fold.csv")
    assert dict(frames.group_by("recording").len().iter_rows()) == there
    assert frames.columns[:7] == ["recording", "fold", "frame", "time_s", "target", "label", "probability"]
    assert tuple(frames.columns[7:]) == trained.card.classes
    assert frames["target"].null_count() >= 24, "a patient without labels is answered, too"
    recordings = pl.read_csv(trained.folder / "out_of_fold_recordings.csv")
    assert set(recordings["recording"]) == set(there)
    assert [store.entry(name).patient for name in recordings["recording"]] == recordings["patient"].to_list()


def test_the_ensemble_smooths_as_its_members_do(trained: Bundle) -> None:
    ensemble, *members = (transitions_of(bundle) for bundle in (trained, *trained.members))
    assert ensemble is not None
    assert all(member is not None and member.classes == ensemble.classes for member in members)


def test_weights_that_have_seen_the_archive_begin_no_fold(
    archive: Path, trained: Bundle, tmp_path: Path
) -> None:
    recipe = layered(SMALL, {"network": {"start": str(trained.members[0].folder)}})
    with pytest.raises(UsageError, match="was trained on this archive"):
        train_folds(archive, task="planes", out=tmp_path / "b", n_folds=3, recipe=recipe)
    assert not list(tmp_path.iterdir())


def test_a_folder_of_the_users_own_is_left_alone(archive: Path, tmp_path: Path) -> None:
    mine = tmp_path / "b.folds" / "mine.csv"
    mine.parent.mkdir()
    mine.touch()
    for restart in (False, True):
        with pytest.raises(UsageError, match="no cross-validation's"):
            train_folds(
                archive, task="planes", out=tmp_path / "b", n_folds=3, recipe=layered(SMALL), restart=restart
            )
    assert mine.exists()


def test_clips_that_leave_a_fold_nothing_to_learn_are_refused_before_any_training(
    archive: Path, tmp_path: Path
) -> None:
    recipe = layered(SMALL, {"network": {"name": "sononet3d-2"}, "windows": {"length": 200}})
    with pytest.raises(UsageError, match="For fold 1, no labelled"):
        train_folds(archive, task="planes", out=tmp_path / "b", n_folds=3, recipe=recipe)
    assert not list(tmp_path.iterdir())


def test_answers_that_are_damaged_are_not_taken_for_answers(tmp_path: Path) -> None:
    path = tmp_path / "fold-1.npz"
    assert not has_answers(path)
    kept = {kind: np.zeros((3, 2)) for kind in ("logits", "probabilities", "numbers")}
    np.savez(path, names=["a"], lengths=[3], **kept)
    assert has_answers(path)
    path.write_bytes(path.read_bytes()[:-30])
    assert not has_answers(path)
    path.write_bytes(b"")
    assert not has_answers(path)


def test_the_labels_of_a_fold_do_not_reach_its_own_network(archive: Path, tmp_path: Path) -> None:
    recipe = layered(SMALL, {"training": {"epochs": 1}})
    material = read_material(archive, "planes", recipe)
    parts = parts_of_fold(folds_of(material, n_folds=3, seed=0), 1)
    lied = {
        name: (targets + 1) % len(material.classes) if parts.get(name) == HELD_OUT else targets
        for name, targets in material.targets.items()
    }
    weights, others = (
        learn(
            replace(material, targets=targets),
            parts,
            out=tmp_path / name,
            name=name,
            tracking=tmp_path / f"{name}.tracking",
            recipe=recipe,
        )
        for name, targets in (("true", material.targets), ("lied", lied))
    )
    assert weights.weights().keys() == others.weights().keys()
    assert all(np.array_equal(array, others.weights()[key]) for key, array in weights.weights().items())
    assert weights.calibration == others.calibration


def test_each_recording_is_answered_by_the_bundle_that_held_it_out(archive: Path, trained: Bundle) -> None:
    store, recipe = open_archive(archive), layered(trained.recipe)
    folds = folds_of(read_material(archive, "planes", layered(SMALL)), n_folds=3, seed=0)
    frames = pl.read_csv(trained.folder / "out_of_fold.csv")
    for name, fold in folds.items():
        member = trained.members[fold - 1]
        backend = open_backend(member, "torch", recipe.run)
        timeline = timeline_of(store, name, bundle=member, backend=backend, recipe=recipe)
        mine = frames.filter(pl.col("recording") == name)
        assert set(mine["fold"]) == {fold}
        told = mine.select(trained.card.classes).to_numpy()
        assert np.abs(told - timeline.probabilities).max() < 1e-5


def test_e10_folds_are_of_patients_and_no_fold_chooses_its_own_epoch(archive: Path) -> None:
    """There, folds were of videos, and the best epoch of a fold was the one that did best on it."""
    material = read_material(archive, "planes", layered(SMALL))
    several = Counter(material.patients[name] for name in folds_of(material, n_folds=3, seed=0))
    assert max(several.values()) == 2
    for seed in range(5):
        folds = folds_of(material, n_folds=3, seed=seed)
        for fold in (1, 2, 3):
            parts = parts_of_fold(folds, fold)
            audit(parts, {name: material.patients[name] for name in parts})
            assert {name for name in folds if folds[name] == fold} == {
                name for name, part in parts.items() if part == HELD_OUT
            }


def test_the_figures_are_those_of_the_table(trained: Bundle) -> None:
    scores = (trained.metrics or {})["out_of_fold"]
    with (trained.folder / "out_of_fold.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["target"]]
    right = [row["target"] == row["label"] for row in rows]
    assert scores["frame_accuracy"]["value"] == pytest.approx(np.mean(right))
    assert np.sum(scores["confusion"]) == len(rows)
    each = scores["folds"]
    assert [fold["fold"] for fold in each] == [1, 2, 3]
    assert np.array_equal(np.sum([fold["confusion"] for fold in each], axis=0), scores["confusion"])
    assert sum(fold["recordings"] for fold in each) == scores["recordings"]
    assert all(fold["best_epoch"] in (1, 2) for fold in each)
    assert {
        "confusion.png",
        "confusion.svg",
        "confusion-folds.png",
        "confusion-folds.svg",
    } <= trained.hashes.keys()
    page = (trained.folder / "MODEL_CARD.md").read_text()
    assert "Out-of-fold" in page
    assert scores["frame_accuracy"]["text"] in page


def test_where_recordings_have_labels_they_are_scored_too_and_what_was_damaged_begins_anew(
    archive: Path, tmp_path: Path
) -> None:
    work = tmp_path / "b.folds"
    (work / "fold-1").mkdir(parents=True)
    (work / "folds.json").write_text("{}")
    recipe = layered(SMALL, {"training": {"epochs": 1, "every": 6}})
    with pytest.raises(UsageError, match="--restart"):
        train_folds(archive, task="halves", out=tmp_path / "b", n_folds=3, recipe=recipe)
    bundle = train_folds(archive, task="halves", out=tmp_path / "b", n_folds=3, recipe=recipe, restart=True)
    scores = (bundle.metrics or {})["out_of_fold"]
    recordings = pl.read_csv(bundle.folder / "out_of_fold_recordings.csv")
    assert recordings["target"].null_count() == 0
    right = (recordings["target"] == recordings["label"]).mean()
    assert scores["recording_accuracy"]["value"] == pytest.approx(right)
    assert "confusion-recordings-folds.png" in bundle.hashes


def test_the_ensemble_predicts_under_its_own_name(trained: Bundle, sweeps: Path, tmp_path: Path) -> None:
    seen = []
    predict_all(
        sorted(sweeps.iterdir())[:1],
        bundle=trained,
        out=tmp_path,
        recipe=layered(trained.recipe),
        on_done=lambda findings, timeline: seen.append(findings),
    )
    assert (seen[0].bundle.name, seen[0].bundle.sha256) == ("three", trained.sha256)
    assert seen[0].backend == "openvino"


def test_too_few_folds_or_patients_are_told_before_any_work(archive: Path, tmp_path: Path) -> None:
    for n_folds, said in ((2, "Ask for 3 or more"), (9, "folds or fewer")):
        with pytest.raises(UsageError, match=said):
            train_folds(archive, task="planes", out=tmp_path / "b", n_folds=n_folds, recipe=layered(SMALL))
    assert not list(tmp_path.iterdir())


def command(archive: Path, folder: Path, *flags: str) -> list[str]:
    (folder / "recipe.toml").write_text(tomli_w.dumps(SMALL))
    told = ["train", str(archive), "--task", "planes", "--out", str(folder / "b"), "--folds", "3", *flags]
    return [sys.executable, "-m", "sonoplane", *told, "--recipe", str(folder / "recipe.toml")]


def test_killed_in_the_second_fold_it_goes_on_to_the_same_answers(
    archive: Path, trained: Bundle, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        command(archive, tmp_path), env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL
    )
    work = tmp_path / "b.folds"
    while not (work / "fold-1.npz").exists() and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert not (tmp_path / "b").exists()
    if not (work / "fold-3").exists():  # it was not too quick for us
        shutil.copytree(work, tmp_path / "c.folds")
        other = layered(SMALL, {"training": {"epochs": 1}})
        with pytest.raises(UsageError, match="--restart"):
            train_folds(archive, task="planes", out=tmp_path / "c", n_folds=3, recipe=other)
    done = (work / "fold-1" / "bundle.json").read_bytes()
    again = train_folds(archive, task="planes", out=tmp_path / "b", n_folds=3, recipe=layered(SMALL))
    assert (again.members[0].folder / "bundle.json").read_bytes() == done, (
        "the first fold was not trained anew"
    )
    for one, other_one in zip(again.members, trained.members, strict=True):
        ours, theirs = one.weights(), other_one.weights()
        assert {name: array.tobytes() for name, array in ours.items()} == {
            name: array.tobytes() for name, array in theirs.items()
        }
    for name in ("out_of_fold.csv", "out_of_fold_recordings.csv", "confusion-folds.svg"):
        assert again.hashes[name] == trained.hashes[name]
    assert again.metrics == trained.metrics
    assert not work.exists()


@pytest.mark.slow
def test_two_processes_train_every_fold_together(archive: Path, tmp_path: Path) -> None:
    together = ("--training.devices", "2", "--training.accelerator", "cpu", "--training.strategy", "ddp")
    done = subprocess.run(command(archive, tmp_path, *together), check=False, timeout=300)
    assert done.returncode == 0
    bundle = Bundle.load(tmp_path / "b")
    assert [member.recipe["training"]["devices"] for member in bundle.members] == [2, 2, 2]
    assert {path.name for path in tmp_path.iterdir()} == {"b", "recipe.toml"}
