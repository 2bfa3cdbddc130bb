"""What a training learns from: an archive, and the class of every frame in one of its label tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from sonoplane.clips.labels import classes_of, frame_labels
from sonoplane.clips.splits import audit
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.models.card import Card
from sonoplane.records import Label
from sonoplane.steps.archived import check_input_fits
from sonoplane.steps.input_card import input_card
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.twins import audit_twins

__all__ = ["Material", "read_material"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """An archive with the labels of one task."""

    store: Archive
    task: str
    rows: tuple[Label, ...] = field(repr=False)
    card: Card
    """What a network that learns from it is given, and answers."""
    targets: Mapping[str, Int64[np.ndarray, "time"]] = field(repr=False)
    """The class number of every frame of each recording; -1 where it has none."""

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the numbers."""
        return self.card.classes

    @property
    def parts(self) -> dict[str, str]:
        """Which part of the archive's split each recording is in."""
        return {entry.id: entry.split for entry in self.store.entries if entry.split}

    @property
    def patients(self) -> dict[str, str]:
        """Whose each recording is."""
        return {entry.id: entry.patient for entry in self.store.entries if entry.patient}

    @property
    def studies(self) -> dict[str, str]:
        """The study of each recording."""
        return {entry.id: entry.study for entry in self.store.entries if entry.study}


def read_material(archive: Path | str, task: str, recipe: Recipe) -> Material:
    """Read the labels of a task, and see that no patient and no near-duplicate is in two parts.

    Raises:
        LabelError: the archive has no such table.
        SplitError: a patient is in two parts, or near-duplicates are.
        UsageError: the archive was prepared for another input than the recipe's.
    """
    store = open_archive(archive)
    rows = store.labels(task)
    classes = classes_of(rows)
    card = input_card(recipe.input, classes)
    check_input_fits(store, card)
    material = Material(
        store=store,
        task=task,
        rows=rows,
        card=card,
        targets={entry.id: frame_labels(rows, entry.id, entry.n_frames, classes) for entry in store.entries},
    )
    audit(material.parts, material.patients, material.studies)
    audit_twins(store, recipe.duplicates)
    return material
