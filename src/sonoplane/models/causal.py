"""Layers that reach through time, and can go on from their last inputs in place of starting anew.

Over a whole clip such a layer pads time itself. Over a run that comes in pieces it remembers its last inputs: the
same numbers, since the past is then there to be seen, and padding stands at the true ends alone. A causal layer
pads the past only, so it answers each frame as it comes; a centered one answers when the next frame has come.
"""

from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Memory", "TimeConv3d", "TimeLayer", "TimePool3d", "go_on"]

Memory: TypeAlias = Float[Tensor, "_ _ _ _ _"]
"""The last inputs of one layer: `batch channel time height width`."""


class TimeConv3d(nn.Conv3d):
    """A convolution over time and space without bias, as long, high and wide in its answer as in its input."""

    def __init__(self, n_in: int, n_out: int, kernel: tuple[int, int, int], *, causal: bool = False) -> None:
        time, height, width = kernel
        within = 0 if causal else time // 2
        super().__init__(n_in, n_out, kernel, padding=(within, height // 2, width // 2), bias=False)
        self.past = time - 1 if causal else time // 2
        """How many frames of zeros stand before the first."""
        self.future = within
        """How many stand after the last."""

    @property
    def reach(self) -> int:
        """How many frames it sees besides one."""
        return self.kernel_size[0] - 1

    def forward(
        self, x: Float[Tensor, "batch n_in time height width"]
    ) -> Float[Tensor, "batch n_out time height width"]:
        """Convolve a whole clip."""
        return super().forward(x if self.future else _pad(x, before=self.past))

    def within(
        self, x: Float[Tensor, "batch n_in longer height width"]
    ) -> Float[Tensor, "batch n_out time height width"]:
        """Convolve where all that it sees is there: the answer is shorter by `reach`."""
        _, height, width = self.kernel_size
        return functional.conv3d(x, self.weight, padding=(0, height // 2, width // 2))


class TimePool3d(nn.MaxPool3d):
    """The largest of each 2x2x2 places: half as high and wide, and shorter by a frame if not causal."""

    def __init__(self, *, causal: bool = False) -> None:
        super().__init__((2, 2, 2), stride=(1, 2, 2))
        self.past = 1 if causal else 0
        """How many frames of zeros stand before the first."""
        self.future = 0

    @property
    def reach(self) -> int:
        """How many frames it sees besides one."""
        return 1

    def forward(
        self, x: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch channel _ _ _"]:
        """Pool a whole clip."""
        return self.within(_pad(x, before=self.past) if self.past else x)

    def within(
        self, x: Float[Tensor, "batch channel longer height width"]
    ) -> Float[Tensor, "batch channel _ _ _"]:
        """Pool without padding: the answer is a frame shorter."""
        pooled: Tensor = super().forward(x)
        return pooled


TimeLayer: TypeAlias = TimeConv3d | TimePool3d


def go_on(layer: TimeLayer, x: Tensor, memory: Tensor, *, last: bool) -> tuple[Tensor | None, Tensor]:
    """Answer for the frames `x` that follow what the layer remembers, and what it remembers then.

    Memory begins as `layer.past` zeros. With `last`, the zeros after the end follow too. The answer is None while too
    little has come.
    """
    joined = torch.cat([memory, x], dim=2)
    if last and layer.future:
        joined = _pad(joined, after=layer.future)
    length = joined.shape[2]
    kept = joined[:, :, max(0, length - layer.reach) :].clone()  # of a view, all that was joined would stay
    return (layer.within(joined) if length > layer.reach else None), kept


def _pad(x: Tensor, *, before: int = 0, after: int = 0) -> Tensor:
    return functional.pad(x, (0, 0, 0, 0, before, after))
