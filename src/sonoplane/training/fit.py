"""Train a network on labelled frames and keep the weights of its lowest validation loss."""

import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from jaxtyping import Float32, Int64
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader

from sonoplane.errors import UsageError
from sonoplane.models.card import Card
from sonoplane.models.card_tensor import CardValues
from sonoplane.models.network import PlaneNetwork
from sonoplane.training.frames_dataset import Batch, FrameDataset
from sonoplane.training.module import FrameClassifier
from sonoplane.training.settings import AugmentationSettings, TrainingSettings

__all__ = ["EpochLine", "Fitted", "answers", "check_input", "fit"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochLine:
    """What one epoch came to."""

    epoch: int
    """From 1."""
    epochs: int
    train_loss: float
    val_loss: float
    val_accuracy: float
    frames_per_s: float
    best: bool
    """The lowest validation loss so far."""

    def __str__(self) -> str:
        return (
            f"epoch {self.epoch}/{self.epochs}  loss {self.train_loss:.3f}  "
            f"validation loss {self.val_loss:.3f}, accuracy {self.val_accuracy:.3f}  "
            f"{self.frames_per_s:.0f} frames/s{'  best' if self.best else ''}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """A trained network and how it came about."""

    network: PlaneNetwork = field(repr=False)
    history: tuple[dict[str, float], ...]
    best_epoch: int
    """From 1."""


def fit(
    network: PlaneNetwork,
    card: Card,
    train: FrameDataset,
    validation: FrameDataset,
    *,
    training: TrainingSettings,
    augmentation: AugmentationSettings,
    on_step: Callable[[int, int], None] = lambda done, total: None,
    on_epoch: Callable[[EpochLine], None] = lambda line: None,
) -> Fitted:
    """Train `network`; `on_step` hears of every batch, `on_epoch` of every epoch.

    Raises:
        UsageError: there is nothing to train or to validate on.
    """
    for part, data in (("training", train), ("validation", validation)):
        if not len(data):
            raise UsageError(
                f"No labelled frame is left for {part}.",
                advice="Label recordings of more patients, or change the split's fractions.",
            )
    network.train()  # the framework keeps the mode that it finds
    module = FrameClassifier(
        network,
        card,
        training=training,
        augmentation=augmentation,
        class_weights=_class_weights(train.targets, len(card.classes), training.class_weights),
    )
    with TemporaryDirectory() as folder, _quiet():
        best = ModelCheckpoint(dirpath=folder, monitor="val_loss", mode="min", save_weights_only=True)
        trainer = _trainer(training, [best, _Telling(on_step, on_epoch)])
        with _interruptible():
            trainer.fit(module, *_loaders(train, validation, training))
        if trainer.received_sigterm:
            raise KeyboardInterrupt
        if not any(math.isfinite(row["val_loss"]) for row in module.history):
            raise UsageError(
                "Training diverged: the validation loss was never a number.",
                advice="Lower --training.learning-rate, and look at the labels and the input.",
            )
        state = torch.load(best.best_model_path, weights_only=True)["state_dict"]
    module.load_state_dict(state)
    losses = [row["val_loss"] for row in module.history]
    return Fitted(
        network=network.eval(), history=tuple(module.history), best_epoch=int(np.nanargmin(losses)) + 1
    )


def _trainer(training: TrainingSettings, callbacks: list[lightning.Callback]) -> lightning.Trainer:
    patience = EarlyStopping(monitor="val_loss", mode="min", patience=training.patience)
    return lightning.Trainer(
        max_epochs=training.epochs,
        devices=1,
        precision="bf16-mixed" if training.precision == "bf16" else "32-true",
        callbacks=[*callbacks, patience],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        gradient_clip_val=1.0,
    )


def _loaders(
    train: FrameDataset, validation: FrameDataset, training: TrainingSettings
) -> tuple[DataLoader[Batch], DataLoader[Batch]]:
    """Training frames in drawn order, validation frames in theirs."""
    shuffled = DataLoader(
        train,
        batch_size=training.batch,
        shuffle=True,
        generator=torch.Generator().manual_seed(training.seed),
        collate_fn=_as_is,
        drop_last=len(train) > training.batch,
    )
    return shuffled, DataLoader(validation, batch_size=training.batch, collate_fn=_as_is)


def check_input(network: PlaneNetwork, card: Card) -> None:
    """Raise a UsageError where the card's size is too small for the network's pools."""
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 1, *card.size))
            network.train()
    except RuntimeError as error:
        raise UsageError(
            f"An input of {card.size[0]} x {card.size[1]} is too small for this network.",
            advice="Give a larger --input.height and --input.width.",
        ) from error


def answers(network: PlaneNetwork, card: Card, frames: FrameDataset) -> Int64[np.ndarray, "frames"]:
    """The likeliest class of every frame of a data set, by its number."""
    values = CardValues(card)
    found = []
    with torch.inference_mode():
        for start in range(0, len(frames), 64):
            images = frames.__getitems__(range(start, min(start + 64, len(frames)))).images
            found.append(network(values(images)).argmax(dim=1).numpy())
    return np.concatenate(found)


@contextmanager
def _interruptible() -> Iterator[None]:
    """The framework turns Ctrl-C into an exit; make it Ctrl-C again."""
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error


def _as_is(batch: Any) -> Batch:
    """The data set makes whole batches itself."""
    made: Batch = batch
    return made


def _class_weights(
    targets: Int64[np.ndarray, "frames"], n_classes: int, weigh: bool
) -> Float32[torch.Tensor, "classes"]:
    """Inverse class frequency, with mean 1 over the frames; absent classes weigh 1."""
    counts = np.bincount(targets, minlength=n_classes)
    if not weigh:
        return torch.ones(n_classes)
    present = np.count_nonzero(counts)
    weights = np.where(counts, len(targets) / (present * np.maximum(counts, 1)), 1.0)
    return torch.tensor(weights, dtype=torch.float32)


class _Telling(lightning.Callback):
    """Says how far training has come."""

    def __init__(self, on_step: Callable[[int, int], None], on_epoch: Callable[[EpochLine], None]) -> None:
        self._on_step = on_step
        self._on_epoch = on_epoch
        self._began = 0.0
        self._best = float("inf")

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: Any) -> None:
        self._began = time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, *rest: Any) -> None:
        batches = int(trainer.num_training_batches)
        self._on_step(trainer.global_step, batches * int(trainer.max_epochs or 1))

    def on_validation_end(self, trainer: lightning.Trainer, module: Any) -> None:
        row = module.history[-1]
        loader: Any = trainer.train_dataloader
        self._on_epoch(
            EpochLine(
                epoch=trainer.current_epoch + 1,
                epochs=int(trainer.max_epochs or 1),
                train_loss=row["train_loss"],
                val_loss=row["val_loss"],
                val_accuracy=row["val_accuracy"],
                frames_per_s=len(loader.dataset) / (time.monotonic() - self._began),
                best=row["val_loss"] < self._best,
            )
        )
        self._best = min(self._best, row["val_loss"])


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the training framework's own talk, and its advice on loader workers, out of the output."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
