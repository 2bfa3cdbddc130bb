"""How far one gets on the phantom without a network: `python -m studies.phantom.floors [SEED...]`.

Patients 0 to 15 train, 16 to 23 test, as in the demo. Figures for `liver-sweep` leave out test frames of the pair that
only motion tells apart. Of `vessels` it is asked how far one gets on that pair, from single frames and from how much
these change, with 48 patients, of whom the last 16 test.
"""

import json
import sys
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sonoplane.video.phantom import MOTION_PAIR, PhantomExam, PhantomSettings, Preset, simulate

N_TRAIN, N_PATIENTS = 16, 24
N_PAIR_TRAIN, N_PAIR_PATIENTS = 32, 48


class Thumbnails(NamedTuple):
    """Every so many frames of the phantom, small."""

    images: np.ndarray
    """32 x 32 gray levels of the sector's box, as rows."""
    labels: np.ndarray
    patients: np.ndarray
    runs: np.ndarray
    """Which labelled run a frame is of."""
    boxes: np.ndarray
    """left, top, right, bottom as shares of the sector's box; all 0 in background."""


def thumbnails(preset: Preset, *, seed: int = 0, step: int, exams: tuple[int, int]) -> Thumbnails:
    """Every `step`-th frame of each labelled run of all patients."""
    rows = []
    for exam in simulate(preset, patients=N_PATIENTS, exams=exams, seed=seed):
        stage, sector = exam.source.stage, exam.recording.facts.regions[0].box
        for run, label in enumerate(exam.labels):
            start, stop = label.start or 0, label.stop or exam.recording.n_frames or 0
            for frame in range(start, stop, step):
                image = cv2.resize(stage.frame(frame)[sector.slices], (32, 32), interpolation=cv2.INTER_AREA)
                patient = int(exam.patient[1:])
                rows.append((image.ravel(), label.label, patient, f"{exam.id} {run}", _box(exam, frame)))
    return Thumbnails(*(np.array(column) for column in zip(*rows, strict=True)))


def floors(data: Thumbnails) -> dict[str, float]:
    """The share that each rule gets right on the test patients."""
    _, first, run = np.unique(data.runs, return_index=True, return_inverse=True)
    means = np.stack([data.images[run == k].mean(axis=0) for k in range(len(first))])
    return {
        "logistic regression, single frames": _logistic(data.images, data.labels, data.patients),
        "logistic regression, mean frames": _logistic(means, data.labels[first], data.patients[first]),
        "commonest class": _commonest(data),
        "centred box of mean size, IoU >= 0.5": _centred_box(data),
    }


class PairRun(NamedTuple):
    """All that one run of the pair shows."""

    images: np.ndarray
    """32 x 32 gray levels of the sector's box in each frame, as rows."""
    label: str
    patient: int


def pair_runs(preset: Preset, *, seed: int = 0, settings: PhantomSettings | None = None) -> list[PairRun]:
    """The runs of the pair that only motion tells apart, one sweep a patient."""
    runs = []
    for exam in simulate(preset, patients=N_PAIR_PATIENTS, exams=(1, 1), seed=seed, settings=settings):
        stage, sector = exam.source.stage, exam.recording.facts.regions[0].box
        for label in exam.labels:
            if label.label in MOTION_PAIR:
                frames = (
                    stage.frame(index)[sector.slices] for index in range(label.start or 0, label.stop or 0)
                )
                small = [cv2.resize(one, (32, 32), interpolation=cv2.INTER_AREA).ravel() for one in frames]
                runs.append(PairRun(np.stack(small).astype(np.float32), label.label, int(exam.patient[1:])))
    return runs


def pair_floors(runs: list[PairRun], *, fps: float = 25.0) -> dict[str, float]:
    """The share of the pair that logistic regression gets right without and with time."""
    return {
        "single frames": _of_pair(runs, lambda images: images[::2]),
        "change within 0.2 s, mean over 0.6 s": _of_pair(runs, lambda images: changes(images, fps)),
    }


def changes(images: np.ndarray, fps: float) -> np.ndarray:
    """How much each pixel changes within 0.2 s, on average over 0.6 s: a row for every third of the time."""
    apart, span = round(0.2 * fps), round(0.6 * fps)
    change = np.abs(images[apart:] - images[:-apart])
    starts = range(0, max(len(change) - span, 0) + 1, max(span // 3, 1))
    return np.stack([change[start : start + span].mean(axis=0) for start in starts])


def _of_pair(runs: list[PairRun], seen: Callable[[np.ndarray], np.ndarray]) -> float:
    rows = [seen(run.images) for run in runs]
    repeats = [len(some) for some in rows]
    train = np.repeat([run.patient < N_PAIR_TRAIN for run in runs], repeats)
    labels, images = np.repeat([run.label for run in runs], repeats), np.concatenate(rows)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    model.fit(images[train], labels[train])
    return float((model.predict(images[~train]) == labels[~train]).mean())


def _box(exam: PhantomExam, frame: int) -> tuple[float, float, float, float]:
    box, sector = exam.target(frame), exam.recording.facts.regions[0].box
    if box is None:
        return 0, 0, 0, 0
    return (
        (box.left - sector.left) / sector.width,
        (box.top - sector.top) / sector.height,
        (box.right - sector.left) / sector.width,
        (box.bottom - sector.top) / sector.height,
    )


def _logistic(images: np.ndarray, labels: np.ndarray, patients: np.ndarray) -> float:
    train = patients < N_TRAIN
    test = ~train & ~np.isin(labels, MOTION_PAIR)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=60, tol=1e-2))
    model.fit(images[train].astype(np.float32), labels[train])
    return float((model.predict(images[test]) == labels[test]).mean())


def _commonest(data: Thumbnails) -> float:
    test = (data.patients >= N_TRAIN) & ~np.isin(data.labels, MOTION_PAIR)
    counts = np.unique(data.labels[test], return_counts=True)[1]
    return float(counts.max() / counts.sum())


def _centred_box(data: Thumbnails) -> float:
    train, shown = data.patients < N_TRAIN, data.boxes[:, 2] > 0
    found: list[bool] = []
    for name in np.unique(data.labels[shown & train]):
        own = shown & (data.labels == name)
        size = (data.boxes[own & train, 2:] - data.boxes[own & train, :2]).mean(axis=0)
        guess = np.concatenate([0.5 - size / 2, 0.5 + size / 2])
        found.extend(_overlap(guess, box) >= 0.5 for box in data.boxes[own & ~train])
    return float(np.mean(found))


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union."""
    shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return float(shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared))


def main(seeds: list[int]) -> None:
    """Print the floors of all presets for each seed."""
    table: dict[str, dict[int, dict[str, float]]] = {
        preset: {seed: floors(thumbnails(preset, seed=seed, step=step, exams=exams)) for seed in seeds}
        for preset, step, exams in (("liver-sweep", 2, (1, 1)), ("echo-views", 8, (6, 6)))
    }
    table["vessels"] = {seed: pair_floors(pair_runs("vessels", seed=seed)) for seed in seeds}
    print(json.dumps(table, indent=2))


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or [0])
