"""From an archive to a bundle."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from sonoplane.clips.labels import UNLABELLED, classes_of, frame_labels
from sonoplane.clips.splits import audit
from sonoplane.errors import UsageError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.metrics.intervals import accuracy_over_patients
from sonoplane.models.bundle import Bundle, check_place, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import build, network_spec, weights_of
from sonoplane.steps.prepare import input_card
from sonoplane.steps.progress import progress, say
from sonoplane.steps.recipe import Recipe, layered
from sonoplane.training.fit import Fitted, answers, check_input, fit
from sonoplane.training.frames_dataset import FrameDataset

__all__ = ["recipe_for", "train"]


def recipe_for(archive: Path, *layers: Mapping[str, Any]) -> Recipe:
    """The recipe of a training: what the archive was prepared for as its input, then the layers, later ones winning."""
    return layered({"input": open_archive(archive).settings.get("input", {})}, *layers)


def train(archive: Path, *, task: str, out: Path, recipe: Recipe, overwrite: bool = False) -> Bundle:
    """Train the recipe's network on one label table of an archive, and save it with how well it did.

    The weights kept are those of the lowest validation loss. The test part is not touched. The bundle's recipe has the
    region and split settings that the archive was prepared with, so that prediction cleans frames as `prepare` did.

    Raises:
        UsageError: the archive has no such table, or was prepared for another input; `out` is not free; training
            diverged.
        SplitError: a patient is in two parts.
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
    targets = {entry.id: frame_labels(rows, entry.id, entry.n_frames, classes) for entry in store.entries}

    def part(name: str, every: int = 1) -> FrameDataset:
        mine = {entry.id: targets[entry.id] for entry in store.entries if entry.split == name}
        if name == "train":
            mine = {id: _only(labels, store.subsample(id)) for id, labels in mine.items()}
        return FrameDataset(store, card, mine, every=every, cache_bytes=recipe.training.cache_gb * 1e9)

    training, validation = part("train", recipe.training.every), part("validation")
    say(f"{task}: {len(training)} frames to train on, {len(validation)} to validate, {len(classes)} classes.")
    spec = network_spec(recipe.network.name, n_classes=len(classes))
    network = build(spec, init=recipe.network.init, seed=recipe.training.seed)
    check_input(network, card)
    with progress("train", "steps") as tell:
        fitted = fit(
            network,
            card,
            training,
            validation,
            training=recipe.training,
            augmentation=recipe.augmentation,
            on_step=tell,
            on_epoch=lambda line: say(str(line)),
        )
    return save_bundle(
        out,
        name=out.name,
        version="1",
        spec=spec,
        card=card,
        weights=weights_of(fitted.network),
        recipe={
            **recipe.model_dump(exclude_none=True),
            **{section: store.settings[section] for section in ("region", "subsample", "split")},
        },
        metrics=_metrics(fitted, card, validation, store),
        overwrite=overwrite,
    )


def _only(
    labels: Int64[np.ndarray, "time"], frames: Int64[np.ndarray, "chosen"]
) -> Int64[np.ndarray, "time"]:
    """The labels of some frames; the others count as unlabelled."""
    kept = np.full_like(labels, UNLABELLED)
    kept[frames] = labels[frames]
    return kept


def _check_geometry(store: Archive, card: Card) -> None:
    if store.geometry not in ("source", f"card:{card.geometry_hash}"):
        raise UsageError(
            "The archive was prepared for another input size or fit than this recipe's.",
            advice="Give the `input` settings it was prepared with, or prepare it again (also possible:"
            " --source-resolution, which serves every input).",
        )


def _metrics(fitted: Fitted, card: Card, validation: FrameDataset, store: Archive) -> dict[str, Any]:
    """How training went, and frame accuracy on the validation patients with its doubt."""
    right = answers(fitted.network, card, validation) == validation.targets
    patients = [store.entry(name).patient or name for name in validation.recordings]
    estimate = accuracy_over_patients(right, patients)
    return {
        "best_epoch": fitted.best_epoch,
        "history": list(fitted.history),
        "validation": {
            "frame_accuracy": {
                "value": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "patients": estimate.n_patients,
                "method": estimate.method,
                "text": str(estimate),
            }
        },
    }
