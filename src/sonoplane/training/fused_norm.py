"""Batch norm and ReLU in one, for bf16 on a processor: each of its loops reads the activations once.

Torch's own read and write them twice as often, which is most of a training step where convolutions are cheap. The sums
are in float32 and float64, so the answers are those of float32, rounded.
"""

from typing import Any, TypeAlias, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import BFloat16, Float, Float64
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sonoplane.training.bf16_loops import Loop, narrow, run, share, wide

__all__ = ["Norm", "can_fuse", "norm_relu"]

Norm: TypeAlias = nn.BatchNorm2d | nn.BatchNorm3d
Maps: TypeAlias = BFloat16[Tensor, "batch channel *space"]
"""Channels-last."""
PerChannel: TypeAlias = Float64[Tensor, "channel"]

#: Numbers in a row of a loop: a multiple of the channels near this, so that all channels fill vectors of numbers.
_ROW = 512

#: Rows whose sum is taken in float32, before it goes into the float64 one.
_ROWS_AT_ONCE = 64


def can_fuse(norm: Norm, x: Tensor) -> bool:
    """Whether `norm_relu` does what this layer would do with this input."""
    if norm.running_mean is None or norm.momentum is None or not norm.affine:
        return False
    layout = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
    ordered = x.dtype == torch.bfloat16 and x.device.type == "cpu" and x.is_contiguous(memory_format=layout)
    return ordered and x.numel() > x.shape[1]


def norm_relu(norm: Norm, x: Maps) -> Maps:
    """What `norm` answers, negative numbers as 0; in training its statistics follow as they do by themselves."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    if norm.training:
        mean, variance = _moments(x.detach())
        _follow(norm, mean, variance, x.numel() // x.shape[1])
    else:
        mean, variance = norm.running_mean.double(), norm.running_var.double()
    deviation = (variance + norm.eps).sqrt()
    answer: Maps = _NormRelu.apply(x, norm.weight, norm.bias, mean, deviation, norm.training)  # type: ignore[no-untyped-call]  # as torch has it
    return answer


@torch.no_grad()
def _follow(norm: Norm, mean: PerChannel, variance: PerChannel, n: int) -> None:
    """Move the running statistics."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    norm.running_mean.lerp_(mean.to(norm.running_mean), norm.momentum)
    norm.running_var.lerp_((variance * (n / (n - 1))).to(norm.running_var), norm.momentum)
    norm.num_batches_tracked.add_(1)


def _moments(x: Maps) -> tuple[PerChannel, PerChannel]:
    """Mean and variance over all but the channels; both of the distance to one pixel, so that no digit is lost."""
    pixel = x.as_strided((x.shape[1],), (1,)).float()
    first, second = _sums(_sum, x, torch.stack([pixel])) / (x.numel() // x.shape[1])
    return first + pixel, (second - first**2).clamp_(min=0)


class _NormRelu(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Maps,
        weight: Float[Tensor, "channel"],
        bias: Float[Tensor, "channel"],
        mean: PerChannel,
        deviation: PerChannel,
        follows: bool,
    ) -> Maps:
        """`follows`: whether mean and deviation are of this very input."""
        factor = weight / deviation
        lines = torch.stack([factor, bias - mean * factor, mean]).float()
        ctx.save_for_backward(x, lines, deviation)
        ctx.follows = follows
        answer = torch.empty_like(x)
        _each(_normalize, x, lines, answer)
        return answer

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Maps) -> tuple[Tensor | None, ...]:
        x, lines, deviation = ctx.saved_tensors
        layout = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
        gradient = gradient.to(x.dtype).contiguous(memory_format=layout)
        sums = _sums(_sum_gradient, x, lines, gradient)
        of_bias, of_weight = sums[0], sums[1] / deviation
        of_x = None
        if ctx.needs_input_grad[0]:
            n = x.numel() // x.shape[1] if ctx.follows else torch.inf  # a fixed mean does not move with x
            shared = -lines[0] * torch.stack([of_weight / deviation, of_bias]) / n
            of_x = torch.empty_like(x)
            _each(_gradient, x, torch.cat([lines, shared.float()]), of_x, gradient)
        return of_x, of_weight.float(), of_bias.float(), None, None, None


def _sums(
    loop: Loop, x: Maps, lines: Float[Tensor, "lines channel"], *more: Tensor
) -> Float64[Tensor, "2 channel"]:
    """Two sums over each channel, of all threads."""
    n_channels = x.shape[1]
    n_columns = _columns(n_channels)
    parts = torch.zeros(torch.get_num_threads(), 2, n_columns, dtype=torch.float64)
    _each(loop, x, lines, parts, *more)
    return parts.view(len(parts), 2, -1, n_channels).sum(dim=(0, 2))


def _each(loop: Loop, x: Maps, lines: Float[Tensor, "lines channel"], found: Tensor, *more: Tensor) -> None:
    """Run a loop; `lines` are numbers for each channel, in float32."""
    n_columns = _columns(x.shape[1])
    sizes = (x.numel(), n_columns, torch.get_num_threads())
    run(loop, x, lines.repeat(1, n_columns // x.shape[1]), found, *more, sizes=sizes)


def _columns(n_channels: int) -> int:
    return n_channels * max(1, _ROW // n_channels)


@no_type_check  # it is compiled as it stands
def _sum(data):
    """Of x less a number for each channel, and of its square."""
    sizes = numba.carray(data[0], 3, np.int64)
    n, n_columns = sizes[0], sizes[1]
    x = numba.carray(data[1], n, np.uint16)
    pixel = numba.carray(data[2], n_columns, np.float32)
    found = numba.carray(data[3], (sizes[2], 2, n_columns), np.float64)
    thread, first, stop = share((n + n_columns - 1) // n_columns)
    one, square = np.zeros(n_columns, np.float32), np.zeros(n_columns, np.float32)
    for start in range(first, stop, _ROWS_AT_ONCE):
        one[:] = 0
        square[:] = 0
        for row in range(start, min(start + _ROWS_AT_ONCE, stop)):
            x_row = x[row * n_columns : min(n, (row + 1) * n_columns)]
            for i in range(len(x_row)):
                value = wide(x_row[i]) - pixel[i]
                one[i] += value
                square[i] += value * value
        for i in range(n_columns):
            found[thread, 0, i] += one[i]
            found[thread, 1, i] += square[i]


@no_type_check
def _normalize(data):
    """Each x times a factor, plus a shift, negative numbers as 0."""
    sizes = numba.carray(data[0], 3, np.int64)
    n, n_columns = sizes[0], sizes[1]
    x = numba.carray(data[1], n, np.uint16)
    lines = numba.carray(data[2], (3, n_columns), np.float32)
    y = numba.carray(data[3], n, np.uint16)
    factor, shift = lines[0], lines[1]
    _, first, stop = share((n + n_columns - 1) // n_columns)
    for row in range(first, stop):
        x_row = x[row * n_columns : min(n, (row + 1) * n_columns)]
        y_row = y[row * n_columns : min(n, (row + 1) * n_columns)]
        for i in range(len(x_row)):
            value = wide(x_row[i]) * factor[i] + shift[i]
            y_row[i] = narrow(np.float32(0) if value <= 0 else value)  # not a number stays so


@no_type_check
def _sum_gradient(data):
    """Of the gradient where the answer was not cut off, and of its product with x less the mean."""
    sizes = numba.carray(data[0], 3, np.int64)
    n, n_columns = sizes[0], sizes[1]
    x = numba.carray(data[1], n, np.uint16)
    lines = numba.carray(data[2], (3, n_columns), np.float32)
    found = numba.carray(data[3], (sizes[2], 2, n_columns), np.float64)
    gradient = numba.carray(data[4], n, np.uint16)
    factor, shift, mean = lines[0], lines[1], lines[2]
    thread, first, stop = share((n + n_columns - 1) // n_columns)
    one, product = np.zeros(n_columns, np.float32), np.zeros(n_columns, np.float32)
    for start in range(first, stop, _ROWS_AT_ONCE):
        one[:] = 0
        product[:] = 0
        for row in range(start, min(start + _ROWS_AT_ONCE, stop)):
            x_row = x[row * n_columns : min(n, (row + 1) * n_columns)]
            gradient_row = gradient[row * n_columns : min(n, (row + 1) * n_columns)]
            for i in range(len(x_row)):
                value = wide(x_row[i])
                kept = np.float32(0) if value * factor[i] + shift[i] <= 0 else wide(gradient_row[i])
                one[i] += kept
                product[i] += kept * (value - mean[i])
        for i in range(n_columns):
            found[thread, 0, i] += one[i]
            found[thread, 1, i] += product[i]


@no_type_check
def _gradient(data):
    """Of each x: what comes through its own answer, and through the mean and the variance that it is part of."""
    sizes = numba.carray(data[0], 3, np.int64)
    n, n_columns = sizes[0], sizes[1]
    x = numba.carray(data[1], n, np.uint16)
    lines = numba.carray(data[2], (5, n_columns), np.float32)
    of_x = numba.carray(data[3], n, np.uint16)
    gradient = numba.carray(data[4], n, np.uint16)
    factor, shift, mean, by_variance, by_mean = lines[0], lines[1], lines[2], lines[3], lines[4]
    _, first, stop = share((n + n_columns - 1) // n_columns)
    for row in range(first, stop):
        x_row = x[row * n_columns : min(n, (row + 1) * n_columns)]
        gradient_row = gradient[row * n_columns : min(n, (row + 1) * n_columns)]
        of_x_row = of_x[row * n_columns : min(n, (row + 1) * n_columns)]
        for i in range(len(x_row)):
            value = wide(x_row[i])
            kept = np.float32(0) if value * factor[i] + shift[i] <= 0 else wide(gradient_row[i])
            of_x_row[i] = narrow(factor[i] * kept + (value - mean[i]) * by_variance[i] + by_mean[i])
