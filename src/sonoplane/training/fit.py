"""Train a network on samples of an archive and keep the weights of its best epoch."""

import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from jaxtyping import Float32, Int64

from sonoplane.errors import UsageError
from sonoplane.models.card import Card
from sonoplane.models.network import PlaneNetwork
from sonoplane.training.clips_dataset import ClipDataset
from sonoplane.training.course import Course, Row
from sonoplane.training.keeping import CHECKPOINT, EpochLine, Keeper, read_checkpoint
from sonoplane.training.kept_memory import kept_memory
from sonoplane.training.loading import ClipData
from sonoplane.training.loss import class_weights
from sonoplane.training.module import PlaneClassifier, laid_out
from sonoplane.training.settings import AugmentationSettings, TrainingSettings

__all__ = ["EpochLine", "Fitted", "check_input", "check_parts", "fit", "leads"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """A trained network and how it came about."""

    network: PlaneNetwork = field(repr=False)
    """With the weights of the best epoch, on the CPU, in evaluation mode."""
    history: tuple[Row, ...]
    best_epoch: int
    """From 1."""
    logits: Float32[np.ndarray, "samples answers classes"] = field(repr=False)
    """What the best epoch answers to the validation samples."""
    confusion: Int64[np.ndarray, "truth answer"]
    """Of the best epoch, on validation."""


def fit(
    network: PlaneNetwork,
    card: Card,
    train: ClipDataset,
    validation: ClipDataset,
    *,
    dense: bool = False,
    training: TrainingSettings,
    augmentation: AugmentationSettings,
    folder: Path,
    fingerprint: str = "",
    restart: bool = False,
    loggers: Sequence[Any] = (),
    callbacks: Sequence[lightning.Callback] = (),
    on_step: Callable[[int, int], None] = lambda done, total: None,
    on_epoch: Callable[[EpochLine], None] = lambda line: None,
) -> Fitted:
    """Train `network`; `on_step` hears of every batch, `on_epoch` of every epoch, and `loggers` get its row.

    After every epoch `folder` holds all that is needed to go on, and a call with the same `fingerprint` does, unless
    told to `restart`; on a CPU the weights are then those of a training that was never stopped. The folder is the
    caller's to remove. In several processes, those that do not lead end here, with SystemExit.

    Raises:
        UsageError: there is nothing to train or to validate on; the folder is of another training; it diverged.
    """
    check_parts(train, validation)
    if restart and leads():
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    course = Course(monitor=training.monitor, patience=training.patience, epochs=training.epochs)
    before = None if restart else read_checkpoint(folder, fingerprint)
    if before:
        course.resume(before["sonoplane"])
    n_classes = len(card.classes)
    network.train()  # the framework keeps the mode that it finds
    module = PlaneClassifier(
        laid_out(network, channels_last=training.channels_last),
        card,
        training=training,
        augmentation=augmentation,
        dense=dense,
        class_weights=class_weights(train.targets, n_classes)
        if training.class_weights
        else torch.ones(n_classes),
        validation_targets=torch.from_numpy(validation.targets),
        course=course,
    )
    if not course.over:
        keeper = Keeper(folder, fingerprint=fingerprint, on_step=on_step, on_epoch=on_epoch)
        data = ClipData(train, validation, n_classes=n_classes, settings=training)
        with torch.random.fork_rng(devices=[]), _quiet(), _interruptible():
            trainer = _trainer(training, [*callbacks, keeper], loggers)
            with kept_memory() if trainer.strategy.root_device.type == "cpu" else nullcontext():
                trainer.fit(
                    module, data, ckpt_path=folder / CHECKPOINT if before else None, weights_only=True
                )
        if trainer.received_sigterm:
            raise KeyboardInterrupt
        if not trainer.is_global_zero:
            raise SystemExit(0)
        after = read_checkpoint(
            folder, fingerprint
        )  # what was trained in a process started for it is known there
        if after:
            course.resume(after["sonoplane"])
    return _fitted(network, course)


def leads() -> bool:
    """Whether this process is the one that tells and writes, of all that train together."""
    return int(getattr(lightning.utilities.rank_zero_only, "rank", None) or 0) == 0


def check_input(network: PlaneNetwork, card: Card, n_frames: int = 1, *, dense: bool = False) -> None:
    """Raise a UsageError where the card's size, or a clip, is too small for the network, or it has no dense form."""
    shape = (n_frames, *card.size) if network.takes_clips else card.size
    trial = deepcopy(network).to("meta").eval()
    try:
        (trial.dense if dense else trial)(torch.zeros(2, 1, *shape, device="meta"))
    except RuntimeError as error:
        raise UsageError(
            f"An input of {card.size[0]} x {card.size[1]} is too small for this network.",
            advice="Give a larger --input.height and --input.width.",
        ) from error


def check_parts(train: ClipDataset, validation: ClipDataset) -> None:
    """Raise a UsageError where nothing is labelled to learn from, or to choose the epoch by."""
    for part, data in (("training", train), ("validation", validation)):
        if not (data.targets >= 0).any():
            raise UsageError(
                f"No labelled frame or clip is left for {part}.",
                advice="Label recordings of more patients, change the split's fractions, or cut shorter clips.",
            )


def _fitted(network: PlaneNetwork, course: Course) -> Fitted:
    best = course.best
    if best is None:
        raise UsageError(
            "Training diverged: the validation loss was never a number.",
            advice="Lower --training.learning-rate, and look at the labels and the input;"
            " then begin anew with --restart.",
        )
    plain = laid_out(network.cpu(), channels_last=False)
    plain.load_state_dict(best.weights)
    return Fitted(
        network=plain.eval(),
        history=tuple(course.history),
        best_epoch=best.epoch,
        logits=best.logits.numpy(),
        confusion=best.confusion.numpy(),
    )


def _trainer(
    training: TrainingSettings, callbacks: list[lightning.Callback], loggers: Sequence[Any]
) -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=training.epochs,
        accelerator=training.accelerator,
        devices=training.devices,
        num_nodes=training.nodes,
        strategy=training.strategy,
        precision="bf16-mixed" if training.precision == "bf16" else "32-true",
        accumulate_grad_batches=training.accumulate,
        gradient_clip_val=training.clip_gradient or None,
        callbacks=callbacks,
        logger=list(loggers) or False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


@contextmanager
def _interruptible() -> Iterator[None]:
    """The framework turns Ctrl-C into an exit; make it Ctrl-C again."""
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error


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
