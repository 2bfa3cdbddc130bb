"""OpenVINO runs the network: from an exported model, or from graphs that are written from the bundle's weights."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sonoplane.inference.graph import Piece, clip_graph, frame_graph, piece_graph
from sonoplane.inference.layers import Layer
from sonoplane.inference.layers import lost as lost_by
from sonoplane.inference.openvino_cache import compiled
from sonoplane.inference.pieces import (
    BETWEEN_ENDS,
    Answered,
    Engine,
    Inputs,
    PieceAnswer,
    Pieces,
    has_ends,
    laid_out,
    starts,
)
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.silent import new_core
from sonoplane.inference.ways import Way

if TYPE_CHECKING:
    import openvino

__all__ = [
    "DenseOpenVino",
    "OpenVino",
    "called",
    "engines",
    "from_layers",
    "has_bf16",
    "hints_of",
    "stateful",
]

#: So many frames are at hand for each core, so that none waits for Python.
_EACH = 2
_NONE = np.empty((0, 0), np.float32)


class OpenVino:
    """A model that answers a batch of frames, or of clips: each core takes the next of them when it has answered one.

    Cores that share one frame must wait for each other at every layer, above all where they decode as well. In a live
    feed a single frame is asked for: there all cores share it.
    """

    name = "openvino"

    def __init__(self, model: Path | bytes, settings: RunSettings) -> None:
        self.precision: str = settings.arithmetic
        self._streams = 1 if settings.piece == 1 else min(settings.threads or _most_streams(), settings.batch)
        self._ready = _compiled(model, settings, self._streams)
        self._mine = self.rows()

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Logits of a batch."""
        return np.stack([*self._mine.go_on(inputs), *self._mine.end()])

    def rows(self) -> "_Rows":
        """Begin to answer batches that come one after the other."""
        return _Rows([self._ready.create_infer_request() for _ in range(_EACH * self._streams)])


class _Rows:
    """Frames, or clips, on their way; the answers come out in order, the last of them at the end."""

    def __init__(self, requests: "list[openvino.InferRequest]") -> None:
        self._free = requests
        self._busy: deque[openvino.InferRequest] = deque()

    def go_on(self, inputs: np.ndarray) -> np.ndarray:
        """Take a batch; the answers that had to be waited for meanwhile."""
        answers = []
        for place in range(len(inputs)):
            if not self._free:
                answers.append(self._oldest())
            self._busy.append(self._free.pop())
            self._busy[-1].start_async([inputs[place : place + 1]])
        return np.stack(answers) if answers else _NONE

    def end(self) -> np.ndarray:
        """All other answers."""
        return np.stack([self._oldest() for _ in range(len(self._busy))]) if self._busy else _NONE

    def _oldest(self) -> np.ndarray:
        request = self._busy.popleft()
        self._free.append(request)
        request.wait()
        return np.array(request.get_output_tensor(0).data[0])


class DenseOpenVino:
    """A network that answers all frames of a run, piece by piece; what it remembers stays inside the model.

    `middle` is a model for pieces that hold no end of the run, such as one in int8: few pieces hold one.
    """

    name = "openvino"

    def __init__(
        self,
        layers: Sequence[Layer],
        size: tuple[int, int],
        settings: RunSettings,
        n_frames: int,
        middle: Path | None = None,
    ) -> None:
        self.precision: str = settings.arithmetic
        self.min_frames = lost_by(tuple(layers)) + 1
        self._pieces = _Compiled(layers, size, settings, n_frames, middle)
        if settings.piece == 1:  # live: a stream must not wait in its first frames
            self._pieces.make_ready()

    def dense(self) -> PieceAnswer:
        """Begin a run."""
        return PieceAnswer(Pieces(piece=self._pieces.ends, engine=self._pieces.engine))

    def precision_of(self, n_frames: int) -> str:
        """The arithmetic of a run of so many frames: pieces that may hold an end of it are never in int8."""
        if self.precision != "int8":
            return self.precision
        forms = {
            has_ends(self._pieces.ends, start, n_frames) for start in starts(self._pieces.ends, n_frames)
        }
        coarse = "bf16" if has_bf16() else "float32"
        return " and ".join(coarse if ends else "int8" for ends in sorted(forms))


def from_layers(
    layers: Sequence[Layer], size: tuple[int, int], settings: RunSettings, way: Way, n_frames: int
) -> OpenVino | DenseOpenVino:
    """A chain of layers, ready to answer in this way."""
    if way.mode == "dense":
        return DenseOpenVino(layers, size, settings, n_frames)
    if way.mode == "frame":
        graph = frame_graph(layers, size)
    else:
        graph = clip_graph(layers, size, way.length, minimal_filtering=_is_exact(settings))
    return OpenVino(graph.SerializeToString(), settings)


class _Compiled:
    """The two forms of a piece, each made ready when it is first needed."""

    def __init__(
        self,
        layers: Sequence[Layer],
        size: tuple[int, int],
        settings: RunSettings,
        n_frames: int,
        middle: Path | None,
    ) -> None:
        self._make = layers, size, n_frames
        self._middle = middle
        self._settings = settings
        self._ready: dict[bool, openvino.CompiledModel] = {}

    @cached_property
    def ends(self) -> Piece:
        """The piece that may hold an end of the run."""
        layers, size, n_frames = self._make
        return piece_graph(layers, size, n_frames, ends=True, minimal_filtering=_is_exact(self._settings))

    def make_ready(self) -> None:
        """Compile every form that a run can ask for; a causal network's pieces of one frame have no ends."""
        for ends in (True, False) if self.ends.before or self.ends.delay else (False,):
            self._model(ends=ends)

    def engine(self) -> "_Engine":
        """What runs one run."""
        return _Engine(self)

    def request(self, *, ends: bool) -> "openvino.InferRequest":
        """A request of its own for one run."""
        return self._model(ends=ends).create_infer_request()

    def _model(self, *, ends: bool) -> "openvino.CompiledModel":
        if ends not in self._ready:
            self._ready[ends] = _compiled(self._source(ends=ends), self._settings)
        return self._ready[ends]

    def _source(self, *, ends: bool) -> Path | Piece:
        if self._middle and not ends:
            return self._middle
        layers, size, n_frames = self._make
        if ends:
            return self.ends
        return piece_graph(layers, size, n_frames, ends=False, minimal_filtering=_is_exact(self._settings))


class _Engine:
    """One run; what is remembered moves over when the form of the piece changes."""

    def __init__(self, compiled: _Compiled) -> None:
        self._compiled = compiled
        self._requests: dict[bool, openvino.InferRequest] = {}
        self._form: bool | None = None

    def __call__(self, frames: Inputs, *, ends: tuple[int, int] | None) -> Answered:
        request = self._request(ends=ends is not None)
        inputs: dict[str, np.ndarray] = {"frames": laid_out(frames)}
        if ends is not None:
            inputs |= {"start": np.array([ends[0]]), "length": np.array([ends[1]])}
        return np.array(request.infer(inputs, share_inputs=True)[0])

    def _request(self, *, ends: bool) -> "openvino.InferRequest":
        if ends not in self._requests:
            self._requests[ends] = self._compiled.request(ends=ends)
        if self._form not in (None, ends):
            _move(self._requests[not ends], self._requests[ends])
        self._form = ends
        return self._requests[ends]


def _move(old: "openvino.InferRequest", new: "openvino.InferRequest") -> None:
    known = {state.name: state for state in old.query_state()}
    for state in new.query_state():
        state.state = known[state.name].state


def engines(model: Path, settings: RunSettings) -> Callable[[], Engine]:
    """Makes what takes one run through an exported model of pieces."""
    ready = _compiled(model, settings)
    return lambda: _Exported(ready)


class _Exported:
    """One run through a model that has one form for all pieces."""

    def __init__(self, ready: "openvino.CompiledModel") -> None:
        self._request = ready.create_infer_request()
        self._has_ends = any(each.get_any_name() == "start" for each in ready.inputs)

    def __call__(self, frames: Inputs, *, ends: tuple[int, int] | None) -> Answered:
        start, length = ends or BETWEEN_ENDS
        inputs = {"frames": laid_out(frames)}
        if self._has_ends:
            inputs |= {"start": np.array([start]), "length": np.array([length])}
        return np.array(self._request.infer(inputs, share_inputs=True)[0])


def called(graph: bytes, settings: RunSettings) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """A graph made ready to be called: from its inputs by name to its first output."""
    request = _compiled(graph, settings).create_infer_request()
    return lambda inputs: np.array(request.infer(inputs, share_inputs=True)[0])


def has_bf16() -> bool:
    """Whether this processor computes in bf16."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def stateful(model: "openvino.Model", memory: Sequence[tuple[str, str]]) -> "openvino.Model":
    """The same model, with what it is given and gives of the past kept inside."""
    from openvino import passes

    if memory:
        manager = passes.Manager()
        manager.register_pass(passes.MakeStateful(dict(memory)))
        manager.run_passes(model)
    return model


def _is_exact(settings: RunSettings) -> bool:
    """Whether the arithmetic bears minimal filtering; with fewer digits it would cost accuracy."""
    return settings.arithmetic == "float32"


def hints_of(settings: RunSettings, streams: int = 1) -> dict[str, object]:
    """What OpenVINO is told when it makes a model ready to answer so many inputs at a time.

    >>> hints_of(RunSettings(threads=2))["INFERENCE_NUM_THREADS"]
    2
    """
    # of an int8 model, the layers that were not made coarse, and the pieces with an end of the run
    in_bf16 = settings.arithmetic == "bf16" or (settings.arithmetic == "int8" and has_bf16())
    hints: dict[str, object] = {
        "INFERENCE_PRECISION_HINT": "bf16" if in_bf16 else "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    if streams > 1:
        hints["NUM_STREAMS"] = streams
    if settings.threads:
        hints["INFERENCE_NUM_THREADS"] = settings.threads
    return hints


def _most_streams() -> int:
    """How many frames this processor can answer at a time."""
    return int(_core().get_property("CPU", "RANGE_FOR_STREAMS")[1])


def _compiled(
    source: Path | bytes | Piece, settings: RunSettings, streams: int = 1
) -> "openvino.CompiledModel":
    """An IR with its weights beside it, an ONNX graph, or a piece, made ready to answer so many inputs at a time."""
    core, hints = _core(), hints_of(settings, streams)
    if isinstance(source, Path):
        content = [path.read_bytes() for path in (source, source.with_suffix(".bin"))]
        return compiled(core, content, lambda: core.read_model(source), hints)
    if isinstance(source, bytes):
        return compiled(core, [source], lambda: core.read_model(source), hints)
    graph, memory = source.model.SerializeToString(), source.memory
    content = [graph, repr(memory).encode()]
    return compiled(core, content, lambda: stateful(core.read_model(graph), memory), hints)


_core = cache(new_core)
