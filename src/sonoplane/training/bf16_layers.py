"""The layers of a network, as they are fast in bf16 on a processor."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sonoplane.models.blocks import Unit
from sonoplane.training.bf16_conv3d import SafeConv3d
from sonoplane.training.bf16_loops import can_run
from sonoplane.training.fused_norm import Norm, can_fuse, norm_relu

__all__ = ["bf16_layers"]


@contextmanager
def bf16_layers(network: nn.Module) -> Iterator[None]:
    """Inside it, and in the gradients of what was computed there, the network's layers are these; its weights stay.

    Convolutions are those of `bf16_conv3d`. Batch norm and ReLU are one, `fused_norm`, where that can run. Max pooling
    stays in bf16, where autocast would go to float32 and back for the same answers.
    """
    fused = [
        unit for unit in network.modules() if isinstance(unit, Unit) and unit.norm and unit.relu and can_run()
    ]
    for unit in fused:
        unit.finish = partial(_finish, unit)  # type: ignore[method-assign]  # undone below
    try:
        with SafeConv3d(), _HalfPool():
            yield
    finally:
        for unit in fused:
            del unit.finish


class _HalfPool(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        if func is not nn.functional.max_pool3d:
            return func(*args, **(kwargs or {}))
        with torch.autocast("cpu", enabled=False):
            return func(*args, **(kwargs or {}))


def _finish(unit: Unit, x: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
    """As the unit does by itself."""
    assert isinstance(unit.norm, Norm)
    return norm_relu(unit.norm, x) if can_fuse(unit.norm, x) else Unit.finish(unit, x)
