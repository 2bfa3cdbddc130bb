"""The moving average of a network's weights, which often answers better than the last weights."""

from copy import deepcopy

import torch

from sonoplane.models.network import PlaneNetwork

__all__ = ["averaged_copy", "move_average"]


def averaged_copy(network: PlaneNetwork) -> PlaneNetwork:
    """A second network to hold the average; it answers, but is not trained."""
    average = deepcopy(network).requires_grad_(False)
    return average.eval()


@torch.no_grad()
def move_average(average: PlaneNetwork, network: PlaneNetwork, *, decay: float, step: int) -> None:
    """Move the average, batch norm's statistics too, after step `step` (from 1); early steps count for more.

    The decay is at most (1 + step) / (10 + step), as TensorFlow's ExponentialMovingAverage has it.
    """
    kept = min(decay, (1 + step) / (10 + step))
    for mean, value in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - kept)
        else:
            mean.copy_(value)
