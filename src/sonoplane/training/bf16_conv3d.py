"""3D convolutions in bf16 on a processor, around a fault of oneDNN.

Its `brgconv_bwd_w:avx10_1_512_amx` (oneDNN 3.12, in torch 2.13) writes outside its memory in 3D: training dies with
`free(): invalid pointer`. Answers and gradients of inputs are right; gradients of weights are worked out here as those
of 2D convolutions, one for each tap in time, or in float32 where there are few channels and that is as fast.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

__all__ = ["SafeConv3d"]

#: With fewer channels float32 is as fast.
_FEWEST_CHANNELS = 32


class SafeConv3d(TorchFunctionMode):
    """Inside it, 3D convolutions without bias compute in bf16 and learn safely."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Take the place of torch's own where it is asked for."""
        if func is torch.nn.functional.conv3d:
            return _conv3d(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    shape = tuple((x,) * 3 if isinstance(x, int) else tuple(x) for x in (stride, padding, dilation))
    answer: Tensor = _Bf16Conv3d.apply(input, weight, shape, groups)  # type: ignore[no-untyped-call]  # as torch has it
    return answer if bias is None else answer + bias.to(answer.dtype)[:, None, None, None]


class _Bf16Conv3d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, shape: Any, groups: int) -> Tensor:
        x, half = x.bfloat16(), weight.bfloat16()
        ctx.save_for_backward(x, half)
        ctx.dtypes = weight.dtype
        ctx.how = (*shape, False, (0, 0, 0), groups)
        with torch.autocast("cpu", enabled=False):
            answer: Tensor = torch.ops.aten.convolution(x, half, None, *ctx.how)
            return answer

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        gradient = gradient.bfloat16()
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x, *_ = torch.ops.aten.convolution_backward(
                gradient, x, weight, None, *ctx.how, [True, False, False]
            )
        if ctx.needs_input_grad[1]:
            stride, padding, dilation, *_, groups = ctx.how
            plain = stride == dilation == (1, 1, 1) and groups == 1
            if plain and min(weight.shape[:2]) >= _FEWEST_CHANNELS:
                of_weight = _by_taps(gradient, x, weight, padding)
            else:
                _, of_weight, _ = torch.ops.aten.convolution_backward(
                    gradient.float(), x.float(), weight.float(), None, *ctx.how, [False, True, False]
                )
            of_weight = of_weight.to(ctx.dtypes)
        return of_x, of_weight, None, None


def _by_taps(gradient: Tensor, x: Tensor, weight: Tensor, padding: tuple[int, int, int]) -> Tensor:
    """For each tap the gradient of a 2D convolution, over the frames that it joins."""
    found = torch.zeros(weight.shape)
    x, gradient = x.transpose(1, 2), gradient.transpose(1, 2)  # batch time channel height width
    for tap in range(weight.shape[2]):
        offset = tap - padding[0]
        start, stop = max(0, -offset), min(gradient.shape[1], x.shape[1] - offset)
        if stop > start:
            seen = x[:, start + offset : stop + offset].flatten(0, 1)
            _, found[:, :, tap], _ = torch.ops.aten.convolution_backward(
                gradient[:, start:stop].flatten(0, 1), seen, weight[:, :, tap], None,
                [1, 1], padding[1:], [1, 1], False, [0, 0], 1, [False, True, False],
            )  # fmt: skip
    return found
