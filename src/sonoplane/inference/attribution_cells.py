"""Where the cells of a layer's maps lie in the network's input, so that maps can be laid over it. Needs torch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from sonoplane.models.causal import TimeConv3d, TimePool3d
from sonoplane.models.network import PlaneNetwork

__all__ = ["Cells", "cells_of", "hooked"]

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """The center of the first cell, and from one to the next, in frames or pixels, along each axis of the input."""

    start: tuple[float, ...]
    step: tuple[float, ...]

    def spread(self, maps: Tensor, size: Shape) -> Tensor:
        """Maps at the size of the input: linear between the centers of cells, and beyond the outermost as there.

        >>> row = torch.tensor([[[0.0, 8.0]]])
        >>> Cells(start=(1.0,), step=(4.0,)).spread(row, (7,)).flatten().tolist()
        [0.0, 0.0, 2.0, 4.0, 6.0, 8.0, 8.0]
        """
        for axis, (start, step, length) in enumerate(zip(self.start, self.step, size, strict=True), 2):
            n_cells = maps.shape[axis]
            place = ((torch.arange(length, device=maps.device) - start) / step).clamp(0, n_cells - 1)
            before = place.floor().long()
            after = (before + 1).clamp(max=n_cells - 1)
            share = (place - before).reshape(-1, *[1] * (maps.ndim - 1 - axis))
            maps = maps.index_select(axis, before) * (1 - share) + maps.index_select(axis, after) * share
        return maps


def cells_of(network: PlaneNetwork, layer: nn.Module, x: Tensor) -> Cells:
    """The cells of a layer, found by following `x` through the convolutions and pools before it.

    A cell lies in the middle of what its layer sees at once; of a causal layer, at the latest frame. Shortcuts are
    passed over: they lead to the same place.
    """
    start, step = [0.0] * (x.ndim - 2), [1.0] * (x.ndim - 2)
    reached = False

    def follow(module: Any, *_: object) -> None:
        if reached:
            return
        for axis, (size, stride, padding) in enumerate(zip(*_sizes(module, x.ndim - 2), strict=True)):
            start[axis] += step[axis] * (size - 1 - padding) / 2
            step[axis] *= stride

    def reach(*_: object) -> None:
        nonlocal reached
        reached = True

    on_the_way: dict[nn.Module, Callable[..., None]] = {
        module: follow
        for name, module in network.named_modules()
        if isinstance(module, _LAYERS) and "shortcut" not in name
    }
    with hooked(on_the_way), hooked({layer: reach}), torch.no_grad():
        network(x)
    return Cells(start=tuple(start), step=tuple(step))


@contextmanager
def hooked(hooks: dict[nn.Module, Callable[..., None]]) -> Iterator[None]:
    """Call these with each module, its inputs and its answer, whenever it answers within."""
    handles = [module.register_forward_hook(hook) for module, hook in hooks.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


_LAYERS = (nn.Conv2d, nn.Conv3d, nn.MaxPool2d, nn.MaxPool3d)


def _sizes(module: Any, n_axes: int) -> tuple[Shape, Shape, Shape]:
    """Kernel, stride, and what is padded before and after taken together, along each axis."""
    size, stride, padding = (
        (given,) * n_axes if isinstance(given, int) else tuple(given)
        for given in (module.kernel_size, module.stride, module.padding)
    )
    both = tuple(2 * each for each in padding)
    if isinstance(module, TimeConv3d | TimePool3d):
        both = (module.past + module.future, *both[1:])
    return size, stride, both
