"""The one block that every network here is built from, and how it reaches through time."""

from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sonoplane.models.causal import TimeConv3d, TimePool3d
from sonoplane.models.plan import BATCH_NORM_EPS, UnitPlan, has_time, units

__all__ = ["Init", "Unit", "initialize", "layer", "pool"]

Init: TypeAlias = Literal["normal", "uniform"]
"""Kaiming initialization: which distribution."""


class Unit(nn.Module):
    """One convolution, with batch norm or a bias, and ReLU unless its answer is meant to be negative too."""

    def __init__(self, conv: nn.Module, norm: nn.Module | None, *, relu: bool) -> None:
        super().__init__()
        self.conv = conv
        self.norm = norm
        self.relu = nn.ReLU(inplace=True) if relu else None

    def forward(self, x: Float[Tensor, "batch n_in *space"]) -> Float[Tensor, "batch n_out *smaller"]:
        """Convolve, normalize, rectify."""
        return self.finish(self.conv(x))

    def finish(self, x: Float[Tensor, "batch n_out *space"]) -> Float[Tensor, "batch n_out *space"]:
        """Normalize and rectify what was convolved."""
        if self.norm is not None:
            x = self.norm(x)
        return x if self.relu is None else self.relu(x)


def layer(
    kind: str,
    n_in: int,
    n_out: int,
    *,
    reach: int = 3,
    relu: bool = True,
    causal: bool = False,
    mid_channels: str = "out",
) -> nn.Sequential:
    """One convolution as this kind does it: as many units as its row of `KERNELS` has entries.

    `reach` 3 is a neighborhood, padded so that the size stays; 1 is a single pixel of a single frame.
    """
    plans = units(kind, n_in, n_out, reach=reach, mid_channels=mid_channels)
    return nn.Sequential(*(_unit(kind, plan, relu=relu, causal=causal) for plan in plans))


def pool(kind: str, *, causal: bool = False) -> nn.Module:
    """Half the height and width; where the kind knows time, also the larger of each two frames, stride 1."""
    return TimePool3d(causal=causal) if has_time(kind) else nn.MaxPool2d(2)


def initialize(network: nn.Module, init: Init = "normal", generator: torch.Generator | None = None) -> None:
    """Draw all convolutions anew (Kaiming, for ReLU); batch norm begins as the identity, biases at zero."""
    draw = nn.init.kaiming_normal_ if init == "normal" else nn.init.kaiming_uniform_
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
            draw(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.reset_parameters()


def _unit(kind: str, plan: UnitPlan, *, relu: bool, causal: bool) -> Unit:
    kernel, n_in, n_out = plan
    time, height, width = kernel
    pad = (height // 2, width // 2)
    if not has_time(kind):
        conv: nn.Module = nn.Conv2d(n_in, n_out, (height, width), padding=pad, bias=False)
        return Unit(conv, nn.BatchNorm2d(n_out, eps=BATCH_NORM_EPS), relu=relu)
    if time > 1:
        conv = TimeConv3d(n_in, n_out, kernel, causal=causal)
    else:
        conv = nn.Conv3d(n_in, n_out, kernel, padding=(0, *pad), bias=False)
    return Unit(conv, nn.BatchNorm3d(n_out, eps=BATCH_NORM_EPS), relu=relu)
