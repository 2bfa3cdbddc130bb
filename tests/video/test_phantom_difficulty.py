"""What grades the product: a pixel-linear model and a guessed box must fail on the phantom."""

from typing import NamedTuple

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sonoplane.video.phantom import MOTION_PAIR, classes_of, simulate

N_TRAIN = 16
N_PATIENTS = 24


class Thumbnails(NamedTuple):
    images: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    runs: np.ndarray
    boxes: np.ndarray
    """left, top, right, bottom as shares of the sector's box; all 0 in background."""


def thumbnails(preset, *, step, exams) -> Thumbnails:
    rows = []
    for exam in simulate(preset, patients=N_PATIENTS, exams=exams):
        stage, sector = exam.source.stage, exam.recording.facts.regions[0].box
        for run, label in enumerate(exam.labels):
            start, stop = label.start or 0, label.stop or exam.recording.n_frames
            for frame in range(start, stop, step):
                image = cv2.resize(stage.frame(frame)[sector.slices], (32, 32), interpolation=cv2.INTER_AREA)
                box = exam.target(frame)
                share = (
                    (0, 0, 0, 0)
                    if box is None
                    else (
                        (box.left - sector.left) / sector.width,
                        (box.top - sector.top) / sector.height,
                        (box.right - sector.left) / sector.width,
                        (box.bottom - sector.top) / sector.height,
                    )
                )
                rows.append((image.ravel(), label.label, int(exam.patient[1:]), f"{exam.id} {run}", share))
    return Thumbnails(*(np.array(column) for column in zip(*rows, strict=True)))


@pytest.fixture(scope="module", params=["liver-sweep", "echo-views"])
def data(request):
    preset = request.param
    liver = preset == "liver-sweep"
    return thumbnails(preset, step=5 if liver else 40, exams=(1, 1) if liver else (3, 3))


def accuracy(images, labels, patients) -> float:
    """Of a logistic regression, on held-out patients, over classes that one frame can tell apart."""
    train = patients < N_TRAIN
    test = ~train & ~np.isin(labels, MOTION_PAIR)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=60, tol=1e-2))
    model.fit(images[train].astype(np.float32), labels[train])
    return float((model.predict(images[test]) == labels[test]).mean())


def test_logistic_regression_fails_on_single_frames(data) -> None:
    assert accuracy(data.images, data.labels, data.patients) < 0.6


def test_logistic_regression_fails_on_mean_frames(data) -> None:
    _, first, run = np.unique(data.runs, return_index=True, return_inverse=True)
    means = np.stack([data.images[run == k].mean(axis=0) for k in range(len(first))])
    assert accuracy(means, data.labels[first], data.patients[first]) < 0.6


def test_always_the_commonest_class_fails(data) -> None:
    test = data.patients >= N_TRAIN
    counts = np.unique(data.labels[test & ~np.isin(data.labels, MOTION_PAIR)], return_counts=True)[1]
    assert counts.max() / counts.sum() < 0.6


def test_a_centred_box_of_mean_size_fails(data) -> None:
    train = data.patients < N_TRAIN
    shown = data.boxes[:, 2] > 0
    found = []
    for name in {*classes_of("liver-sweep"), *classes_of("echo-views")} & {*data.labels[shown & train]}:
        own = shown & (data.labels == name)
        size = (data.boxes[own & train, 2:] - data.boxes[own & train, :2]).mean(axis=0)
        guess = np.concatenate([0.5 - size / 2, 0.5 + size / 2])
        found.extend(overlap(guess, box) >= 0.5 for box in data.boxes[own & ~train])
    assert np.mean(found) < 0.4


def overlap(a, b) -> float:
    """Intersection over union."""
    shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return float(shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared))
