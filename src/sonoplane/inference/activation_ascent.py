"""A picture on its way up the gradient of a filter's answer. Needs torch."""

import math

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.nn import functional

from sonoplane.inference.activation_settings import ActivationSettings
from sonoplane.inference.attribution_cells import hooked
from sonoplane.models.blocks import Unit
from sonoplane.models.card_tensor import normalize
from sonoplane.models.network import PlaneNetwork
from sonoplane.models.normalization import Normalization

__all__ = ["ascend"]

#: How much the noise differs from middle gray that a picture begins as.
_START = 0.1


def ascend(
    network: PlaneNetwork,
    layer: nn.Module,
    number: int,
    *,
    how: Normalization,
    shape: tuple[int, int, int],
    seed: int,
    settings: ActivationSettings,
) -> UInt8[np.ndarray, "time height width"]:
    """Change noise of this shape (time, height, width) step by step, by as much each time."""
    device = next(network.parameters()).device
    draw = torch.Generator().manual_seed(seed)
    picture = (_START * torch.randn(shape, generator=draw)).to(device)
    for step in range(settings.steps):
        picture = picture.detach().requires_grad_()
        by = torch.randint(-settings.jitter, settings.jitter + 1, (2,), generator=draw)
        moved = picture.roll((int(by[0]), int(by[1])), dims=(1, 2))
        x = normalize(_levels(moved), how)
        answer = _answer(network, layer, x[None, None] if network.takes_clips else x[:, None])
        (change,) = torch.autograd.grad(answer[:, number].mean(), picture)
        change = _blurred(change, settings.blur * (1 - 0.75 * step / settings.steps))
        change = change / change.std().clamp(min=torch.finfo(change.dtype).tiny)
        picture = (picture + settings.rate * change) * (1 - settings.decay)
    return np.asarray(_levels(picture).round().detach().cpu().numpy(), np.uint8)


def _levels(picture: Tensor) -> Tensor:
    """Gray levels: 0 is the middle, black and white are never quite reached."""
    return 255 * picture.sigmoid()


def _answer(network: PlaneNetwork, layer: nn.Module, x: Tensor) -> Tensor:
    """What a layer answers before its ReLU, which would let no gradient through where it is zero."""
    watched = (layer.norm or layer.conv) if isinstance(layer, Unit) else layer
    kept: list[Tensor] = []
    with hooked({watched: lambda _module, _given, answer: kept.append(answer)}):
        network(x)
    return kept[0]


def _blurred(frames: Tensor, sigma: float) -> Tensor:
    """Each frame smoothed by a Gaussian of so many pixels."""
    radius = min(math.ceil(3 * sigma), min(frames.shape[1:]) - 1)
    if not radius:
        return frames
    places = torch.arange(-radius, radius + 1, device=frames.device)
    weights = torch.exp(-0.5 * (places / sigma).square())
    weights = weights / weights.sum()
    padded = functional.pad(frames[:, None], (radius,) * 4, mode="reflect")
    rows = functional.conv2d(padded, weights.reshape(1, 1, -1, 1))
    return functional.conv2d(rows, weights.reshape(1, 1, 1, -1))[:, 0]
