"""Minimal filtering in time: four frames of a convolution over three from 6 convolutions of single frames, not 12.

The transforms are F(4, 3) of Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (CVPR 2016), with the
points 0, 1, -1, 2, -2 and infinity: y = A((G g) * (B d)), of six frames d and the three frames g of a kernel.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32

from sonoplane.inference.graph_writer import Writer
from sonoplane.inference.layers import Conv, Layer, Pool, lost

__all__ = ["Fours", "gains", "is_quicker", "joined", "latest", "layer_of_fours", "scaled", "split"]

Kernel: TypeAlias = Float32[np.ndarray, "n_out n_in 1 height width"]

_B = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_G = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_A = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)
#: Multiplications of a kernel's frame for each value that it reads or answers; with fewer, the transforms cost what
#: they save. 3D convolutions from 32 channels to 64 just gain, those from 32 to 32 and those of one place do not.
_LEAST_WORK = 180
#: Shorter runs fill the last four so badly that nothing is left of the gain.
_LEAST_FRAMES = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Fours:
    """A run of frames in four parts: frames 0, 4, 8, ..., frames 1, 5, 9, ..., and so on."""

    parts: tuple[str, ...]
    """Each `batch channel time height width`."""
    held: tuple[int, ...]
    """Frames of each part; they may be more than the run has."""
    n_frames: int
    """Frames of the run, without those before it."""
    past: str = ""
    """The frames before the run, in order; zeros where it has no name."""
    n_past: int = 0
    """How many they are."""


def is_quicker(layer: Layer, n_frames: int) -> bool:
    """Whether a layer gains by it on a run of so many frames, the transforms included."""
    if not isinstance(layer, Conv) or layer.reach != 2 or layer.stride != 1 or n_frames < _LEAST_FRAMES:
        return False
    n_out, n_in, _, rows, columns = layer.weight.shape
    return bool(rows * columns * n_in * n_out / (n_in + n_out) >= _LEAST_WORK)


def gains(layers: Sequence[Layer], n_frames: int) -> bool:
    """Whether any layer does, on a clip of so many frames."""
    return any(
        is_quicker(layer, n_frames - lost(tuple(layers[:place]))) for place, layer in enumerate(layers)
    )


def split(graph: Writer, x: str, n_frames: int) -> Fours:
    """A run as fours."""
    parts = tuple(graph.slice(x, [i], [n_frames], [2], steps=[4]) for i in range(4))
    return Fours(parts=parts, held=tuple(_count(n_frames, i) for i in range(4)), n_frames=n_frames)


def joined(graph: Writer, run: Fours) -> str:
    """A run in order."""
    starts = np.cumsum([0, *run.held])
    order = [int(starts[i % 4]) + i // 4 for i in range(run.n_frames)]
    return graph.add("Gather", graph.add("Concat", *run.parts, axis=2), graph.numbers(order), axis=2)


def latest(graph: Writer, run: Fours, n_frames: int, as_name: str) -> None:
    """The last frames of a run and what was before it, in order."""
    first = run.n_past + run.n_frames - n_frames
    frames = [_every_fourth(graph, run, first + i, 1) for i in range(n_frames)]
    graph.add("Concat", *frames, axis=2, as_name=as_name)


def scaled(graph: Writer, run: Fours, factors: str) -> Fours:
    """Each frame times its factor, the frames before the run too; a factor is `1 1 time 1 1`."""
    end = run.n_past + run.n_frames
    own = [graph.slice(factors, [run.n_past + i], [end], [2], steps=[4]) for i in range(4)]
    counts = tuple(_count(run.n_frames, i) for i in range(4))
    frames = [_every_fourth(graph, run, run.n_past + i, count) for i, count in enumerate(counts)]
    past = run.past
    if past:
        past = graph.add("Mul", past, graph.slice(factors, [0], [run.n_past], [2]))
    parts = tuple(graph.add("Mul", *pair) for pair in zip(frames, own, strict=True))
    return replace(run, parts=parts, held=counts, past=past)


def layer_of_fours(graph: Writer, run: Fours, layer: Layer, *, pad: bool) -> Fours:
    """One layer; without `pad`, all frames that it sees are there."""
    if pad:
        run = replace(run, n_past=layer.past)
    seen = run.n_past + run.n_frames
    n_frames = seen - layer.reach + (layer.future if pad else 0)
    n_groups = -(-n_frames // 4)
    answer = Fours(parts=(), held=(n_groups,) * 4, n_frames=n_frames)
    if isinstance(layer, Conv):
        return replace(answer, parts=_convolved(graph, run, layer, n_groups))
    return replace(answer, parts=_pooled(graph, run, layer, n_groups))


def _convolved(graph: Writer, run: Fours, layer: Conv, n_groups: int) -> tuple[str, ...]:
    seen = [_every_fourth(graph, run, i, n_groups) for i in range(6)]
    products = []
    for place, (factors, kernel) in enumerate(zip(_B, _kernels(layer), strict=True)):
        bias = [graph.constant(layer.bias)] * (place == 1)  # every answer holds this product once
        products.append(
            graph.add(
                "Conv",
                _sum(graph, factors, seen),
                graph.constant(kernel),
                *bias,
                kernel_shape=list(kernel.shape[2:]),
                pads=[0, layer.pad, layer.pad] * 2,
            )
        )
    answers = tuple(_sum(graph, factors, products) for factors in _A)
    return tuple(graph.add("Relu", x) for x in answers) if layer.relu else answers


def _kernels(layer: Conv) -> Iterator[Kernel]:
    """Its six kernels of one frame, rounded once."""
    for factors in np.array(_G):
        kernel = np.tensordot(layer.weight, factors, (2, 0))  # in float64, as the factors are
        yield kernel[:, :, None].astype(np.float32)


def _pooled(graph: Writer, run: Fours, layer: Pool, n_groups: int) -> tuple[str, ...]:
    """The largest of each two frames, after the largest within each frame."""
    run = replace(
        run,
        parts=tuple(_pooled_frames(graph, x) for x in run.parts),
        past=_pooled_frames(graph, run.past) if run.past else "",
    )
    seen = [_every_fourth(graph, run, i, n_groups) for i in range(4 + layer.reach)]
    return tuple(graph.add("Max", *seen[i : i + 1 + layer.reach]) for i in range(4))


def _pooled_frames(graph: Writer, x: str) -> str:
    return graph.add("MaxPool", x, kernel_shape=[1, 2, 2], strides=[1, 2, 2])


def _sum(graph: Writer, factors: tuple[int, ...], terms: list[str]) -> str:
    """The sum of terms times their factors."""
    scaled = [
        term if factor == 1 else graph.add("Mul", term, graph.number(factor))
        for factor, term in zip(factors, terms, strict=True)
        if factor
    ]
    return graph.add("Sum", *scaled)


def _every_fourth(graph: Writer, run: Fours, first: int, n_frames: int) -> str:
    """So many frames, from a first one on; number 0 is the oldest before the run, and zeros come after it.

    The run has so many frames that some of each part are among them.
    """
    group, part = divmod(first - run.n_past, 4)
    n_past = max(0, -group)
    start = max(0, group)
    stop = min(group + n_frames, _count(run.n_frames, part))
    x = run.parts[part]
    if (start, stop) != (0, run.held[part]):
        x = graph.slice(x, [start], [stop], [2])
    if n_past and run.past:
        before = graph.slice(run.past, [first], [run.n_past], [2], steps=[4])
        x = graph.add("Concat", before, x, axis=2)
    lacking = [0 if run.past else n_past, group + n_frames - stop]
    if any(lacking):
        x = graph.add("Pad", x, graph.numbers([0, 0, lacking[0], 0, 0, 0, 0, lacking[1], 0, 0]))
    return x


def _count(n_frames: int, part: int) -> int:
    """How many of so many frames are in a part."""
    return (n_frames - part + 3) // 4
