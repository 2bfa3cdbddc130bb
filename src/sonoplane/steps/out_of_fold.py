"""Out-of-fold answers: what is said of each recording by the one network of a cross-validation that never saw it."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Int64

from sonoplane.frames.archive import Archive
from sonoplane.inference.backends import open_backend
from sonoplane.inference.timeline import recording_label
from sonoplane.metrics.intervals import accuracy_over_patients
from sonoplane.metrics.scores import confusion, scores_of
from sonoplane.models.bundle import Bundle
from sonoplane.records import Timeline
from sonoplane.report.confusion import write_confusion
from sonoplane.report.held_out import HeldOut, write_frame_table, write_recording_table
from sonoplane.steps.archived import timeline_of
from sonoplane.steps.figures import figure
from sonoplane.steps.material import Material
from sonoplane.steps.progress import progress
from sonoplane.steps.recipe import Recipe, layered

__all__ = [
    "FRAMES",
    "RECORDINGS",
    "answer_fold",
    "has_answers",
    "read_answers",
    "scores_over_folds",
    "write_tables",
]

#: The tables: a row a frame, a row a recording.
FRAMES, RECORDINGS = "out_of_fold.csv", "out_of_fold_recordings.csv"

#: What is kept of each frame.
_KINDS = ("logits", "probabilities", "numbers")


def answer_fold(bundle: Bundle, store: Archive, names: Sequence[str], path: Path) -> None:
    """Answer every frame of recordings that the bundle never saw, on the way that `predict` takes, into a file."""
    recipe = layered(bundle.recipe)
    recipe = recipe.model_copy(update={"run": recipe.run.model_copy(update={"precision": "float32"})})
    backend = open_backend(bundle, settings=recipe.run)
    lengths = [store.entry(name).n_frames for name in names]
    timelines = []
    with progress("answer the held-out fold", "frames", sum(lengths)) as tell:
        for name, before in zip(names, accumulate(lengths, initial=0), strict=False):
            timelines.append(
                timeline_of(
                    store,
                    name,
                    bundle=bundle,
                    backend=backend,
                    recipe=recipe,
                    on_frame=partial(_tell_more, tell, before),
                )
            )
    rows: dict[str, Any] = {
        kind: np.concatenate([getattr(each, kind) for each in timelines]) for kind in _KINDS
    }
    fresh = path.with_name(f".{path.stem}.new.npz")
    with fresh.open("wb") as file:
        np.savez(file, names=np.array(names), lengths=lengths, **rows)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def has_answers(path: Path) -> bool:
    """Whether the answers are there, and whole."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            n_frames = int(kept["lengths"].sum())
            return all(len(kept[kind]) == n_frames for kind in _KINDS)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return False


def read_answers(path: Path, fold: int, material: Material, recipe: Recipe) -> tuple[HeldOut, ...]:
    """What `answer_fold` wrote, beside the truth."""
    left_out = None if recipe.findings.background_is_a_view else material.card.background
    with np.load(path, allow_pickle=False) as kept:
        names = kept["names"].tolist()
        stops = np.cumsum(kept["lengths"])[:-1]
        logits, probabilities, numbers = (np.split(kept[kind], stops) for kind in _KINDS)
    answers = []
    for name, *rows in zip(names, logits, probabilities, numbers, strict=True):
        timeline = _timeline(material, name, *rows)
        answers.append(
            HeldOut(
                timeline=timeline,
                targets=material.targets[name],
                label=recording_label(timeline, left_out)[0],
                left_out=left_out,
                fold=fold,
                patient=material.store.entry(name).patient,
            )
        )
    return tuple(answers)


def scores_over_folds(answers: Sequence[HeldOut], classes: Sequence[str], n_folds: int) -> dict[str, Any]:
    """The figures over all folds, then those of each: of frames, and of recordings that have one label."""
    each = [
        {"fold": fold, **_scores([one for one in answers if one.fold == fold], classes)}
        for fold in range(1, n_folds + 1)
    ]
    return {"classes": list(classes), **_scores(answers, classes), "folds": each}


def write_tables(
    folder: Path, answers: Sequence[HeldOut], classes: Sequence[str], n_folds: int
) -> list[Path]:
    """The answers as CSV, the confusion matrices of the folds and of their sum as PNG and SVG."""
    frames, recordings = folder / FRAMES, folder / RECORDINGS
    write_frame_table(frames, answers, classes)
    write_recording_table(recordings, answers, classes)
    of_folds = [[one for one in answers if one.fold == fold] for fold in range(1, n_folds + 1)]
    paths = [frames, recordings]
    for stem, count in (("confusion", _frame_counts), ("confusion-recordings", _recording_counts)):
        counts = [count(mine, classes) for mine in of_folds]
        if any(matrix.any() for matrix in counts):
            total = np.sum(counts, axis=0)
            paths += write_confusion(folder, total, classes, folds=counts, stem=stem)
    return paths


def _tell_more(tell: Callable[[int, int | None], None], before: int, done: int, total: int) -> None:
    """So many frames of a recording are done, after those of the recordings before it."""
    tell(before + done, None)


def _timeline(
    material: Material, name: str, logits: np.ndarray, probabilities: np.ndarray, numbers: np.ndarray
) -> Timeline:
    fps = material.store.entry(name).fps
    return Timeline(
        recording=name,
        classes=material.classes,
        times_s=None if fps is None else material.store.times_s(name),
        fps=fps,
        logits=logits,
        probabilities=probabilities,
        path=numbers,
    )


def _scores(answers: Sequence[HeldOut], classes: Sequence[str]) -> dict[str, Any]:
    known = [each.targets >= 0 for each in answers]
    right = [(each.timeline.numbers == each.targets)[mine] for each, mine in zip(answers, known, strict=True)]
    whose = [each.patient or each.timeline.recording for each in answers]
    counts = _frame_counts(answers, classes)
    scores = {
        "recordings": len(answers),
        "patients": len({*whose}),
        "frame_accuracy": figure(
            accuracy_over_patients(
                np.concatenate(right), np.repeat(whose, [int(mine.sum()) for mine in known]).tolist()
            )
        ),
        "macro_f1": scores_of(counts, classes).macro_f1,
        "labels": counts.sum(axis=1).tolist(),
        "confusion": counts.tolist(),
    }
    of_one = [place for place, each in enumerate(answers) if each.target >= 0]
    if of_one:
        counts = _recording_counts(answers, classes)
        hits = np.array([answers[place].answer == answers[place].target for place in of_one])
        scores["recording_accuracy"] = figure(
            accuracy_over_patients(hits, [whose[place] for place in of_one])
        )
        scores["recording_macro_f1"] = scores_of(counts, classes).macro_f1
        scores["recording_confusion"] = counts.tolist()
    return scores


def _frame_counts(answers: Sequence[HeldOut], classes: Sequence[str]) -> Int64[np.ndarray, "truth answer"]:
    total = np.zeros((len(classes), len(classes)), np.int64)
    for each in answers:
        total += confusion(each.targets, each.timeline.numbers, len(classes))
    return total


def _recording_counts(
    answers: Sequence[HeldOut], classes: Sequence[str]
) -> Int64[np.ndarray, "truth answer"]:
    targets = np.array([each.target for each in answers], np.int64)
    return confusion(targets, np.array([each.answer for each in answers], np.int64), len(classes))
