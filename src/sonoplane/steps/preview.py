"""What a training would be, and a sheet of what its network would be shown, before an hour is spent on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from PIL import Image as Pillow

from sonoplane.clips.labels import UNLABELLED
from sonoplane.errors import UsageError
from sonoplane.steps.learning import learner_of, samples_of, what_is_learned
from sonoplane.steps.material import Material, read_material
from sonoplane.steps.recipe import Recipe
from sonoplane.training.augmentation_settings import AugmentationSettings
from sonoplane.training.augmentation_sheet import augmentation_sheet
from sonoplane.training.clips_dataset import ClipDataset
from sonoplane.training.fit import check_input, check_parts
from sonoplane.training.loading import seed_of, training_order
from sonoplane.training.samples import form_of

__all__ = ["Preview", "preview"]

#: The sheet shows no more clips than this.
_MOST = 8
_LEAST = 6
_SHOW = 7
"""What the seed is for: other clips than training draws first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What a training would be."""

    network: str
    parameters: int
    trained: int
    """How many of the parameters would learn."""
    samples: int
    """Frames or clips to train on."""
    batches: int
    """In an epoch of one process."""
    epochs: int
    """At most."""
    notes: tuple[str, ...]
    """What there is to learn from, by class, and where the weights are from; a sentence each."""

    def lines(self) -> tuple[str, ...]:
        """All of it, in sentences."""
        part = "all of them learn" if self.trained == self.parameters else f"{self.trained:,} of them learn"
        return (
            *self.notes,
            f"{self.network}: {self.parameters:,} parameters, {part}.",
            f"{self.batches:,} batches an epoch, {self.epochs} epochs at most.",
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {name: getattr(self, name) for name in self.__slots__} | {"notes": list(self.notes)}


def preview(archive: Path | str, *, task: str, recipe: Recipe, out: Path) -> Preview:
    """Write a PNG of some training clips, as they are and varied, and tell what training would be; nothing is trained.

    All that `train` would refuse at its start is refused here, too, but for where its bundle goes.

    Raises:
        UsageError: the archive has no such table, was prepared for another input, or has nothing to train on; `out`
            is no PNG.
        SplitError: a patient is in two parts, or near-duplicates are.
        WeightsError: the weights to start with do not fit the network.
    """
    if out.suffix.lower() != ".png":
        raise UsageError(f"The sheet '{out.name}' is no PNG.", advice="Give it a name that ends in .png.")
    material = read_material(archive, task, recipe)
    learner = learner_of(material, recipe)
    form = form_of(recipe.training, takes_clips=learner.spec.takes_clips)
    training, validation = (
        samples_of(material, material.parts, part, form, recipe) for part in ("train", "validation")
    )
    check_parts(training, validation)
    check_input(learner.network, material.card, training.length, dense=form == "dense")
    sizes = [(part.numel(), part.requires_grad) for part in learner.network.parameters()]
    order = training_order(len(training), batch=recipe.training.batch, seed=0)
    told = Preview(
        network=learner.spec.name,
        parameters=sum(size for size, _ in sizes),
        trained=sum(size for size, learns in sizes if learns),
        samples=len(training),
        batches=len(order),
        epochs=recipe.training.epochs,
        notes=(*what_is_learned(material, training, validation, form), *learner.notes),
    )
    _write(out, _sheet(training, material, recipe, told))
    return told


def _sheet(training: ClipDataset, material: Material, recipe: Recipe, told: Preview) -> np.ndarray:
    shown = _shown(training, len(material.classes), recipe.training.seed)
    images = training.batch(shown).images.float()
    gray = images.mean(dim=-1) if images.ndim == 5 else images
    return augmentation_sheet(
        gray.round().to(torch.uint8).unsqueeze(1),
        recipe.augmentation,
        seed_of(recipe.training.seed, _SHOW),
        captions=[_named(training.targets[number], material.classes) for number in shown],
        footer=("", *told.lines(), *_settings(recipe.augmentation)),
    )


def _shown(training: ClipDataset, n_classes: int, seed: int) -> Int64[np.ndarray, "shown"]:
    """Samples of every class in turn, of other recordings as long as there are; in the order of classes."""
    dice = np.random.default_rng(seed_of(seed, _SHOW))
    first = np.array(
        [next((label for label in row if label != UNLABELLED), -1) for row in training.targets.tolist()]
    )
    recordings = np.array(training.recordings)
    queues = []
    for label in range(n_classes):
        drawn = dice.permutation(np.flatnonzero(first == label))
        _, new = np.unique(recordings[drawn], return_index=True)
        queues.append([*drawn[np.sort(new)], *np.delete(drawn, new)])
    in_turn = [number for turn in zip_longest(*queues) for number in turn if number is not None]
    present = sum(bool(queue) for queue in queues)
    shown = np.array(in_turn[: min(_MOST, max(_LEAST, present))], np.int64)
    return shown[np.lexsort((shown, first[shown]))]


def _named(labels: Sequence[int] | np.ndarray, classes: tuple[str, ...]) -> str:
    """The classes of a sample, in order."""
    names = [classes[label] for label in labels if label != UNLABELLED]
    return ", ".join(dict.fromkeys(names))


def _settings(settings: AugmentationSettings) -> list[str]:
    """The settings of what may happen."""
    values = settings.model_dump()
    off = {
        name.removesuffix("_share") for name, value in values.items() if name.endswith("_share") and not value
    }
    on = [
        f"{name} {value:g}" if not isinstance(value, bool) else f"{name} {'yes' if value else 'no'}"
        for name, value in values.items()
        if name.removesuffix("_share") not in off
    ]
    return [f"[augmentation] {', '.join(on)}."]


def _write(out: Path, sheet: np.ndarray) -> None:
    part = out.with_name(f".{out.name}.part")
    Pillow.fromarray(sheet).convert("L").save(part, format="PNG", optimize=True)
    part.replace(out)
