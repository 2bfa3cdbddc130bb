"""The one block that every network here is built from, and how it reaches through time."""

from math import prod
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sonoplane.models.plan import BATCH_NORM_EPS

__all__ = ["KERNELS", "Init", "Kernel", "Unit", "initialize", "layer", "pool"]

Kernel: TypeAlias = tuple[int, int, int]
"""Time, height, width."""
Init: TypeAlias = Literal["normal", "uniform"]
"""Kaiming initialization: which distribution."""

#: How a 3x3 neighborhood reaches through time: all that differs inside the family. Each entry is a
#: convolution with batch norm of its own; a row without time is built from 2D layers.
KERNELS: dict[str, tuple[Kernel, ...]] = {"2d": ((1, 3, 3),)}


class Unit(nn.Module):
    """One convolution, with batch norm or a bias, and ReLU unless its answer is meant to be negative too."""

    def __init__(self, conv: nn.Module, norm: nn.Module | None, *, relu: bool) -> None:
        super().__init__()
        self.conv = conv
        self.norm = norm
        self.relu = nn.ReLU(inplace=True) if relu else None

    def forward(self, x: Float[Tensor, "batch n_in *space"]) -> Float[Tensor, "batch n_out *smaller"]:
        """Convolve, normalize, rectify."""
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        return x if self.relu is None else self.relu(x)


def layer(kind: str, n_in: int, n_out: int, *, reach: int = 3, relu: bool = True) -> nn.Sequential:
    """One convolution as this kind does it: as many units as its row of `KERNELS` has entries.

    `reach` 3 is a neighborhood, padded so that the size stays; 1 is a single pixel of a single frame.
    """
    row = KERNELS[kind] if reach == 3 else tuple((1, 1, 1) for _ in KERNELS[kind])
    widths = [n_in, *[n_out] * len(row)]
    return nn.Sequential(
        *(
            _unit(kind, kernel, before, after, relu=relu)
            for kernel, before, after in zip(row, widths, widths[1:], strict=False)
        )
    )


def pool(kind: str) -> nn.Module:
    """Half the height and width; where the kind knows time, also the larger of each two frames, stride 1."""
    if _has_time(kind):
        return nn.MaxPool3d((2, 2, 2), stride=(1, 2, 2))
    return nn.MaxPool2d(2)


def initialize(network: nn.Module, init: Init = "normal", generator: torch.Generator | None = None) -> None:
    """Draw all convolutions anew (Kaiming, for ReLU); batch norm begins as the identity, biases at zero."""
    draw = nn.init.kaiming_normal_ if init == "normal" else nn.init.kaiming_uniform_
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            draw(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.reset_parameters()


def _has_time(kind: str) -> bool:
    return prod(time for time, _, _ in KERNELS[kind]) > 1


def _unit(kind: str, kernel: Kernel, n_in: int, n_out: int, *, relu: bool) -> Unit:
    time, height, width = kernel
    if _has_time(kind):
        padding = (time // 2, height // 2, width // 2)
        conv: nn.Module = nn.Conv3d(n_in, n_out, kernel, padding=padding, bias=False)
        return Unit(conv, nn.BatchNorm3d(n_out, eps=BATCH_NORM_EPS), relu=relu)
    conv = nn.Conv2d(n_in, n_out, (height, width), padding=(height // 2, width // 2), bias=False)
    return Unit(conv, nn.BatchNorm2d(n_out, eps=BATCH_NORM_EPS), relu=relu)
