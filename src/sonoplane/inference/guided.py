"""Guided back-propagation from a class score map, as a graph that is written from a chain of layers: no training
framework is needed to say where a network looked.

Forward and backward are one graph. Backward, a convolution is a convolution with its kernel turned round, a pool gives
to the place that was the largest (where several are, each gets its share: flat areas would else count several times),
and a ReLU lets through what is above zero on both ways (Springenberg et al., "Striving for simplicity", ICLR workshop
2015). It starts from the score map of the class, its negative places set to zero, as SonoNet's authors do (Baumgartner
et al., IEEE TMI 36(11), 2017, section III-D).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sonoplane.inference.graph_writer import FLOAT, INT64, Writer
from sonoplane.inference.layers import Conv, Layer, Pool

if TYPE_CHECKING:
    from onnx import ModelProto
else:
    ModelProto: TypeAlias = Any

__all__ = ["guided_graph"]


def guided_graph(layers: Sequence[Layer], size: tuple[int, int], n_frames: int) -> ModelProto:
    """From `clip` (time 1 height width) and `target` (a class's number) to `maps` (time height width).

    Maps are the absolute guided gradients of each pixel. Every clip has `n_frames`; frames before and after it are
    zeros, as in training. Only chains whose last layer is a 1 x 1 x 1 convolution have class score maps.
    """
    graph = Writer()
    timed = any(layer.reach for layer in layers)
    x = graph.input("clip", FLOAT, [n_frames, 1, *size])
    graph.input("target", INT64, [1])
    if timed:
        x = graph.add("Unsqueeze", graph.add("Transpose", x, perm=[1, 0, 2, 3]), graph.numbers([0]))
    run = _Run(name=x, channels=1, time=n_frames, size=size, timed=timed)
    passed = []
    for layer in layers:
        step = _convolved(graph, run, layer) if isinstance(layer, Conv) else _pooled(graph, run, layer)
        passed.append(step)
        run = step.after
    last = layers[-1]
    assert isinstance(last, Conv)
    score_map = graph.add("Relu", graph.add("Gather", run.name, "target", axis=1))
    weight = graph.constant(_kernel(last, timed=timed))
    gradient = graph.add("Mul", score_map, graph.add("Gather", weight, "target", axis=0))
    for step in reversed(passed[:-1]):
        gradient = step.back(graph, gradient)
    flat = graph.add("Squeeze", gradient, graph.numbers([0, 1] if timed else [1]))
    maps = graph.add("Abs", flat, as_name="maps")
    graph.output(maps, [n_frames, *size])
    return graph.model()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """A value of the graph: 1 channels time height width; of a network of single frames time channels height width."""

    name: str
    channels: int
    time: int
    size: tuple[int, int]
    timed: bool

    @property
    def shape(self) -> list[int]:
        """Without height and width."""
        return [1, self.channels, self.time] if self.timed else [self.time, self.channels]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Convolved:
    """A convolution that was passed."""

    layer: Conv
    before: _Run
    after: _Run

    def back(self, graph: Writer, gradient: str) -> str:
        """What of the gradient behind it comes out before it."""
        if self.layer.relu:
            gradient = graph.add("Mul", graph.add("Relu", gradient), graph.add("Sign", self.after.name))
        if self.layer.stride == 1:
            return self._turned_round(graph, gradient)
        return self._spread(graph, gradient)

    def _turned_round(self, graph: Writer, gradient: str) -> str:
        """The same convolution with its kernel turned round and channels exchanged."""
        layer = self.layer
        timed = self.before.timed
        weight = np.flip(_kernel(layer, timed=timed), axis=(-1, -2, -3)[: 2 + timed]).swapaxes(0, 1)
        around = [side - 1 - layer.pad for side in weight.shape[-2:]]
        before, after = [layer.reach - layer.past] * timed, [layer.reach - layer.future] * timed
        return graph.add(
            "Conv",
            gradient,
            graph.constant(weight),
            kernel_shape=list(weight.shape[2:]),
            pads=[*before, *around, *after, *around],
        )

    def _spread(self, graph: Writer, gradient: str) -> str:
        """Each place of a convolution with a stride gives to those that it saw."""
        layer, timed = self.layer, self.before.timed
        weight = _kernel(layer, timed=timed)
        sizes = zip(self.before.size, self.after.size, weight.shape[-2:], strict=True)
        missed = [
            before + 2 * layer.pad - ((after - 1) * layer.stride + side) for before, after, side in sizes
        ]
        return graph.add(
            "ConvTranspose",
            gradient,
            graph.constant(weight),
            output_padding=[*[0] * timed, *missed],
            **_reach(layer, weight, timed=timed),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pooled:
    """A pool that was passed: first each 2 x 2 places, then, where there is time, each two frames."""

    layer: Pool
    before: _Run
    places: _Run
    """The largest of each 2 x 2 places, zeros before the first where the pool has a past."""
    after: _Run

    def back(self, graph: Writer, gradient: str) -> str:
        """What of the gradient behind it comes out before it."""
        if self.layer.reach:
            gradient = self._to_frames(graph, gradient)
        return self._to_places(graph, gradient)

    def _to_frames(self, graph: Writer, gradient: str) -> str:
        """Of each two frames, to the larger, or half to each."""
        n = self.after.time
        largest = [
            _ones_where_equal(
                graph, self.after.name, graph.slice(self.places.name, [first], [first + n], [2])
            )
            for first in (0, 1)
        ]
        share = graph.add("Div", gradient, graph.add("Add", *largest))
        parts = []
        for first in (0, 1):
            pads = [0, 0, first, 0, 0, 0, 0, 1 - first, 0, 0]
            kept = graph.add("Mul", largest[first], share)
            parts.append(graph.add("Pad", kept, graph.numbers(pads)))
        both = graph.add("Add", *parts)
        return graph.slice(both, [self.layer.past], [self.places.time], [2]) if self.layer.past else both

    def _to_places(self, graph: Writer, gradient: str) -> str:
        """Of each 2 x 2 places, to the largest, or as much to each of them; nothing to a row or column left over."""
        rows, columns = self.places.size
        n = self.before.channels * self.before.time
        image = self.before.name
        left_over = [self.before.size[0] - 2 * rows, self.before.size[1] - 2 * columns]
        if any(left_over):
            axis = 2 + self.before.timed
            image = graph.slice(image, [0, 0], [2 * rows, 2 * columns], [axis, axis + 1])
        largest = self.places.name
        if self.layer.past:
            largest = graph.slice(largest, [self.layer.past], [self.places.time], [2])
        whole = graph.numbers([n, rows, 2, columns, 2])
        small = graph.numbers([n, rows, 1, columns, 1])
        ones = _ones_where_equal(
            graph, graph.add("Reshape", image, whole), graph.add("Reshape", largest, small)
        )
        flat = graph.add("Reshape", ones, graph.numbers([1, n, 2 * rows, 2 * columns]))
        share_of_largest = graph.add("AveragePool", flat, kernel_shape=[2, 2], strides=[2, 2])
        quarter = graph.add("Mul", graph.add("Reshape", gradient, small), graph.number(0.25))
        each = graph.add("Div", quarter, graph.add("Reshape", share_of_largest, small))
        kept = graph.add("Mul", ones, each)
        shape = self.before.shape
        kept = graph.add("Reshape", kept, graph.numbers([*shape, 2 * rows, 2 * columns]))
        if any(left_over):
            none = [0] * len(shape)
            kept = graph.add("Pad", kept, graph.numbers([*none, 0, 0, *none, *left_over]))
        return kept


def _convolved(graph: Writer, run: _Run, layer: Conv) -> _Convolved:
    weight = _kernel(layer, timed=run.timed)
    reach = _reach(layer, weight, timed=run.timed)
    name = graph.add("Conv", run.name, graph.constant(weight), graph.constant(layer.bias), **reach)
    after = _Run(
        name=graph.add("Relu", name) if layer.relu else name,
        channels=len(weight),
        time=run.time - layer.lost,
        size=_after(run.size, layer, weight.shape[-2:]),
        timed=run.timed,
    )
    return _Convolved(layer=layer, before=run, after=after)


def _kernel(layer: Conv, *, timed: bool) -> np.ndarray:
    return layer.weight if timed else layer.weight[:, :, 0]


def _reach(layer: Conv, weight: np.ndarray, *, timed: bool) -> dict[str, Any]:
    """Attributes of a convolution, and of its transpose."""
    around = [layer.pad, layer.pad]
    return {
        "kernel_shape": list(weight.shape[2:]),
        "strides": [*[1] * timed, layer.stride, layer.stride],
        "pads": [*[layer.past] * timed, *around, *[layer.future] * timed, *around],
    }


def _after(size: tuple[int, int], layer: Conv, kernel: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of what a convolution answers."""
    rows, columns = (
        (side + 2 * layer.pad - of_kernel) // layer.stride + 1
        for side, of_kernel in zip(size, kernel, strict=True)
    )
    return rows, columns


def _pooled(graph: Writer, run: _Run, layer: Pool) -> _Pooled:
    sides = [*[1] * run.timed, 2, 2]
    name = graph.add("MaxPool", run.name, kernel_shape=sides, strides=sides)
    if layer.past:
        name = graph.add("Pad", name, graph.numbers([0, 0, layer.past, *[0] * 7]))
    size = run.size[0] // 2, run.size[1] // 2
    places = replace(run, name=name, time=run.time + layer.past, size=size)
    if not layer.reach:
        return _Pooled(layer=layer, before=run, places=places, after=places)
    n = places.time - 1
    frames = [graph.slice(name, [first], [first + n], [2]) for first in (0, 1)]
    after = replace(places, name=graph.add("Max", *frames), time=n)
    return _Pooled(layer=layer, before=run, places=places, after=after)


def _ones_where_equal(graph: Writer, one: str, other: str) -> str:
    return graph.add("Cast", graph.add("Equal", one, other), to=FLOAT)
