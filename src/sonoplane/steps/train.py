"""From an archive to a bundle."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from sonoplane import __version__
from sonoplane.clips.labels import UNLABELLED, classes_of, frame_labels
from sonoplane.clips.splits import audit
from sonoplane.errors import UsageError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.layout_toml import layout_values
from sonoplane.metrics.intervals import accuracy_over_patients
from sonoplane.models.bundle import Bundle, add_files, check_place, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.network import PlaneNetwork
from sonoplane.models.registry import build, network_spec, weights_of
from sonoplane.report.confusion import write_confusion
from sonoplane.report.history import write_history
from sonoplane.steps.layouts import known_layouts
from sonoplane.steps.predict import run_as_trained
from sonoplane.steps.prepare import input_card
from sonoplane.steps.progress import progress, say
from sonoplane.steps.recipe import Recipe, layered
from sonoplane.steps.twins import audit_twins
from sonoplane.training.clips_dataset import ClipDataset
from sonoplane.training.fit import Fitted, check_input, fit, leads
from sonoplane.training.keeping import CHECKPOINT, HISTORY, LOG
from sonoplane.training.samples import Form, class_counts, cut_samples, form_of
from sonoplane.training.start import begin_with
from sonoplane.training.tracking import BatchFigures, log_confusion, open_trackers

__all__ = ["recipe_for", "train"]

#: Settings of training that change how fast it is, not what comes out.
_PACE = {"cache_gb", "workers"}


def recipe_for(archive: Path, *layers: Mapping[str, Any]) -> Recipe:
    """The recipe of a training: what the archive was prepared for as its input, then the layers, later ones winning."""
    return layered({"input": open_archive(archive).settings.get("input", {})}, *layers)


def train(
    archive: Path,
    *,
    task: str,
    out: Path,
    recipe: Recipe,
    overwrite: bool = False,
    restart: bool = False,
) -> Bundle:
    """Train the recipe's network on one label table of an archive, and save it with how well it did.

    The weights kept are those of the best epoch. The test part is not touched. The bundle's recipe has the region and
    split settings and the layouts that the archive was prepared with, so that prediction cleans frames as `prepare`
    did. Until the bundle is whole, `<out>.training` beside it holds what is needed to go on after a stop; the same
    call then does, unless told to `restart`.

    Raises:
        UsageError: the archive has no such table, or was prepared for another input; `out` is not free; training
            diverged; it was begun with other settings.
        SplitError: a patient is in two parts, or near-duplicates are.
    """
    check_place(out, name=out.name, overwrite=overwrite)
    store = open_archive(archive)
    rows = store.labels(task)
    classes = classes_of(rows)
    card = input_card(recipe.input, classes)
    _check_geometry(store, card)
    audit(
        {entry.id: entry.split for entry in store.entries if entry.split},
        {entry.id: entry.patient for entry in store.entries if entry.patient},
        {entry.id: entry.study for entry in store.entries if entry.study},
    )
    audit_twins(store, recipe.duplicates)
    targets = {entry.id: frame_labels(rows, entry.id, entry.n_frames, classes) for entry in store.entries}
    spec = network_spec(recipe.network.name, n_classes=len(classes), options=recipe.network.options)
    form = form_of(recipe.training, takes_clips=spec.takes_clips)
    training, validation = (
        _part(name, store, card, targets, form, recipe) for name in ("train", "validation")
    )
    network = build(spec, init=recipe.network.init, seed=recipe.training.seed)
    check_input(network, card, training.length, dense=form == "dense")
    notes = _told(task, training, validation, form, classes)
    if recipe.network.start:
        notes.append(begin_with(network, spec, recipe.network.start))
    elif recipe.network.trained != "all":
        notes.append("What is not trained keeps the weights that were drawn: name a --network.start.")
    network.trainable(recipe.network.trained, statistics=recipe.network.statistics)
    for note in notes if leads() else ():
        say(note)
    folder = out.with_name(f"{out.name}.training")
    kept = _recipe_kept(recipe, store)
    trackers = open_trackers(
        recipe.tracking,
        out.with_name(f"{out.name}.tracking"),
        name=out.name,
        parameters=kept,
        resumed=(folder / CHECKPOINT).exists() and not restart,
        tell=say,
    )
    with progress("train", "batches") as tell:
        fitted = fit(
            network,
            card,
            training,
            validation,
            dense=form == "dense",
            training=recipe.training,
            augmentation=recipe.augmentation,
            folder=folder,
            fingerprint=_fingerprint(recipe, store, targets, network),
            restart=restart,
            loggers=trackers,
            callbacks=[BatchFigures(recipe.tracking.every)] if trackers else [],
            on_step=tell,
            on_epoch=lambda line: say(str(line)),
        )
    log_confusion(trackers, fitted.confusion, classes, fitted.best_epoch)
    pictures = [
        *write_history(folder, fitted.history, best_epoch=fitted.best_epoch),
        *write_confusion(folder, fitted.confusion, classes),
    ]
    bundle = save_bundle(
        out,
        name=out.name,
        version="1",
        spec=spec,
        card=card,
        weights=weights_of(fitted.network),
        recipe=kept,
        metrics=_metrics(fitted, card, validation, store, form),
        overwrite=overwrite,
    )
    files = [folder / HISTORY, folder / LOG, *pictures]
    bundle = add_files(bundle, {file.name: file for file in files})
    shutil.rmtree(folder)
    return bundle


def _part(
    name: str,
    store: Archive,
    card: Card,
    targets: Mapping[str, Int64[np.ndarray, "time"]],
    form: Form,
    recipe: Recipe,
) -> ClipDataset:
    """The samples of one part of the split; sub-sampling thins out those of training alone."""
    learned = name == "train"
    samples = [
        cut_samples(
            entry.id,
            targets[entry.id],
            form=form,
            windows=recipe.windows,
            chosen=store.subsample(entry.id) if learned else None,
            every=recipe.training.every if learned else 1,
        )
        for entry in store.entries
        if entry.split == name
    ]
    return ClipDataset(store, card, samples, cache_bytes=recipe.training.cache_gb * 1e9)


def _told(
    task: str, training: ClipDataset, validation: ClipDataset, form: Form, classes: tuple[str, ...]
) -> list[str]:
    """What there is to learn from, by class, and what cannot be known."""
    unit = "frames" if form in ("frames", "centres") else f"clips of {training.length} frames"
    counts = [class_counts(part.targets, len(classes)) for part in (training, validation)]
    each = ", ".join(f"{name} {n} + {m}" for name, n, m in zip(classes, *counts, strict=True))
    notes = [
        f"{task}: {len(training)} {unit} to train on, {len(validation)} to validate, {len(classes)} classes.",
        f"Labels (training + validation): {each}.",
    ]
    absent = [name for name, n in zip(classes, counts[1], strict=True) if not n]
    if absent:
        notes.append(f"Validation has no label of {', '.join(absent)}: macro F1 leaves that out.")
    return notes


def _fingerprint(
    recipe: Recipe,
    store: Archive,
    targets: Mapping[str, Int64[np.ndarray, "time"]],
    network: PlaneNetwork,
) -> str:
    """Changes with anything that a training's result hangs on."""
    settings = recipe.model_dump(include={"input", "windows", "network", "augmentation"}, mode="json")
    settings["training"] = recipe.training.model_dump(exclude=_PACE, mode="json")
    settings["network"].pop("start")  # by its weights, wherever they lie
    digest = hashlib.sha256(json.dumps([__version__, settings], sort_keys=True).encode())
    for entry in store.entries:
        digest.update(repr((entry.id, entry.sha256, entry.split)).encode())
        digest.update(targets[entry.id].tobytes())
        digest.update(store.subsample(entry.id).tobytes())
    for name, array in weights_of(network).items():
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()


def _check_geometry(store: Archive, card: Card) -> None:
    if store.geometry not in ("source", f"card:{card.geometry_hash}"):
        raise UsageError(
            "The archive was prepared for another input size or fit than this recipe's.",
            advice="Give the `input` settings it was prepared with, or prepare it again (also possible:"
            " --resolution source, which serves every input).",
        )


def _recipe_kept(recipe: Recipe, store: Archive) -> dict[str, Any]:
    """The recipe as the bundle keeps it: with what the archive was prepared with, and no path."""
    kept = recipe.model_dump(exclude_none=True)
    if recipe.network.start:
        kept["network"]["start"] = Path(recipe.network.start).name
    return {
        **kept,
        **{section: store.settings[section] for section in ("region", "subsample", "split", "store")},
        "layout": [layout_values(layout) for layout in known_layouts(store)],
        "run": run_as_trained(recipe).model_dump(),
    }


def _metrics(
    fitted: Fitted, card: Card, validation: ClipDataset, store: Archive, form: Form
) -> dict[str, Any]:
    """How training went, and accuracy on the validation patients with its doubt."""
    known = validation.targets != UNLABELLED
    right = (fitted.logits.argmax(axis=2) == validation.targets)[known]
    patients = np.array([store.entry(name).patient or name for name in validation.recordings])
    estimate = accuracy_over_patients(right, np.repeat(patients, known.sum(axis=1)).tolist())
    best = fitted.history[fitted.best_epoch - 1]
    return {
        "best_epoch": fitted.best_epoch,
        "history": list(fitted.history),
        "validation": {
            f"{'clip' if form == 'clips' else 'frame'}_accuracy": {
                "value": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "patients": estimate.n_patients,
                "method": estimate.method,
                "text": str(estimate),
            },
            "macro_f1": best["val_macro_f1"],
            "classes": list(card.classes),
            "labels": class_counts(validation.targets, len(card.classes)).tolist(),
            "confusion": fitted.confusion.tolist(),
        },
    }
