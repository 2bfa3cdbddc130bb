"""Frames that an exported model is proven on, or fitted to: of an archive, of recordings, or simulated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from sonoplane.clips.labels import frame_labels
from sonoplane.errors import SonoplaneError, UsageError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_layout import ARCHIVE
from sonoplane.frames.entries import Entry
from sonoplane.inference.export_proof import Evidence, Prepared
from sonoplane.inference.exports import Exported
from sonoplane.inference.ways import run_of
from sonoplane.models.bundle import Bundle
from sonoplane.models.reach import frames_seen
from sonoplane.records import Recording
from sonoplane.steps.archived import check_input_fits
from sonoplane.steps.cleaned import cleaned
from sonoplane.steps.recipe import layered
from sonoplane.steps.trained_on import task_of
from sonoplane.video.discovery import find_recordings
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import simulate

__all__ = ["of_phantom", "of_place", "of_training"]

#: Steps of this share never come back to where they were.
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class _Amount:
    """How much is asked of a form: runs of so many frames, so many of them."""

    length: int
    real: int
    """Of an archive, or of recordings."""
    simulated: int


def of_place(place: Path | str, bundle: Bundle, what: Exported) -> Evidence:
    """Of an archive's validation recordings, or of recordings as `predict` takes them.

    Raises:
        UsageError: there is neither.
    """
    if "://" in str(place) or (Path(place) / ARCHIVE).is_file():
        return _shown_by(place, bundle, what)
    amount = _amount(bundle, what)
    found = find_recordings([Path(place)])
    if not found:
        raise UsageError(
            f"'{Path(place).resolve().name}' holds neither an archive nor recordings.",
            advice="Give --verify an archive, a recording, or a folder of them.",
        )
    runs: list[Prepared] = []
    problem: SonoplaneError | None = None
    for item in found[: amount.real]:
        try:
            recording = open_recording(item.path, frames=item.frames, recording_id=item.id)
            runs += _of_recording(recording, bundle, amount.length, amount.real // len(found) or 1)
        except SonoplaneError as error:
            problem = problem or error
    if not runs:
        assert problem is not None
        raise problem
    return Evidence(runs=tuple(runs[: amount.real]), told="of recordings", are_real=True)


def of_training(place: Path | str, bundle: Bundle, what: Exported) -> Evidence:
    """Runs spread over an archive's training recordings, for int8 to be fitted to.

    Raises:
        UsageError: it is no archive, has no training recordings, or frames of another input than the network's.
    """
    store = open_archive(place)
    entries = [entry for entry in store.entries if entry.split == "train" and entry.n_frames]
    if not entries:
        raise UsageError(
            f"'{store.place.name}' has no training recordings; prepare it with a split.",
            advice="Make another with `sonoplane prepare --train 0.7 --validation 0.15`.",
        )
    return _of_entries(store, entries, bundle, what, told="of the archive's part train")


def _shown_by(place: Path | str, bundle: Bundle, what: Exported) -> Evidence:
    """Of an archive's validation recordings; without any, of all but its test ones, nor those int8 was fitted to."""
    store = open_archive(place)
    filled = [entry for entry in store.entries if entry.n_frames]
    if entries := [entry for entry in filled if entry.split == "validation"]:
        return _of_entries(store, entries, bundle, what, told="of the archive's part validation")
    spared = ("test", "train") if what.precision == "int8" else ("test",)
    entries = [entry for entry in filled if entry.split not in spared]
    if not entries:
        raise UsageError(
            f"'{store.place.name}' has no validation recordings to prove the model on.",
            advice="Prepare it with a split that has some, or give other recordings: `--verify`.",
        )
    return _of_entries(store, entries, bundle, what, told="of the archive")


def _of_entries(
    store: Archive, entries: Sequence[Entry], bundle: Bundle, what: Exported, *, told: str
) -> Evidence:
    """Runs spread over these recordings, with their labels."""
    check_input_fits(store, bundle.card)
    amount = _amount(bundle, what)
    targets = _targets(store, bundle)
    runs, labels = [], []
    for entry, start in _spread(entries, amount.length, amount.real):
        stop = min(start + amount.length, entry.n_frames)
        images = store.read(entry.id, start, stop)
        runs.append(np.stack([bundle.card.geometry(image) for image in images]))
        labels.append(targets[entry.id][start:stop] if entry.id in targets else np.full(stop - start, -1))
    return Evidence(runs=tuple(runs), told=told, targets=tuple(labels) if targets else None, are_real=True)


def of_phantom(bundle: Bundle, what: Exported) -> Evidence:
    """Of simulated sweeps."""
    amount = _amount(bundle, what)
    exams = simulate("liver-sweep", patients=amount.simulated, exams=(1, 1), seed=0)
    runs = [
        run
        for exam in islice(exams, amount.simulated)
        for run in _of_recording(exam.recording, bundle, amount.length, 1)
    ]
    return Evidence(runs=tuple(runs), told="of the phantom")


def _amount(bundle: Bundle, what: Exported) -> _Amount:
    if what.form == "frame":
        return _Amount(length=16, real=32, simulated=4)
    if what.form == "clip":
        run = run_of(bundle)
        return _Amount(length=(run.clip_length - 1) * run.clip_step + 8, real=16, simulated=2)
    if what.form == "dense" and what.precision == "int8":  # the pieces at the ends are not int8
        return _Amount(length=frames_seen(bundle.spec) + 6 * what.n_frames, real=5, simulated=1)
    if what.form == "dense":
        return _Amount(length=2 * what.n_frames + what.n_frames // 2 + 3, real=6, simulated=1)
    return _Amount(length=64, real=8, simulated=1)


def _of_recording(recording: Recording, bundle: Bundle, length: int, n_runs: int) -> list[Prepared]:
    """Runs of consecutive frames, cleaned and prepared as `predict` does it."""
    frames = cleaned(recording, bundle.card, layered(bundle.recipe))
    read = islice(frames.read(), length * n_runs)
    prepared = [bundle.card.geometry(frame.image, frames.region.box) for frame in read]
    if not prepared:
        return []
    run = np.stack(prepared)
    return [run[start : start + length] for start in range(0, len(run), length)]


def _spread(entries: Sequence[Entry], length: int, n_runs: int) -> Iterator[tuple[Entry, int]]:
    """Where runs begin: over as many recordings as there are, at other places in each."""
    n_taken = min(len(entries), n_runs)
    taken = [entries[i * len(entries) // n_taken] for i in range(n_taken)]
    turns = -(-n_runs // n_taken)
    places = {
        (i, round((i * _GOLDEN + turn / turns) % 1 * max(0, entry.n_frames - length)))
        for turn in range(turns)
        for i, entry in enumerate(taken)
    }
    return ((taken[i], start) for i, start in sorted(places))


def _targets(store: Archive, bundle: Bundle) -> dict[str, Int64[np.ndarray, "time"]]:
    """The class number of every frame of every recording with a label; none where the task is not clear."""
    tasks, trained = store.tasks, task_of(bundle)
    task = trained if trained in tasks else tasks[0] if len(tasks) == 1 else None
    if task is None:
        return {}
    known = [row for row in store.labels(task) if row.label in bundle.card.classes]
    names = {row.recording for row in known}
    return {
        entry.id: frame_labels(known, entry.id, entry.n_frames, bundle.card.classes)
        for entry in store.entries
        if entry.id in names
    }
