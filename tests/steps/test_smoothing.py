import csv
import json
from pathlib import Path

import numpy as np
import pytest

from sonoplane.clips.labels import write_labels
from sonoplane.errors import UsageError
from sonoplane.inference.backends import open_backend
from sonoplane.inference.smoothing_transitions import transitions_of
from sonoplane.models.bundle import Bundle
from sonoplane.steps.predict import predict, predict_all
from sonoplane.steps.prepare import prepare
from sonoplane.steps.recipe import layered
from sonoplane.steps.train import train
from sonoplane.video.phantom import PhantomExam

SMALL = {
    "input": {"height": 32, "width": 48},
    "network": {"name": "sononet2d-4"},
    "training": {"epochs": 1, "batch": 8, "every": 2},
    "split": {"train": 0.5, "validation": 0.25, "test": 0.25},
}


@pytest.fixture(scope="module")
def trained(sweeps: Path, exams: list[PhantomExam], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("smoothed")
    write_labels(folder / "planes.csv", [row for exam in exams for row in exam.labels])
    prepare([sweeps], folder / "archive", labels={"planes": folder / "planes.csv"}, recipe=layered(SMALL))
    return train(folder / "archive", task="planes", out=folder / "planes", recipe=layered(SMALL))


def test_a_training_on_sweeps_leaves_their_transitions(trained: Bundle) -> None:
    transitions = transitions_of(trained)
    assert transitions is not None
    assert transitions.classes == trained.card.classes
    assert transitions.n_patients == 3
    assert np.allclose(transitions.prior, 1 / len(transitions.classes))  # weighed by their rarity


def test_smoothing_changes_what_is_said_and_never_the_logits(
    trained: Bundle, exams: list[PhantomExam]
) -> None:
    said = {}
    for kind in ("none", "auto", "hysteresis"):
        recipe = layered({"smoothing": {"kind": kind}})
        backend = open_backend(trained, "torch", recipe.run)
        findings, said[kind] = predict(exams[0].recording, bundle=trained, backend=backend, recipe=recipe)
        assert findings.settings["smoothing"]["kind"] == kind
    assert np.array_equal(said["none"].logits, said["auto"].logits)
    assert np.array_equal(said["none"].logits, said["hysteresis"].logits)
    assert not np.allclose(said["none"].probabilities, said["auto"].probabilities)
    assert said["hysteresis"].path is not None


def test_files_say_the_same_of_a_smoothed_frame(trained: Bundle, sweeps: Path, tmp_path: Path) -> None:
    recipe = layered(
        {"smoothing": {"kind": "hysteresis"}, "keyframes": {"min_probability": 0.0, "min_run": 1}}
    )
    done = predict_all(
        [sorted(sweeps.iterdir())[0]], bundle=trained, out=tmp_path / "out", recipe=recipe
    ).done
    for entry in done:
        folder = tmp_path / "out" / entry.recording
        rows = list(csv.DictReader((folder / "timeline.csv").read_text().splitlines()))
        findings = json.loads((folder / "findings.json").read_text())
        assert all(row["probability"] == row[row["label"]] for row in rows)
        for segment in findings["segments"]:
            assert {row["label"] for row in rows[segment["start"] : segment["stop"]]} == {segment["label"]}
        for keyframe in findings["keyframes"]:
            row = rows[keyframe["frame"]]
            assert row["label"] == keyframe["label"]
            assert float(row["probability"]) == pytest.approx(keyframe["probability"], abs=1e-5)


def test_an_hmm_for_a_bundle_without_transitions_is_wrong_usage(
    bundle: Bundle, sweeps: Path, tmp_path: Path
) -> None:
    recipe = layered({"smoothing": {"kind": "hmm"}})
    with pytest.raises(UsageError, match="follow each other"):
        predict_all([sweeps], bundle=bundle, out=tmp_path / "out", recipe=recipe)
