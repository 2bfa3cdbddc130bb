"""3D convolutions in bf16 on a processor, as 2D ones wherever they can be.

Most are: 1x3x3 convolves every frame as an image, and 3x1x1 an image that has a frame in each row. oneDNN is faster in
2D, and sound: in 3D its `brgconv_bwd_w:avx10_1_512_amx` (oneDNN 3.12, in torch 2.13) writes outside its memory, and
training dies with `free(): invalid pointer`. Where a convolution reaches through both, answers and gradients of inputs
are right; gradients of weights are worked out here as those of 2D convolutions, one for each clip and tap in time.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

__all__ = ["SafeConv3d"]

Shape = Sequence[int]


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
        ctx.dtype, ctx.shapes, ctx.form = weight.dtype, (x.shape, weight.shape), _form(weight.shape, *shape)
        x, half = (each.bfloat16().contiguous(memory_format=torch.channels_last_3d) for each in (x, weight))
        x, half = _flat(x, ctx.form), _flat(half, ctx.form, is_weight=True)
        parts = {"clip": slice(None), "frames": slice(1, None), "pixels": slice(None, None, 2)}
        ctx.how = (*(each[parts[ctx.form]] for each in shape), False, (0,) * (x.ndim - 2), groups)
        ctx.save_for_backward(x, half)
        with torch.autocast("cpu", enabled=False):
            answer = torch.ops.aten.convolution(x, half, None, *ctx.how)
        return _clips(answer, ctx.form, ctx.shapes[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        gradient = gradient.bfloat16().contiguous(memory_format=torch.channels_last_3d)
        gradient = _flat(gradient, ctx.form)
        for_x, for_weight = ctx.needs_input_grad[:2]
        by_taps = for_weight and ctx.form == "clip"
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, *ctx.how, [for_x, for_weight and not by_taps, False]
        )
        if by_taps:
            of_weight = _by_taps(gradient, x, weight, ctx.how)
        return (
            _clips(of_x, ctx.form, ctx.shapes[0]) if for_x else None,
            of_weight.reshape(ctx.shapes[1]).to(ctx.dtype) if for_weight else None,
            None,
            None,
        )


def _form(weight: Shape, stride: Shape, padding: Shape, dilation: Shape) -> str:
    """As what a clip is seen by a convolution: that reaches through space only, through time only, through both."""
    if (weight[2], stride[0], padding[0]) == (1, 1, 0):
        return "frames"
    if (*weight[3:], *stride[1:], *padding[1:]) == (1, 1, 1, 1, 0, 0):
        return "pixels"
    return "clip"


def _flat(x: Tensor, form: str, *, is_weight: bool = False) -> Tensor:
    """A clip, or a weight, as this form has it."""
    batch, channels, time, height, width = x.shape
    if form == "frames":
        return _seen(x, (batch if is_weight else batch * time, channels, height, width))
    return _seen(x, (batch, channels, time, height * width)) if form == "pixels" else x


def _clips(x: Tensor, form: str, clips: Shape) -> Tensor:
    """The clips again; what this form has flattened is as large as in the shape `clips`."""
    if form == "frames":
        return _seen(x, (clips[0], x.shape[1], clips[2], *x.shape[2:]))
    return _seen(x, (*x.shape[:3], *clips[3:])) if form == "pixels" else x


def _seen(x: Tensor, shape: Shape) -> Tensor:
    """The same numbers, channels last, in another shape.

    Strides are all that a shape asks for, also where a size is 1: torch's batch norm tells the order of the numbers by
    them, and its gradients are wrong (2.13) where two tensors in the same order differ in such a stride.
    """
    x = x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
    strides, step = [0, 1], shape[1]
    for size in reversed(shape[2:]):
        strides.insert(2, step)
        step *= size
    return x.as_strided(shape, [step, *strides[1:]])


def _by_taps(gradient: Tensor, x: Tensor, weight: Tensor, how: Any) -> Tensor:
    """For each tap the gradient of a 2D convolution, over the frames that it joins; the sum over the clips, float32."""
    stride, padding, dilation, *_, groups = how
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
