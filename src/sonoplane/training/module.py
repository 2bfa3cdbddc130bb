"""One step of learning, as the training framework wants it told."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytorch_lightning as lightning
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from sonoplane.clips.labels import UNLABELLED
from sonoplane.models.card import Card
from sonoplane.models.card_tensor import normalize
from sonoplane.models.network import PlaneNetwork
from sonoplane.training.augment import apply
from sonoplane.training.augment_draw import Draw, draw
from sonoplane.training.averaging import averaged_copy, move_average
from sonoplane.training.clips_dataset import NO_SAMPLE, Batch
from sonoplane.training.course import Course, Row, figures_of
from sonoplane.training.loading import seed_of
from sonoplane.training.loss import LabelLoss
from sonoplane.training.schedule import share_of_rate
from sonoplane.training.settings import AugmentationSettings, TrainingSettings

__all__ = ["PlaneClassifier", "laid_out"]

#: What a seed is for.
_AUGMENT, _DROP, _VALIDATE = 1, 2, 3

_OPTIMIZERS: dict[str, Callable[[list[nn.Parameter], float, TrainingSettings], torch.optim.Optimizer]] = {
    "adam": lambda part, rate, s: torch.optim.Adam(part, rate),
    "adamw": lambda part, rate, s: torch.optim.AdamW(part, rate, weight_decay=s.weight_decay),
    "sgd": lambda part, rate, s: torch.optim.SGD(
        part, rate, momentum=s.momentum, weight_decay=s.weight_decay, nesterov=True
    ),
}


class PlaneClassifier(lightning.LightningModule):
    """A network that names frames, clips or each frame of clips, with its loss, its optimizer and its figures.

    Everything random is drawn from seeds that hang on epoch, batch and process alone. Figures are over all samples of
    an epoch, in all processes, never a mean of batch means.
    """

    def __init__(
        self,
        network: PlaneNetwork,
        card: Card,
        *,
        training: TrainingSettings,
        augmentation: AugmentationSettings,
        dense: bool,
        class_weights: Float[Tensor, "classes"],
        validation_targets: Int64[Tensor, "samples answers"],
        course: Course,
    ) -> None:
        super().__init__()
        self.network = network
        self.average = averaged_copy(network) if training.average else None
        self.card = card
        self.settings = training
        self.augmentation = augmentation
        self.dense = dense
        self.loss = LabelLoss(class_weights, smoothing=training.label_smoothing, gamma=training.focal_gamma)
        self.course = course
        self.validation_logits = torch.empty(0)
        self.validation_confusion = torch.empty(0)
        self.figures: Row = {}
        self._n_classes = len(class_weights)
        self._targets = validation_targets
        self._trained = torch.empty(0)

    @property
    def answering(self) -> PlaneNetwork:
        """The network that is validated and kept."""
        return self.network if self.average is None else self.average

    def on_train_epoch_start(self) -> None:
        """Nothing has been counted yet."""
        n_classes = self._n_classes
        self._trained = torch.zeros(2 + n_classes**2, dtype=torch.float64, device=self.device)

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        """Give this step its learning rate."""
        course, trainer = self.course, self.trainer
        n_steps = -(-int(trainer.num_training_batches) // self.settings.accumulate) * self.settings.epochs
        share = share_of_rate(
            self.settings,
            step=trainer.global_step,
            steps=n_steps,
            epoch=trainer.current_epoch,
            losses=course.losses,
        )
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = self.settings.learning_rate * share

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Loss of one batch of varied clips."""
        torch.manual_seed(self._seed(_DROP, index))
        drawn = self._draw(batch, self.augmentation, self._seed(_AUGMENT, index))
        targets = batch.targets
        if self.dense:
            targets = targets.gather(1, drawn.frame_order.to(targets.device))
        logits = self._logits(self.network, apply(_gray(batch), drawn))
        total, weight = self.loss(logits, targets)
        with torch.no_grad():
            counts = _confusion(logits, targets, self._n_classes)
            self._trained += torch.cat([torch.stack([total, weight]).double(), counts.double().flatten()])
        loss: Tensor = total / weight.clamp(min=1e-6)
        return loss

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        """As the framework does it, then the average follows."""
        super().optimizer_step(*arguments, **named)
        if self.average is not None:
            step = self.trainer.global_step
            move_average(self.average, self.network, decay=self.settings.average, step=step)

    def on_validation_epoch_start(self) -> None:
        """Nothing has been answered yet."""
        self.validation_logits = torch.zeros(*self._targets.shape, self._n_classes, device=self.device)

    def validation_step(self, batch: Batch, index: int) -> None:
        """Keep the answers of one batch until the epoch ends."""
        images, settings = _gray(batch), self.augmentation.for_validation()
        if settings.shuffle_frames:
            drawn = self._draw(batch, settings, seed_of(self.settings.seed, _VALIDATE, index))
            images = apply(images, drawn)
        logits = self._logits(self.answering, images).float()
        if settings.shuffle_frames and self.dense:  # back into the order of the labels
            back = drawn.frame_order.argsort(dim=1).to(logits.device)
            logits = logits.gather(1, back[:, :, None].expand_as(logits))
        real = batch.numbers != NO_SAMPLE
        self.validation_logits[batch.numbers[real]] = logits[real]

    def on_validation_epoch_end(self) -> None:
        """Figures over the whole validation set: each process has answered its part, the others' are zeros."""
        logits = self._sum(self.validation_logits)
        targets = self._targets.to(logits.device)
        total, weight = self.loss(logits, targets)
        confusion = _confusion(logits, targets, self._n_classes)
        self.validation_logits, self.validation_confusion = logits.cpu(), confusion.cpu()
        loss = float(total / weight.clamp(min=1e-6))
        self.figures = figures_of("val", loss, self.validation_confusion.numpy())

    def training_figures(self) -> Row:
        """What the training samples of the epoch came to, as they were varied and as the network was then."""
        counted = self._sum(self._trained).cpu()
        confusion = counted[2:].view(self._n_classes, -1).long().numpy()
        return figures_of("train", float(counted[0] / counted[1].clamp(min=1e-6)), confusion)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimizer of all that is trained; its rate is set before every step."""
        settings = self.settings
        part = [p for p in self.network.parameters() if p.requires_grad]
        return _OPTIMIZERS[settings.optimizer](part, settings.learning_rate, settings)

    def _logits(
        self, network: PlaneNetwork, gray: Float[Tensor, "batch 1 time height width"]
    ) -> Float[Tensor, "batch answers classes"]:
        values = normalize(gray.flatten(0, 2), self.card.normalization).view(gray.shape)
        if not network.takes_clips:
            values = values.squeeze(2)
        values = values.contiguous(memory_format=_layout(network, self.settings.channels_last))
        half_on_processor = self.settings.precision == "bf16" and values.device.type == "cpu"
        with _bf16_layers(network) if half_on_processor else nullcontext():
            return network.dense(values) if self.dense else network(values)[:, None]

    def _draw(self, batch: Batch, settings: AugmentationSettings, seed: int) -> Draw:
        n_clips, time, height, width = batch.images.shape[:4]
        dice = torch.Generator().manual_seed(seed)
        return draw(settings, n_clips, (time, height, width), dice)

    def _seed(self, purpose: int, index: int) -> int:
        return seed_of(self.settings.seed, purpose, self.trainer.current_epoch, index, self.global_rank)

    def _sum(self, part: Tensor) -> Tensor:
        """The sum over all processes."""
        summed: Tensor = self.trainer.strategy.reduce(part, reduce_op="sum")
        return summed


def laid_out(network: PlaneNetwork, *, channels_last: bool) -> PlaneNetwork:
    """The same network, its weights in this order in memory."""
    format = _layout(network, channels_last)
    network.to(memory_format=format)  # type: ignore[call-overload]  # torch's stubs leave this form out
    return network


def _bf16_layers(network: PlaneNetwork) -> AbstractContextManager[None]:
    """Loads Numba, which other trainings do without."""
    from sonoplane.training.bf16_layers import bf16_layers

    return bf16_layers(network)


def _layout(network: PlaneNetwork, channels_last: bool) -> torch.memory_format:
    if not channels_last:
        return torch.contiguous_format
    return torch.channels_last_3d if network.takes_clips else torch.channels_last


def _gray(batch: Batch) -> Float[Tensor, "batch 1 time height width"]:
    """Gray levels 0 to 255, the float mean of the channels."""
    images = batch.images.float()
    return (images.mean(dim=-1) if images.ndim == 5 else images).unsqueeze(1)


def _confusion(
    logits: Float[Tensor, "batch answers classes"], targets: Int64[Tensor, "batch answers"], n_classes: int
) -> Int64[Tensor, "truth answer"]:
    known = targets != UNLABELLED
    pairs = targets[known] * n_classes + logits.argmax(dim=2)[known]
    return torch.bincount(pairs, minlength=n_classes**2).view(n_classes, n_classes)
