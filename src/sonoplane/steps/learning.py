"""One network learns from some recordings and chooses its epoch on others: alike in a plain training and in a fold."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sonoplane import __version__
from sonoplane.clips.labels import UNLABELLED
from sonoplane.frames.archive import Archive
from sonoplane.frames.layout_toml import layout_values
from sonoplane.inference.smoothing_transitions import TRANSITIONS
from sonoplane.inference.ways import Mode
from sonoplane.metrics.intervals import accuracy_over_patients
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.network import PlaneNetwork
from sonoplane.models.registry import build, network_spec, weights_of
from sonoplane.models.spec import NetworkSpec
from sonoplane.report.confusion import write_confusion
from sonoplane.report.history import write_history
from sonoplane.steps.calibration import fit_calibration, write_calibration
from sonoplane.steps.figures import figure
from sonoplane.steps.layouts import known_layouts
from sonoplane.steps.material import Material
from sonoplane.steps.predict import run_as_trained
from sonoplane.steps.progress import progress, say
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.trained_on import trained_on
from sonoplane.steps.transitions import expected_classes, transitions_in
from sonoplane.training.clips_dataset import ClipDataset
from sonoplane.training.fit import Fitted, check_input, fit, leads
from sonoplane.training.keeping import CHECKPOINT, HISTORY, LOG
from sonoplane.training.samples import Form, class_counts, cut_samples, form_of
from sonoplane.training.start import begin_with
from sonoplane.training.tracking import BatchFigures, log_confusion, open_trackers

__all__ = ["Learner", "fingerprint", "learn", "learner_of", "samples_of", "what_is_learned"]

#: Settings of training that change how fast it is, not what comes out.
_PACE = {"cache_gb", "workers"}
#: Sections of a recipe that say nothing of the network.
_NOT_OF_A_NETWORK = {"live", "waiting", "export", "attribution", "activation", "background"}
#: How the samples of validation are answered, where that is not frame by frame.
_ANSWERED: Mapping[Form, Mode] = {"clips": "clip", "dense": "dense"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Learner:
    """A network as it is before it learns."""

    spec: NetworkSpec
    network: PlaneNetwork
    notes: tuple[str, ...]
    """Where its weights are from."""


def learner_of(material: Material, recipe: Recipe) -> Learner:
    """The recipe's network, drawn anew or begun with weights that are there, and as much of it free as shall learn."""
    settings = recipe.network
    spec = network_spec(settings.name, n_classes=len(material.classes), options=settings.options)
    network = build(spec, init=settings.init, seed=recipe.training.seed)
    notes = []
    if settings.start:
        notes.append(begin_with(network, spec, settings.start))
    elif settings.trained != "all":
        notes.append("What is not trained keeps the weights that were drawn: name a --network.start.")
    network.trainable(settings.trained, statistics=settings.statistics)
    return Learner(spec=spec, network=network, notes=tuple(notes))


def learn(
    material: Material,
    parts: Mapping[str, str],
    *,
    out: Path,
    name: str,
    tracking: Path,
    recipe: Recipe,
    overwrite: bool = False,
    restart: bool = False,
) -> Bundle:
    """Train on the recordings of part `train`, keep the best epoch on those of `validation`, and save it as a bundle.

    Recordings of other parts, or of none, are not touched. Until the bundle is whole, `<out>.training` beside it holds
    what is needed to go on after a stop; the same call then does, unless told to `restart`. Trackers keep their files
    in `tracking`. In several processes, those that do not lead end here, with SystemExit.

    Raises:
        UsageError: `out` is not free; training diverged; it was begun with other settings.
    """
    learner = learner_of(material, recipe)
    spec, network, card = learner.spec, learner.network, material.card
    form = form_of(recipe.training, takes_clips=spec.takes_clips)
    training, validation = (
        samples_of(material, parts, part, form, recipe) for part in ("train", "validation")
    )
    check_input(network, card, training.length, dense=form == "dense")
    for note in (*what_is_learned(material, training, validation, form), *learner.notes) if leads() else ():
        say(note)
    folder = out.with_name(f"{out.name}.training")
    kept = _recipe_kept(recipe, material.store)
    trackers = open_trackers(
        recipe.tracking,
        tracking,
        name=name,
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
            fingerprint=fingerprint(material, parts, recipe, network),
            restart=restart,
            loggers=trackers,
            callbacks=[BatchFigures(recipe.tracking.every)] if trackers else [],
            on_step=tell,
            on_epoch=lambda line: say(str(line)),
        )
    log_confusion(trackers, fitted.confusion, card.classes, fitted.best_epoch)
    calibrated = fit_calibration(
        fitted.logits,
        validation.targets,
        recordings=validation.recordings,
        patients=material.patients,
        classes=card.classes,
        left_out=None if recipe.findings.background_is_a_view else card.background,
        settings=recipe.calibration,
        unit="clips" if form == "clips" else "frames",
        mode=_ANSWERED.get(form, "frame"),
    )
    say(str(calibrated))
    files = [
        folder / HISTORY,
        folder / LOG,
        *write_history(folder, fitted.history, best_epoch=fitted.best_epoch),
        *write_confusion(folder, fitted.confusion, card.classes),
        *write_calibration(folder, calibrated),
    ]
    kept_files: dict[str, Path | bytes] = {file.name: file for file in files}
    transitions = transitions_in(
        material.store,
        material.targets,
        card.classes,
        parts=parts,
        expected=None
        if calibrated.calibration.kind == "vector"  # which has moved the answers to the classes' shares
        else expected_classes(class_counts(training.targets, len(card.classes)), recipe.training),
    )
    if transitions:
        kept_files[TRANSITIONS] = transitions.to_json()
    bundle = save_bundle(
        out,
        name=name,
        version="1",
        spec=spec,
        card=card,
        weights=weights_of(fitted.network),
        recipe=kept,
        calibration=calibrated.calibration.to_dict(),
        metrics={
            **trained_on(material.store, material.task),
            **_metrics(fitted, material, validation, form),
        },
        files=kept_files,
        overwrite=overwrite,
    )
    shutil.rmtree(folder)
    return bundle


def fingerprint(material: Material, parts: Mapping[str, str], recipe: Recipe, network: PlaneNetwork) -> str:
    """Changes with anything that a training's result hangs on; `network` as it is before it learns."""
    settings = recipe.model_dump(include={"input", "windows", "network", "augmentation"}, mode="json")
    settings["training"] = recipe.training.model_dump(exclude=_PACE, mode="json")
    settings["network"].pop("start")  # by its weights, wherever they lie
    digest = hashlib.sha256(json.dumps([__version__, settings], sort_keys=True).encode())
    for entry in material.store.entries:
        digest.update(repr((entry.id, entry.sha256, parts.get(entry.id))).encode())
        digest.update(material.targets[entry.id].tobytes())
        digest.update(material.store.subsample(entry.id).tobytes())
    for name, array in weights_of(network).items():
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()


def samples_of(
    material: Material, parts: Mapping[str, str], part: str, form: Form, recipe: Recipe
) -> ClipDataset:
    """The samples of one part; sub-sampling thins out those of training alone."""
    learned = part == "train"
    store = material.store
    samples = [
        cut_samples(
            entry.id,
            material.targets[entry.id],
            form=form,
            windows=recipe.windows,
            chosen=store.subsample(entry.id) if learned else None,
            every=recipe.training.every if learned else 1,
        )
        for entry in store.entries
        if parts.get(entry.id) == part
    ]
    return ClipDataset(store, material.card, samples, cache_bytes=recipe.training.cache_gb * 1e9)


def what_is_learned(
    material: Material, training: ClipDataset, validation: ClipDataset, form: Form
) -> list[str]:
    """What there is to learn from, by class, and what cannot be known."""
    classes = material.classes
    unit = "frames" if form in ("frames", "centres") else f"clips of {training.length} frames"
    counts = [class_counts(part.targets, len(classes)) for part in (training, validation)]
    each = ", ".join(f"{name} {n} + {m}" for name, n, m in zip(classes, *counts, strict=True))
    notes = [
        f"{material.task}: {len(training)} {unit} to train on, {len(validation)} to validate, "
        f"{len(classes)} classes.",
        f"Labels (training + validation): {each}.",
    ]
    absent = [name for name, n in zip(classes, counts[1], strict=True) if not n]
    if absent:
        notes.append(f"Validation has no label of {', '.join(absent)}: macro F1 leaves that out.")
    return notes


def _recipe_kept(recipe: Recipe, store: Archive) -> dict[str, Any]:
    """The recipe as the bundle keeps it: with what the archive was prepared with, and no path.

    How feeds are followed, models exported and networks explained is left to those who do it.
    """
    kept = recipe.model_dump(exclude_none=True, exclude=_NOT_OF_A_NETWORK)
    if recipe.network.start:
        kept["network"]["start"] = Path(recipe.network.start).name
    return {
        **kept,
        **{section: store.settings[section] for section in ("region", "subsample", "split", "store")},
        "layout": [layout_values(layout) for layout in known_layouts(store)],
        "run": run_as_trained(recipe).model_dump(),
    }


def _metrics(fitted: Fitted, material: Material, validation: ClipDataset, form: Form) -> dict[str, Any]:
    """How training went, and accuracy on the validation patients with its doubt."""
    known = validation.targets != UNLABELLED
    right = (fitted.logits.argmax(axis=2) == validation.targets)[known]
    patients = np.array([material.patients.get(name, name) for name in validation.recordings])
    estimate = accuracy_over_patients(right, np.repeat(patients, known.sum(axis=1)).tolist())
    best = fitted.history[fitted.best_epoch - 1]
    return {
        "best_epoch": fitted.best_epoch,
        "history": list(fitted.history),
        "validation": {
            f"{'clip' if form == 'clips' else 'frame'}_accuracy": figure(estimate),
            "macro_f1": best["val_macro_f1"],
            "classes": list(material.classes),
            "labels": class_counts(validation.targets, len(material.classes)).tolist(),
            "confusion": fitted.confusion.tolist(),
        },
    }
