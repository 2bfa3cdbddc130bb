"""Everything that is told of one network's answers."""

import json

import numpy as np
import pytest
from sklearn import metrics

from sonoplane.metrics.answers import answers_of
from sonoplane.metrics.levels import to_recordings
from sonoplane.metrics.measure import measure
from tests.metrics.patients import CLASSES, simulated


def test_counts_and_numbers_are_over_the_whole_set() -> None:
    answers = simulated(np.random.default_rng(4), 8)
    found = measure(answers, draws=50)
    assert (found.n, found.n_unlabelled, found.n_recordings, found.n_patients) == (answers.n, 0, 8, 8)
    assert found.numbers["macro_f1"].value == pytest.approx(
        metrics.f1_score(answers.targets, answers.said, average="macro")
    )
    assert np.array_equal(found.confusion, metrics.confusion_matrix(answers.targets, answers.said))
    each = metrics.multilabel_confusion_matrix(answers.targets, answers.said).reshape(5, 4)
    for (tn, fp, fn, tp), one in zip(each, found.classes, strict=True):
        counts = (one.true_negatives, one.false_positives, one.false_negatives, one.true_positives)
        assert counts == (tn, fp, fn, tp)


def test_macro_f1_is_not_a_mean_over_recordings_or_batches() -> None:
    """The research system averaged it over batches, and accuracy over videos."""
    answers = simulated(np.random.default_rng(0), 8)
    parts = [answers.only(answers.recordings == name) for name in np.unique(answers.recordings)]
    averaged = np.mean([measure(part, draws=2).numbers["macro_f1"].value or 0 for part in parts])
    assert measure(answers, draws=2).numbers["macro_f1"].value != pytest.approx(averaged, abs=0.01)


def test_an_absent_class_is_none_not_zero_and_said() -> None:
    full = simulated(np.random.default_rng(0), 8)
    found = measure(full.only(full.targets != 4), draws=50)
    recall, auroc = (found.classes[4].numbers[name] for name in ("recall", "auroc"))
    assert (recall.value, auroc.value) == (None, None)
    assert str(recall) == "undefined (there is nothing to count it from)"
    assert "Nothing is labelled e: left out of every mean over classes." in found.notes
    means = [one.numbers["f1"].value for one in found.classes[:4]]
    assert found.numbers["macro_f1"].value == pytest.approx(np.mean([m for m in means if m is not None]))


def test_what_few_patients_show_is_said() -> None:
    found = measure(simulated(np.random.default_rng(4), 8), draws=50)
    shown = found.classes[4].n_patients
    assert 0 < shown < 5
    assert f"Shown by few patients, so hardly known: e ({shown})." in found.notes


def test_ties_are_counted() -> None:
    found = measure(
        answers_of(
            level="recording",
            classes=("x", "y"),
            targets=[0, 1, 1, -1],
            probabilities=[[0.5, 0.5], [0.2, 0.8], [0.5, 0.5], [0.5, 0.5]],
            recordings="abcd",
            patients="pqrs",
        )
    )
    assert (found.n_tied, found.n, found.n_unlabelled) == (2, 3, 1)
    assert "Two classes were equal first in 2 of 3: settled as likelier." in found.notes


def test_top_k_is_for_k_below_the_number_of_classes() -> None:
    answers = simulated(np.random.default_rng(0), 3)
    assert [name for name in measure(answers, top=(1, 2, 5, 9), draws=2).numbers if "top" in name] == [
        "top_1",
        "top_2",
    ]


def test_a_perfect_network_has_no_interval_in_words() -> None:
    answers = simulated(np.random.default_rng(0), 30, skill=40)
    accuracy = measure(answers, draws=50).numbers["accuracy"]
    assert str(accuracy) == "1.00 (no interval: all patients have the same value; 30 patients)"


def test_recordings_are_measured_as_frames_are() -> None:
    frames = simulated(np.random.default_rng(0), 12)
    found = measure(to_recordings(frames.only(frames.targets == frames.targets[0])), draws=50)
    assert (found.level, found.n) == ("recording", found.n_recordings)


def test_the_json_holds_no_nan() -> None:
    full = simulated(np.random.default_rng(0), 4)
    told = measure(full.only(full.targets != 1), draws=20).to_json()
    read = json.loads(json.dumps(told, allow_nan=False))
    assert list(read["classes"]) == list(CLASSES)
    assert read["numbers"]["accuracy"]["text"].startswith("0.")
    assert read["classes"]["b"]["numbers"]["recall"]["value"] is None
