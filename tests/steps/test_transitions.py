from pathlib import Path

import numpy as np
import pytest

from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_writer import create_archive
from sonoplane.frames.entries import EntryFacts
from sonoplane.steps.transitions import expected_classes, transitions_in
from sonoplane.training.settings import TrainingSettings
from tests.frames.archives import frames_of, images_of

CLASSES = ("background", "kidney")
PARTS = {"a": "train", "b": "train", "c": "test"}
TARGETS = {
    "a": np.array([0, 0, 1, 1, 0, 0]),
    "b": np.array([0, 1, -1, 0, 0, 0]),
    "c": np.array([1, 0, 1, 0, 1, 0]),
}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    folder = tmp_path / "archive"
    with create_archive(folder, geometry="source", settings={}) as writer:
        for name, patient in (("a", "p1"), ("b", "p1"), ("c", "p2")):
            facts = EntryFacts(id=name, fps=10.0, patient=patient)
            writer.add(facts, frames_of(images_of(6, 8, 8)))
    return open_archive(folder)


def test_the_training_part_alone_teaches(archive: Archive) -> None:
    made = transitions_in(archive, TARGETS, CLASSES, parts=PARTS)
    assert made is not None
    assert made.counts.tolist() == [[0, 2], [1, 0]]
    assert (made.n_recordings, made.n_patients, made.fps) == (2, 1, 10.0)


def test_one_label_a_recording_teaches_nothing(archive: Archive) -> None:
    whole = {name: np.full(6, number) for number, name in enumerate(TARGETS)}
    assert transitions_in(archive, {**whole, "c": TARGETS["c"]}, CLASSES, parts=PARTS) is None


def test_the_prior_is_what_the_network_was_taught_to_expect(archive: Archive) -> None:
    counts = np.array([98, 0])
    for training, expected in (
        (TrainingSettings(class_weights=False), [0.99, 0.01]),
        (TrainingSettings(class_weights=True), [0.5, 0.5]),
        (TrainingSettings(class_weights=False, sampling="balanced"), [0.5, 0.5]),
        (TrainingSettings(class_weights=True, sampling="balanced"), [0.01, 0.99]),
    ):
        expects = expected_classes(counts, training)
        made = transitions_in(archive, TARGETS, CLASSES, parts=PARTS, expected=expects)
        assert made is not None
        assert made.prior.tolist() == pytest.approx(expected)
