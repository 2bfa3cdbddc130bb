"""The graphs of a chain of layers, as ONNX: frames, clips, and a run of frames that comes in pieces of one length.

A piece goes on where the one before it ended: the graph is given what layers saw last, and gives what they saw now.
Layers on large images are cheap to repeat and dear to remember, so the first blocks of long pieces remember at their
start only; all else remembers at every layer. What a piece answers belongs to frames that came `delay` frames before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from sonoplane.inference.fours import Fours, gains, is_quicker, joined, latest, layer_of_fours, scaled, split
from sonoplane.inference.graph_writer import FLOAT, INT64, UINT8, Writer
from sonoplane.inference.layers import Conv, Layer
from sonoplane.inference.layers import lost as lost_by
from sonoplane.models.normalization import TINY, Normalization

if TYPE_CHECKING:
    from onnx import ModelProto
else:
    ModelProto: TypeAlias = Any

__all__ = ["Piece", "clip_graph", "frame_graph", "piece_frames", "piece_graph"]

#: A piece has so many frames, or fewer where one layer's answer to it would take more bytes than that: enough to hold
#: all that a SonoNet sees of a run's start, and not many more, since those that a run does not fill are wasted.
_MOST_FRAMES, _MOST_BYTES = 20, 2**27
#: In pieces of so many frames or more, so many blocks remember at their start only.
_LONG, _LARGE_BLOCKS = 8, 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """The graph that takes a piece of a run, and what must be known to use it.

    Inputs are `frames` (1 channel time height width), `past0`, `past1`, ..., which begin as zeros, and, where the piece
    may hold an end of the run, `start` (the number of its first frame) and `length` (of the run; as long as it is not
    known, a large number). Outputs are `logits` (time classes), `next0`, `next1`, ...: the past of the next piece.
    """

    model: ModelProto
    memory: tuple[tuple[str, str], ...]
    """Each past with its next."""
    n_frames: int
    """Frames of a piece."""
    delay: int
    """Row i is the score map with the number `start` + i - `delay`."""
    lost: int
    """How many frames more a run has than score maps."""
    before: int
    """Pieces that start before this frame need `ends`: layers would see what they made of frames before the run."""


def frame_graph(
    layers: Sequence[Layer],
    size: tuple[int, int] | tuple[str, str],
    values: Normalization | None = None,
    *,
    color: bool = False,
) -> ModelProto:
    """From `frames` to `logits` (batch classes), each frame by itself; see `clip_graph` for the rest."""
    graph = Writer()
    x = _input(graph, "frames", ["batch"], layers, size, values, color=color, timed=False)
    graph.answer(_classes(graph, _through(graph, x, layers, timed=False), axes=[2, 3]), ["batch", "classes"])
    return graph.model()


def clip_graph(
    layers: Sequence[Layer],
    size: tuple[int, int] | tuple[str, str],
    n_frames: int,
    values: Normalization | None = None,
    *,
    color: bool = False,
    minimal_filtering: bool = False,
) -> ModelProto:
    """From `clips` of so many frames to `logits` (batch classes).

    The input is what the card makes of frames, float32, `batch channel height width` (of clips: `batch channel time
    height width`). With the card's values inside the graph it is uint8, as the card's geometry leaves it: `batch
    height width`, of clips `batch time height width`, and 3 behind where it has color. Names instead of a height and a
    width leave them open.

    `minimal_filtering` halves the multiplications of large 3D convolutions, for float32 (see `fours`); a graph that
    gains by it takes one clip at a time, as OpenVINO joins the steps of the transforms only where it knows all sizes.
    """
    graph = Writer()
    in_fours = minimal_filtering and gains(layers, n_frames)
    batch: str | int = 1 if in_fours else "batch"
    x = _input(graph, "clips", [batch, n_frames], layers, size, values, color=color, timed=True)
    x = _through(graph, x, layers, timed=True, n_frames=n_frames if in_fours else None)
    graph.answer(_classes(graph, x, axes=[2, 3, 4]), [batch, "classes"])
    return graph.model()


def piece_graph(
    layers: Sequence[Layer],
    size: tuple[int, int],
    n_frames: int,
    values: Normalization | None = None,
    *,
    ends: bool,
    color: bool = False,
    minimal_filtering: bool = False,
) -> Piece:
    """The graph of a piece of a run; with `ends` it may hold the run's first or last frame, which costs some time.

    `minimal_filtering` halves the multiplications of large 3D convolutions, for float32 (see `fours`); what is
    remembered stays the same.

    With the card's values inside the graph, `frames` is uint8 (time height width, and 3 behind where it has color).
    """
    graph = Writer()
    height, width = size
    if values is None:
        x = graph.input("frames", FLOAT, [1, _n_in(layers), n_frames, height, width])
    else:
        x = graph.add(
            "Unsqueeze",
            _values(graph, "frames", [n_frames], size, values, color=color),
            graph.numbers([0, 1]),
        )
    if ends:
        graph.input("start", INT64, [1])
        graph.input("length", INT64, [1])
    memory: list[tuple[str, str]] = []
    channels, length = _n_in(layers), n_frames
    first, gone = (
        0,
        0,
    )  # the number of the first frame of x, beside `start`; how much shorter than the run x is
    before = 0
    run: str | Fours = x
    for place, layer in enumerate(layers):
        reach = _repeated(layers, place, n_frames)
        if first < 0 and layer.padded:
            before = max(before, reach - first)
        if minimal_filtering:
            run = _suited(graph, run, layer, length)
        if reach:
            past, now = f"past{len(memory)}", f"next{len(memory)}"
            graph.input(past, FLOAT, [1, channels, reach, height, width])
            run = _behind(graph, run, past, reach, as_next=now)
            graph.output(now, [1, channels, reach, height, width])
            memory.append((past, now))
            length, first = length + reach, first - reach
        if ends and layer.padded:
            inside = _inside(graph, first, length, gone)
            run = graph.add("Mul", run, inside) if isinstance(run, str) else scaled(graph, run, inside)
        run = _layer(graph, run, layer, timed=True, pad=False)
        length, first, gone = length - layer.reach, first + layer.past, gone + layer.lost
        channels, height, width = _shape(layer, channels, height, width)
    x = graph.add("Transpose", _classes(graph, _in_order(graph, run), axes=[3, 4]), perm=[0, 2, 1])
    graph.answer(graph.add("Squeeze", x, graph.numbers([0])), [n_frames, channels])
    return Piece(
        model=graph.model(),
        memory=tuple(memory),
        n_frames=n_frames,
        delay=-first,
        lost=lost_by(tuple(layers)),
        before=before,
    )


def piece_frames(layers: Sequence[Layer], size: tuple[int, int]) -> int:
    """How many frames of this size a piece should have: enough to be quick, few enough for little memory."""
    first = layers[0]
    assert isinstance(first, Conv)
    return max(1, min(_MOST_FRAMES, _MOST_BYTES // (4 * len(first.bias) * size[0] * size[1])))


def _repeated(layers: Sequence[Layer], place: int, n_frames: int) -> int:
    """How many frames are remembered before a layer: 0, its reach, or that of all layers up to the next such place."""
    starts = [0, *(i + 1 for i, layer in enumerate(layers) if not isinstance(layer, Conv))][
        : _LARGE_BLOCKS + 1
    ]
    if n_frames < _LONG or len(starts) <= _LARGE_BLOCKS or place >= starts[-1]:
        return layers[place].reach
    if place not in starts:
        return 0
    stop = next(start for start in starts if start > place)
    return sum(layer.reach for layer in layers[place:stop])


def _inside(graph: Writer, first: int, length: int, gone: int) -> str:
    """One for each frame that the run has, zero for those before its start and after its end."""
    numbers = graph.add("Add", graph.numbers(range(first, first + length)), "start")
    after = graph.add("Sub", "length", graph.numbers([gone]))
    inside = graph.add(
        "And", graph.add("GreaterOrEqual", numbers, graph.numbers([0])), graph.add("Less", numbers, after)
    )
    return graph.add("Reshape", graph.add("Cast", inside, to=FLOAT), graph.numbers([1, 1, length, 1, 1]))


def _through(
    graph: Writer, x: str, layers: Sequence[Layer], *, timed: bool, n_frames: int | None = None
) -> str:
    """All layers; those that gain take fours, where the number of frames is told."""
    run: str | Fours = x
    for layer in layers:
        if n_frames is not None:
            run = _suited(graph, run, layer, n_frames)
            n_frames -= layer.lost
        run = _layer(graph, run, layer, timed=timed, pad=True)
    return _in_order(graph, run)


def _suited(graph: Writer, run: str | Fours, layer: Layer, n_frames: int) -> str | Fours:
    """Frames as fours where the layer gains by it, in order where it does not; a pool takes either."""
    if is_quicker(layer, n_frames):
        return split(graph, run, n_frames) if isinstance(run, str) else run
    return _in_order(graph, run) if isinstance(layer, Conv) else run


def _in_order(graph: Writer, run: str | Fours) -> str:
    return run if isinstance(run, str) else joined(graph, run)


def _behind(graph: Writer, run: str | Fours, past: str, n_past: int, as_next: str) -> str | Fours:
    """A run behind what was before it; the last frames of both get a name."""
    if isinstance(run, str):
        run = graph.add("Concat", past, run, axis=2)
        graph.latest(run, n_past, as_name=as_next)
    else:
        run = replace(run, past=past, n_past=n_past)
        latest(graph, run, n_past, as_name=as_next)
    return run


def _layer(graph: Writer, x: str | Fours, layer: Layer, *, timed: bool, pad: bool) -> str | Fours:
    """One layer; without `pad`, all frames that it sees are there."""
    if isinstance(x, Fours):
        return layer_of_fours(graph, x, layer, pad=pad)
    if isinstance(layer, Conv):
        weight = layer.weight if timed else layer.weight[:, :, 0]
        before, after = (layer.past, layer.future) if pad else (0, 0)
        around = [layer.pad, layer.pad]
        x = graph.add(
            "Conv",
            x,
            graph.constant(weight),
            graph.constant(layer.bias),
            kernel_shape=list(weight.shape[2:]),
            strides=[*[1] * timed, layer.stride, layer.stride],
            pads=[*[before] * timed, *around, *[after] * timed, *around],
        )
        return graph.add("Relu", x) if layer.relu else x
    if pad and layer.past:
        x = graph.add("Pad", x, graph.numbers([0, 0, layer.past, *[0] * 7]))
    return graph.add(
        "MaxPool", x, kernel_shape=[*[layer.reach + 1] * timed, 2, 2], strides=[*[1] * timed, 2, 2]
    )


def _classes(graph: Writer, x: str, axes: list[int]) -> str:
    """The mean of the class score maps."""
    return graph.add("ReduceMean", x, graph.numbers(axes), keepdims=0)


def _input(
    graph: Writer,
    name: str,
    before: list[str | int],
    layers: Sequence[Layer],
    size: tuple[int, int] | tuple[str, str],
    values: Normalization | None,
    *,
    color: bool,
    timed: bool,
) -> str:
    """Network input, or what makes it of uint8 frames."""
    if values is None:
        return graph.input(name, FLOAT, [before[0], _n_in(layers), *before[1:], *size])
    return graph.add("Unsqueeze", _values(graph, name, before, size, values, color=color), graph.numbers([1]))


def _values(
    graph: Writer,
    name: str,
    before: Sequence[str | int],
    size: tuple[int, int] | tuple[str, str],
    values: Normalization,
    *,
    color: bool,
) -> str:
    """The card's values of uint8 frames, with no axis for channels."""
    x = graph.add("Cast", graph.input(name, UINT8, [*before, *size, *[3] * color]), to=FLOAT)
    if color:
        x = graph.add("ReduceMean", x, graph.numbers([-1]), keepdims=0)
    return _normalized(graph, x, values, n_axes=len(before) + 2)


def _normalized(graph: Writer, x: str, how: Normalization, n_axes: int) -> str:
    """The ONNX twin of `normalization.normalize`; the last two axes are a frame."""
    if how.kind == "standardize-image":
        frame = graph.numbers([-2, -1])
        first = graph.slice(x, [0, 0], [1, 1], [n_axes - 2, n_axes - 1])
        x = graph.add("Sub", x, first)
        x = graph.add("Sub", x, graph.add("ReduceMean", x, frame, keepdims=1))
        variance = graph.add("ReduceMean", graph.add("Mul", x, x), frame, keepdims=1)
        std = graph.add("Max", graph.add("Sqrt", variance), graph.number(TINY))
        return graph.add("Mul", x, graph.add("Div", graph.number(how.scale or 1), std))
    if how.kind == "min-max":
        frame = graph.numbers([-2, -1])
        low = graph.add("ReduceMin", x, frame, keepdims=1)
        high = graph.add("ReduceMax", x, frame, keepdims=1)
        spread = graph.add("Max", graph.add("Sub", high, low), graph.number(TINY))
        return graph.add("Div", graph.add("Sub", x, low), spread)
    x = graph.add("Div", x, graph.number(255))
    if how.kind == "dataset":
        x = graph.add("Sub", x, graph.number(how.mean or 0))
        x = graph.add("Div", x, graph.number(how.std or 1))
    return x


def _n_in(layers: Sequence[Layer]) -> int:
    first = layers[0]
    assert isinstance(first, Conv)
    return int(first.weight.shape[1])


def _shape(layer: Layer, channels: int, height: int, width: int) -> tuple[int, int, int]:
    """Of what a layer answers: channels, height, width."""
    if not isinstance(layer, Conv):
        return channels, height // 2, width // 2
    n_out, _, _, rows, columns = layer.weight.shape
    return (
        n_out,
        (height + 2 * layer.pad - rows) // layer.stride + 1,
        (width + 2 * layer.pad - columns) // layer.stride + 1,
    )
