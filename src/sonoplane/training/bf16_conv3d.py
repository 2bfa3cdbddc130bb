"""3D convolutions in bf16 on a processor, around a fault of oneDNN.

Its `brgconv_bwd_w:avx10_1_512_amx` (oneDNN 3.12, in torch 2.13) writes outside its memory in 3D: training dies with
`free(): invalid pointer`. Answers and gradients of inputs are right; gradients of weights are worked out here as those
of 2D convolutions, one for each clip and tap in time, which are also faster than the 3D one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

__all__ = ["SafeConv3d"]


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
            of_weight = _by_taps(gradient, x, weight, ctx.how).to(ctx.dtypes)
        return of_x, of_weight, None, None


def _by_taps(gradient: Tensor, x: Tensor, weight: Tensor, how: Any) -> Tensor:
    """For each tap the gradient of a 2D convolution, over the frames that it joins; the sum over the clips, float32."""
    stride, padding, dilation, *_, groups = how
    # Else the frames of a clip could not be taken without a copy.
    x = x.contiguous(memory_format=torch.channels_last_3d)
    gradient = gradient.contiguous(memory_format=torch.channels_last_3d)
    found = torch.zeros(weight.shape)
    for tap in range(weight.shape[2]):
        shift = tap * dilation[0] - padding[0]  # answer t sees frame t * stride + shift
        first = max(0, -(shift // stride[0]))
        stop = min(gradient.shape[2], (x.shape[2] - 1 - shift) // stride[0] + 1)
        if stop <= first:
            continue
        frames = slice(first * stride[0] + shift, (stop - 1) * stride[0] + shift + 1, stride[0])
        for clip, answer in zip(x, gradient, strict=True):
            _, of_tap, _ = torch.ops.aten.convolution_backward(
                answer[:, first:stop].transpose(0, 1), clip[:, frames].transpose(0, 1), weight[:, :, tap], None,
                stride[1:], padding[1:], dilation[1:], False, [0, 0], groups, [False, True, False],
            )  # fmt: skip
            found[:, :, tap] += of_tap
    return found
