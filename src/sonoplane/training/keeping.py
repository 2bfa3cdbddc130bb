"""What a training leaves on its way: after every epoch all that is needed to go on from there, and a log."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch

from sonoplane.errors import UsageError
from sonoplane.training.course import Best, Course, history_csv
from sonoplane.training.module import PlaneClassifier

__all__ = ["CHECKPOINT", "HISTORY", "LOG", "EpochLine", "Keeper", "read_checkpoint"]

#: The files: the first to go on with, the others for people.
CHECKPOINT, HISTORY, LOG = "last.ckpt", "history.csv", "train.log"


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochLine:
    """What one epoch came to."""

    epoch: int
    """From 1."""
    epochs: int
    train_loss: float
    val_loss: float
    val_accuracy: float
    val_macro_f1: float
    clips_per_s: float
    """Of the training part of the epoch, in all processes."""
    left_s: float
    """If no epoch is left out."""
    best: bool
    """The best so far."""

    def __str__(self) -> str:
        left = f"{self.left_s:.0f} s" if self.left_s < 100 else f"{self.left_s / 60:.0f} min"
        return (
            f"epoch {self.epoch}/{self.epochs}  loss {self.train_loss:.3f}  validation loss {self.val_loss:.3f}, "
            f"accuracy {self.val_accuracy:.3f}, macro F1 {self.val_macro_f1:.3f}  "
            f"{self.clips_per_s:.3g} clips/s, {left} left{'  best' if self.best else ''}"
        )


class Keeper(lightning.Callback):
    """Writes the row of every epoch, keeps the best weights, saves, tells, and says when to stop."""

    def __init__(
        self,
        folder: Path,
        *,
        fingerprint: str,
        on_step: Callable[[int, int], None],
        on_epoch: Callable[[EpochLine], None],
    ) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._on_step = on_step
        self._on_epoch = on_epoch
        self._began = self._trained = 0.0

    def on_save_checkpoint(self, trainer: lightning.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        """Put what is ours beside what the framework saves."""
        checkpoint["sonoplane"] = {"fingerprint": self._fingerprint, **module.course.state()}

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Start the clock."""
        self._began = self._trained = time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, *rest: Any) -> None:
        """Say how far it is, in batches."""
        n_batches = int(trainer.num_training_batches)
        done = trainer.current_epoch * n_batches + rest[-1] + 1
        self._trained = time.monotonic()
        if trainer.is_global_zero:
            self._on_step(done, n_batches * module.settings.epochs)

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """The epoch is over, validation too."""
        course: Course = module.course
        row = {
            "epoch": float(trainer.current_epoch),
            **module.training_figures(),
            **module.figures,
            "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
            "clips_per_s": _n_clips(trainer, module) / max(self._trained - self._began, 1e-9),
            "seconds": time.monotonic() - self._began,
        }
        best = course.is_best(row)
        course.history.append(row)
        if best:
            course.best = _best(module, epoch=trainer.current_epoch + 1)
        for logger in trainer.loggers:
            logger.log_metrics(row, step=trainer.global_step)
        self._save(trainer, course)
        trainer.should_stop = trainer.should_stop or course.over
        if trainer.is_global_zero:
            self._tell(_line(course, best=best))

    def _save(self, trainer: lightning.Trainer, course: Course) -> None:
        fresh = self._folder / f".{CHECKPOINT}.new"
        trainer.save_checkpoint(fresh)  # in every process: some strategies gather what they have
        if trainer.is_global_zero:
            with fresh.open("rb") as file:
                os.fsync(file.fileno())
            fresh.replace(self._folder / CHECKPOINT)
            (self._folder / HISTORY).write_text(history_csv(course.history), encoding="utf-8")

    def _tell(self, line: EpochLine) -> None:
        with (self._folder / LOG).open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")
        self._on_epoch(line)


def read_checkpoint(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """What an earlier training left there to go on with; None where there is nothing.

    Raises:
        UsageError: it cannot be read, or it is of other settings, samples or labels.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        ours = checkpoint["sonoplane"]
        found = ours["fingerprint"]
    except Exception as error:  # a damaged file can raise anything
        raise UsageError(
            "The training that was begun here cannot be gone on with: what it left is damaged.",
            advice="Begin anew with --restart.",
        ) from error
    if found != fingerprint:
        raise UsageError(
            f"A training was begun here with other settings, recordings or labels; it has done "
            f"{len(ours['history'])} epochs.",
            advice="Give the settings of before to go on, --restart to begin anew, or another --out.",
        )
    return checkpoint


def _best(module: PlaneClassifier, *, epoch: int) -> Best:
    weights = {
        name: value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, value in module.answering.state_dict().items()
    }
    return Best(
        epoch=epoch,
        weights=weights,
        logits=module.validation_logits.clone(),
        confusion=module.validation_confusion.clone(),
    )


def _line(course: Course, *, best: bool) -> EpochLine:
    row, n_done = course.history[-1], len(course.history)
    pace = sum(row["seconds"] for row in course.history[-3:]) / len(course.history[-3:])
    return EpochLine(
        epoch=n_done,
        epochs=course.epochs,
        train_loss=row["train_loss"],
        val_loss=row["val_loss"],
        val_accuracy=row["val_accuracy"],
        val_macro_f1=row["val_macro_f1"],
        clips_per_s=row["clips_per_s"],
        left_s=0.0 if course.over else pace * (course.epochs - n_done),
        best=best,
    )


def _n_clips(trainer: lightning.Trainer, module: PlaneClassifier) -> int:
    """Clips trained on in an epoch, in all processes."""
    loader: Any = trainer.train_dataloader
    return int(loader.n_samples * trainer.world_size)
