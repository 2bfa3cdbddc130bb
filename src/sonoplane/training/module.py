"""One step of learning, as the training framework wants it told."""

import math
from typing import Any

import pytorch_lightning as lightning
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sonoplane.models.card import Card
from sonoplane.models.card_tensor import normalize
from sonoplane.training.augment import augment
from sonoplane.training.frames_dataset import Batch
from sonoplane.training.settings import AugmentationSettings, TrainingSettings

__all__ = ["FrameClassifier"]


class FrameClassifier(lightning.LightningModule):
    """A network that names single frames, with its loss, its optimizer and its validation figures.

    Validation loss and accuracy are over the whole set, never a mean of batch means.
    """

    def __init__(
        self,
        network: nn.Module,
        card: Card,
        *,
        training: TrainingSettings,
        augmentation: AugmentationSettings,
        class_weights: Float[Tensor, "classes"],
    ) -> None:
        super().__init__()
        self.network = network
        self.card = card
        self.settings = training
        self.augmentation = augmentation
        self.loss = nn.CrossEntropyLoss(class_weights, label_smoothing=training.label_smoothing)
        self._draws = torch.Generator().manual_seed(training.seed)
        self._train_loss: list[Tensor] = []
        self._validation: list[tuple[Tensor, Tensor]] = []
        self.history: list[dict[str, float]] = []

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Loss of one batch of varied frames."""
        varied = augment(_gray(batch), self.augmentation, self._draws)
        loss: Tensor = self.loss(self._logits(varied), batch.targets)
        self._train_loss.append(loss.detach())
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        """Keep the answers of one batch until the epoch ends."""
        self._validation.append((self._logits(_gray(batch)).float(), batch.targets))

    def on_validation_epoch_end(self) -> None:
        """Figures over the whole validation set."""
        logits = torch.cat([row[0] for row in self._validation])
        targets = torch.cat([row[1] for row in self._validation])
        self._validation.clear()
        loss = self.loss(logits, targets)
        accuracy = (logits.argmax(dim=1) == targets).float().mean()
        self.log_dict({"val_loss": loss, "val_accuracy": accuracy})
        if self._train_loss:
            train_loss = float(torch.stack(self._train_loss).mean())
            self._train_loss.clear()
            self.history.append(
                {
                    "epoch": float(self.current_epoch),
                    "train_loss": train_loss,
                    "val_loss": float(loss),
                    "val_accuracy": float(accuracy),
                }
            )

    def configure_optimizers(self) -> Any:
        """The optimizer, and a learning rate that warms up and falls along a half cosine."""
        settings = self.settings
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        rate, decay = settings.learning_rate, settings.weight_decay
        optimizer: torch.optim.Optimizer
        if settings.optimizer == "sgd":
            optimizer = torch.optim.SGD(parameters, rate, momentum=0.9, weight_decay=decay, nesterov=True)
        elif settings.optimizer == "adamw":
            optimizer = torch.optim.AdamW(parameters, rate, weight_decay=decay)
        else:
            optimizer = torch.optim.Adam(parameters, rate)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share_of_rate(step, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _logits(self, gray: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch classes"]:
        values = normalize(gray.squeeze(1), self.card.normalization).unsqueeze(1)
        logits: Tensor = self.network(values.contiguous(memory_format=torch.channels_last))
        return logits


def _share_of_rate(step: int, steps: int) -> float:
    """How much of the largest learning rate a step has: a fifth of the steps up, then half a cosine down.

    >>> [round(_share_of_rate(step, 10), 2) for step in range(10)]
    [0.5, 1.0, 1.0, 0.96, 0.85, 0.69, 0.5, 0.31, 0.15, 0.04]
    """
    warm = max(1, steps // 5)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _gray(batch: Batch) -> Float[Tensor, "batch 1 height width"]:
    """Gray levels 0 to 255, the float mean of the channels."""
    images = batch.images.float()
    return (images.mean(dim=-1) if images.ndim == 4 else images).unsqueeze(1)
