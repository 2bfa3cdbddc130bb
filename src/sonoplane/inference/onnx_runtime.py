"""ONNX Runtime runs the network: from an exported model, or from graphs that are written from the bundle's weights."""

from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sonoplane.errors import MissingExtra
from sonoplane.inference.graph import Piece, clip_graph, frame_graph, piece_graph
from sonoplane.inference.layers import Layer
from sonoplane.inference.layers import lost as lost_by
from sonoplane.inference.pieces import BETWEEN_ENDS, Answered, Engine, Inputs, PieceAnswer, Pieces, laid_out
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.silent import new_session
from sonoplane.inference.ways import Way

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["DenseOnnx", "Onnx", "engines", "from_layers"]


class Onnx:
    """A model that answers a batch of frames, or of clips."""

    name = "onnx"
    precision = "float32"

    def __init__(self, model: Path | bytes, settings: RunSettings) -> None:
        self._session = _session(model, settings)
        self._input = self._session.get_inputs()[0].name

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Logits of a batch."""
        return np.asarray(self._session.run(None, {self._input: inputs})[0])


class DenseOnnx:
    """A network that answers all frames of a run, piece by piece; what it remembers leaves the model and comes back."""

    name = "onnx"
    precision = "float32"

    def __init__(
        self, layers: Sequence[Layer], size: tuple[int, int], settings: RunSettings, n_frames: int
    ) -> None:
        self.min_frames = lost_by(tuple(layers)) + 1
        self._piece = piece_graph(layers, size, n_frames, ends=True)
        self._settings = settings

    def dense(self) -> PieceAnswer:
        """Begin a run."""
        return PieceAnswer(Pieces(piece=self._piece, engine=lambda: _Engine(self._piece, self._compiled)))

    @cached_property
    def _compiled(self) -> "onnxruntime.InferenceSession":
        return _session(self._piece.model.SerializeToString(), self._settings)


def from_layers(
    layers: Sequence[Layer], size: tuple[int, int], settings: RunSettings, way: Way, n_frames: int
) -> Onnx | DenseOnnx:
    """A chain of layers, ready to answer in this way."""
    if way.mode == "dense":
        return DenseOnnx(layers, size, settings, n_frames)
    graph = frame_graph(layers, size) if way.mode == "frame" else clip_graph(layers, size, way.length)
    return Onnx(graph.SerializeToString(), settings)


def engines(model: Path, piece: Piece, settings: RunSettings) -> Callable[[], Engine]:
    """Makes what takes one run through an exported model of pieces."""
    session = _session(model, settings)
    return lambda: _Engine(piece, session)


class _Engine:
    """One run."""

    def __init__(self, piece: Piece, session: "onnxruntime.InferenceSession") -> None:
        self._session = session
        shapes = {each.name: each.shape for each in session.get_inputs()}
        self._has_ends = "start" in shapes
        self._memory: dict[str, Any] = {past: np.zeros(shapes[past], np.float32) for past, _ in piece.memory}
        self._names = [past for past, _ in piece.memory]
        self._outputs = ["logits", *(now for _, now in piece.memory)]

    def __call__(self, frames: Inputs, *, ends: tuple[int, int] | None) -> Answered:
        start, length = ends or BETWEEN_ENDS
        given = {"frames": laid_out(frames)}
        if self._has_ends:
            given |= {"start": np.array([start]), "length": np.array([length])}
        logits, *memory = self._session.run(self._outputs, given | self._memory)
        self._memory = dict(zip(self._names, memory, strict=True))
        return np.asarray(logits)


def _session(model: Path | bytes, settings: RunSettings) -> "onnxruntime.InferenceSession":
    if not find_spec("onnxruntime"):
        raise MissingExtra("ONNX Runtime is not installed.", advice="Run `pip install sonoplane[onnx]`.")
    return new_session(model, settings.threads)
