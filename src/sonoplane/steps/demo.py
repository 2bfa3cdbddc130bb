"""From nothing to a report: simulate sweeps, train a small network, and find the planes of patients it never saw."""

import os
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sonoplane.clips.labels import frame_labels, read_labels, write_labels
from sonoplane.errors import UsageError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.inference.export import export
from sonoplane.metrics.floors import thumbnail_floor
from sonoplane.metrics.intervals import Estimate, accuracy_over_patients
from sonoplane.records import Findings, Image, Label, Timeline
from sonoplane.steps.jobs import Jobs
from sonoplane.steps.predict import predict_all
from sonoplane.steps.prepare import prepare
from sonoplane.steps.progress import progress, say
from sonoplane.steps.recipe import layered, read_recipe
from sonoplane.steps.train import train
from sonoplane.video.phantom import MOTION_PAIR, PhantomExam, simulate
from sonoplane.video.phantom_files import write_dicom, write_mp4

__all__ = ["DemoResult", "demo"]

TASK = "planes"
#: Shares of the patients: two thirds to train (some of them to validate), one third held out.
_HELD_OUT, _VALIDATION = 1 / 3, 1 / 8
_MARK = "sonoplane-demo.txt"


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoResult:
    """How the demo came out on the patients held out."""

    single_frame: Estimate
    """Frame accuracy over the planes that one frame can tell."""
    all_frames: Estimate
    """Frame accuracy over all classes, also the pair that only motion tells apart."""
    floor: Estimate
    """Logistic regression on thumbnails, on the frames of `single_frame`."""
    planes_found: int
    planes_there: int
    report: Path
    index: Path
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **{
                name: {"value": e.value, "low": e.low, "high": e.high, "patients": e.n_patients}
                for name, e in (
                    ("single_frame", self.single_frame),
                    ("all_frames", self.all_frames),
                    ("floor", self.floor),
                )
            },
            "planes_found": self.planes_found,
            "planes_there": self.planes_there,
            "report": str(self.report),
            "index": str(self.index),
            "seconds": self.seconds,
        }

    def text(self) -> str:
        """What is printed at the end."""
        took = ", ".join(f"{what} {seconds:.0f} s" for what, seconds in self.seconds.items())
        pair = " and ".join(MOTION_PAIR)
        return (
            f"\nOn patients the network never saw, simulated:\n"
            f"  frame accuracy, planes that one frame can tell   {self.single_frame}\n"
            f"  floor: logistic regression on thumbnails         {self.floor}\n"
            f"  frame accuracy, with {pair} (told by motion alone)   {self.all_frames}\n"
            f"  planes found                                     {self.planes_found} of {self.planes_there}\n"
            f"Time: {took}.\n"
            f"Open {self.report} for one sweep, {self.index} for all."
        )


def demo(out: Path, *, patients: int = 24, seed: int = 0) -> DemoResult:
    """Run the whole way once, on recordings that it simulates itself, in `out`.

    Raises:
        UsageError: `out` holds something else, or there are too few patients for a split.
    """
    if patients < 6:
        raise UsageError(f"{patients} patients are too few for a split.", advice="Take 6 or more.")
    _empty(out)
    clock = _Clock()
    exams = list(simulate("liver-sweep", patients=patients, exams=(2, 2), seed=seed))
    rows = _labels(exams, patients)
    write_labels(out / "labels.csv", rows)
    paths = _write_recordings(exams, out / "recordings")
    clock.lap("simulate")
    recipe = layered(read_recipe(Path("demo")))
    prepare(
        [out / "recordings"],
        out / "archive",
        labels={TASK: out / "labels.csv"},
        recipe=recipe,
        jobs=Jobs(workers=min(os.cpu_count() or 1, 8)),
    )
    clock.lap("prepare")
    bundle = train(out / "archive", task=TASK, out=out / "bundle", recipe=recipe)
    clock.lap("train")
    bundle, _ = export(bundle, "openvino")
    clock.lap("export")
    held_out = [path for path in paths if _split_of(rows, path.stem) == "test"]
    scores = _Scores(read_labels(out / "labels.csv").rows, bundle.card.classes)
    predicted = predict_all(held_out, bundle=bundle, out=out / "findings", recipe=recipe, on_done=scores.add)
    clock.lap("predict")
    if predicted.failures:
        raise UsageError("A recording of the demo failed.", advice="See findings/failures.csv.")
    say("floor: logistic regression on thumbnails ...")
    floor = _floor(open_archive(out / "archive"), bundle.card.classes)
    clock.lap("floor")
    best = max(predicted.done, key=lambda entry: len(entry.found))
    return DemoResult(
        single_frame=scores.estimate(leave_out=MOTION_PAIR),
        all_frames=scores.estimate(),
        floor=floor,
        planes_found=scores.found,
        planes_there=scores.there,
        report=out / "findings" / best.recording / "report.html",
        index=out / "findings" / "index.html",
        seconds=clock.laps,
    )


class _Clock:
    """How long each part took."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = round(now - self._last, 1)
        self._last = now


class _Scores:
    """Counts right frames, and planes found, patient by patient."""

    def __init__(self, rows: Sequence[Label], classes: tuple[str, ...]) -> None:
        self._rows = rows
        self._classes = classes
        self._patients = {row.recording: row.patient or "" for row in rows}
        self._truth: list[np.ndarray] = []
        self._right: list[np.ndarray] = []
        self._whose: list[str] = []
        self.found = 0
        self.there = 0

    def add(self, findings: Findings, timeline: Timeline) -> None:
        """Score one recording."""
        truth = frame_labels(self._rows, findings.recording, timeline.n_frames, self._classes)
        self._truth.append(truth)
        self._right.append(timeline.probabilities.argmax(axis=1) == truth)
        self._whose.append(self._patients[findings.recording])
        shown = {self._classes[i] for i in np.unique(truth)} - {findings.background}
        self.there += len(shown)
        self.found += len(shown & set(findings.found))

    def estimate(self, leave_out: Sequence[str] = ()) -> Estimate:
        """Frame accuracy, without frames whose truth is left out; the interval is over patients."""
        numbers = [self._classes.index(name) for name in leave_out]
        counted = [(truth >= 0) & ~np.isin(truth, numbers) for truth in self._truth]
        whose = [
            name for name, frames in zip(self._whose, counted, strict=True) for _ in range(int(frames.sum()))
        ]
        return accuracy_over_patients(np.concatenate(self._right)[np.concatenate(counted)], whose)


def _floor(archive: Archive, classes: tuple[str, ...]) -> Estimate:
    """What logistic regression reaches on the same held-out frames, over the planes that one frame can tell."""
    rows = archive.labels(TASK)
    pair = [classes.index(name) for name in MOTION_PAIR]
    images: dict[bool, list[Image]] = {False: [], True: []}
    labels: dict[bool, list[np.ndarray]] = {False: [], True: []}
    whose: list[str] = []
    for entry in archive.entries:
        held_out = entry.split == "test"
        truth = frame_labels(rows, entry.id, entry.n_frames, classes)
        if held_out:
            truth[np.isin(truth, pair)] = -1
            whose += [entry.patient or entry.id] * entry.n_frames
        images[held_out].extend(archive.read(entry.id))
        labels[held_out].append(truth)
    truth = np.concatenate(labels[True])
    floor = thumbnail_floor(images[False], np.concatenate(labels[False]), images[True], truth)
    counted = truth >= 0
    return accuracy_over_patients((floor.answers == truth)[counted], list(np.array(whose)[counted]))


def _labels(exams: Sequence[PhantomExam], patients: int) -> list[Label]:
    """The exams' true labels with a fixed split, patient by patient."""
    names = sorted({exam.patient for exam in exams})
    n_test, n_validation = round(patients * _HELD_OUT), max(1, round(patients * _VALIDATION))
    parts = dict.fromkeys(names, "train")
    parts.update(dict.fromkeys(names[-n_test:], "test"))
    parts.update(dict.fromkeys(names[-n_test - n_validation : -n_test], "validation"))
    return [replace(row, split=parts[exam.patient]) for exam in exams for row in exam.labels]


def _split_of(rows: Sequence[Label], recording: str) -> str | None:
    return next(row.split for row in rows if row.recording == recording)


def _write_recordings(exams: Sequence[PhantomExam], folder: Path) -> list[Path]:
    """Every other exam as DICOM, the others as MP4, on all cores."""
    folder.mkdir(parents=True)
    paths = [folder / f"{exam.id}.{'mp4' if i % 2 else 'dcm'}" for i, exam in enumerate(exams)]
    with (
        ProcessPoolExecutor(max_workers=min(os.cpu_count() or 1, 8)) as pool,
        progress("simulate", "recordings", len(exams)) as tell,
    ):
        for count, _ in enumerate(pool.map(_write, exams, paths), start=1):
            tell(count, None)
    return paths


def _write(exam: PhantomExam, path: Path) -> None:
    (write_dicom if path.suffix == ".dcm" else write_mp4)(exam, path)


def _empty(out: Path) -> None:
    """Make the folder, anew where an earlier demo left it."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"'{out.name}' is a file.", advice="Name a folder with --out.")
    if out.exists() and any(out.iterdir()):
        if not (out / _MARK).exists():
            raise UsageError(
                f"'{out.name}' holds something that is not a demo's.",
                advice="Name another folder with --out.",
            )
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / _MARK).write_text("Made by `sonoplane demo`, which empties this folder when it runs again.\n")
