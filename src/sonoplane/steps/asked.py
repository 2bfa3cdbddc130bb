"""What networks are asked: which recordings of an archive, and the truth about their frames."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
import polars as pl
from jaxtyping import Int64

from sonoplane.clips.labels import frame_labels
from sonoplane.errors import UsageError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.entries import Entry
from sonoplane.models.bundle import Bundle
from sonoplane.steps.out_of_fold import RECORDINGS
from sonoplane.steps.trained_on import is_its_archive, task_of

__all__ = ["Asked", "Part", "ask"]

Part: TypeAlias = Literal["train", "validation", "test", "all", "out-of-fold"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The recordings of one part that have a label, with the classes that the networks know."""

    store: Archive
    task: str
    part: Part
    classes: tuple[str, ...]
    background: str | None
    leave_out: str | None
    """The class that is no answer for a whole recording."""
    names: tuple[str, ...]
    """Of the recordings to answer."""
    targets: Mapping[str, Int64[np.ndarray, "time"]] = field(repr=False)
    """The class number of every frame of every recording of the archive with a label; -1 where it has none."""
    folds: Mapping[str, int] = field(default_factory=dict, repr=False)
    """Recording -> its fold of a cross-validation, from 1; empty where there was none."""
    unseen: bool | None = None
    """No patient was trained on; None where that is not known."""
    notes: tuple[str, ...] = ()
    """What was left out, a sentence each."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Those of the recordings to answer."""
        return tuple(self.store.entry(name) for name in self.names)

    @property
    def learnable(self) -> tuple[str, ...]:
        """Labelled recordings of the archive's part `train`, from which a floor may learn; none of those asked."""
        asked = {self.patient(name) for name in self.names}
        return tuple(
            name
            for name in self.targets
            if self.store.entry(name).split == "train" and self.patient(name) not in asked
        )

    @property
    def has_runs(self) -> bool:
        """Whether the class changes within some recording."""
        return any(len(np.unique(self.targets[name][self.targets[name] >= 0])) > 1 for name in self.names)

    def patient(self, name: str) -> str:
        """Whose a recording is; its own name where nobody knows."""
        return self.store.entry(name).patient or name


def ask(
    archive: Path | str,
    bundles: Sequence[Bundle],
    *,
    part: Part,
    task: str | None,
    background_is_a_view: bool,
) -> Asked:
    """The recordings of the part that have a label of a class which the first network knows.

    Raises:
        UsageError: the task is not clear, the part holds nothing with a label, or out-of-fold answers are asked of
            what is no cross-validation of this archive.
        LabelError: the archive has no such table.
    """
    if part not in get_args(Part):
        raise UsageError(f"There is no part '{part}'.", advice=f"Take one of {', '.join(get_args(Part))}.")
    store = open_archive(archive)
    task = task or _task(store, bundles[0])
    card = bundles[0].card
    rows = store.labels(task)
    known = [row for row in rows if row.label in card.classes]
    notes = []
    if strange := Counter(row.label for row in rows if row.label not in card.classes):
        each = ", ".join(f"{name} ({n})" for name, n in sorted(strange.items()))
        notes.append(f"Labels that the network does not know were left out, with how many there are: {each}.")
    labelled = {row.recording for row in known}
    targets = {
        entry.id: frame_labels(known, entry.id, entry.n_frames, card.classes)
        for entry in store.entries
        if entry.id in labelled
    }
    folds = _folds(bundles, store) if part == "out-of-fold" else {}
    wanted = [entry.id for entry in store.entries if part in ("all", entry.split) or entry.id in folds]
    names = tuple(name for name in wanted if name in targets)
    if not names:
        parts = ", ".join(sorted({entry.split for entry in store.entries if entry.split})) or "none"
        raise UsageError(
            f"Part '{part}' holds no recording with a label that the network knows.",
            advice=f"Give another --split (parts of this archive: {parts}; `all`), or another --task.",
        )
    if len(names) < len(wanted):
        notes.append(f"{len(wanted) - len(names)} of {len(wanted)} recordings have no label: not answered.")
    return Asked(
        store=store,
        task=task,
        part=part,
        classes=card.classes,
        background=card.background,
        leave_out=None if background_is_a_view else card.background,
        names=names,
        targets=targets,
        folds=folds,
        unseen=_unseen(bundles, store, part),
        notes=tuple(notes),
    )


def _task(store: Archive, bundle: Bundle) -> str:
    """The archive's only task, else that which the network was trained on."""
    tasks = store.tasks
    if len(tasks) == 1:
        return tasks[0]
    trained = task_of(bundle)
    if trained in tasks:
        return str(trained)
    raise UsageError(
        f"The archive has {len(tasks)} tasks, and the bundle does not say which it was trained on.",
        advice=f"Say --task: {', '.join(tasks) or 'but there is none'}.",
    )


def _unseen(bundles: Sequence[Bundle], store: Archive, part: Part) -> bool | None:
    """Whether none of the patients was trained on; validation patients chose the epoch, which counts as seen."""
    if part == "out-of-fold":
        return True
    known = all(is_its_archive(bundle, store) for bundle in bundles)
    if part == "test":
        return True if known else None
    return False if known else None


def _folds(bundles: Sequence[Bundle], store: Archive) -> dict[str, int]:
    """The fold of each recording that all ensembles held out alike."""
    found = [_folds_of(bundle, store) for bundle in bundles]
    if any(one != found[0] for one in found):
        raise UsageError(
            "The ensembles shared out the patients between their folds differently.",
            advice="Train them with the same --split.seed, number of folds and archive.",
        )
    return found[0]


def _folds_of(bundle: Bundle, store: Archive) -> dict[str, int]:
    table = bundle.file(RECORDINGS)
    if not bundle.members or table is None:
        raise UsageError(
            f"'{bundle.name}' is no cross-validation, so it has no out-of-fold answers.",
            advice="Take --split test, or train with `--folds 5`.",
        )
    frame = pl.read_csv(table, columns=["recording", "fold"], schema_overrides={"recording": pl.String})
    folds = dict(zip(frame["recording"].to_list(), frame["fold"].to_list(), strict=True))
    there = {entry.id for entry in store.entries}
    if not set(folds) <= there or not is_its_archive(bundle, store):
        raise UsageError(
            f"'{bundle.name}' was cross-validated on another archive, or on this one as it was before.",
            advice="Give the archive that it was trained on, or take --split all.",
        )
    return folds
