"""How wrong a batch of answers is: cross entropy or focal loss, weighed by class; what has no label does not count."""

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn
from torch.nn import functional

from sonoplane.clips.labels import UNLABELLED
from sonoplane.training.samples import class_counts

__all__ = ["LabelLoss", "class_weights"]


class LabelLoss(nn.Module):
    """The loss of answers with labels, as a sum and the weight it is to be divided by, so that parts add up.

    >>> loss = LabelLoss(torch.ones(2))
    >>> total, weight = loss(torch.tensor([[[0.0, 0.0], [9.0, 0.0]]]), torch.tensor([[1, -1]]))
    >>> round(float(total), 4), float(weight)
    (0.6931, 1.0)

    Source of the focal loss: Lin et al., Focal loss for dense object detection, ICCV 2017, equation 5.
    """

    weights: Float[Tensor, "classes"]

    def __init__(
        self, weights: Float[Tensor, "classes"], *, smoothing: float = 0.0, gamma: float = 0.0
    ) -> None:
        super().__init__()
        self.register_buffer("weights", weights)
        self.smoothing = smoothing
        self.gamma = gamma

    def forward(
        self, logits: Float[Tensor, "batch answers classes"], targets: Int64[Tensor, "batch answers"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The sum over all answers with a label, and the weight of these."""
        flat, labels = logits.flatten(0, 1).float(), targets.flatten()
        losses = functional.cross_entropy(
            flat,
            labels,
            self.weights,
            ignore_index=UNLABELLED,
            reduction="none",
            label_smoothing=self.smoothing,
        )
        known = labels != UNLABELLED
        classes = labels.clamp(min=0)
        if self.gamma:
            right = flat.softmax(dim=1).gather(1, classes[:, None]).squeeze(1)
            losses = losses * (1 - right).clamp(min=1e-6) ** self.gamma
        return losses.sum(), (self.weights[classes] * known).sum()


def class_weights(
    targets: Int64[np.ndarray, "samples answers"], n_classes: int
) -> Float32[Tensor, "classes"]:
    """Inverse class frequency, with mean 1 over the labels; absent classes weigh 1.

    >>> class_weights(np.array([[0], [0], [0], [1]]), 3).tolist()
    [0.6666666865348816, 2.0, 1.0]
    """
    counts = class_counts(targets, n_classes)
    present = np.count_nonzero(counts)
    weights = np.where(counts, counts.sum() / (max(present, 1) * np.maximum(counts, 1)), 1.0)
    return torch.tensor(weights, dtype=torch.float32)
