"""A bundle's network written as a file that other programs run: an ONNX graph, or OpenVINO IR."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sonoplane.inference.exports import Exported
from sonoplane.inference.graph import Piece, clip_graph, frame_graph, piece_graph
from sonoplane.inference.layers import is_chain, layers_of
from sonoplane.inference.openvino_runtime import stateful
from sonoplane.inference.passes import clips
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.silent import new_core, without_telemetry
from sonoplane.inference.ways import Way
from sonoplane.models.bundle import Bundle

if TYPE_CHECKING:
    import openvino
    from onnx import ModelProto
else:
    ModelProto: TypeAlias = Any

__all__ = ["padded", "piece_of", "write_model"]


def write_model(
    bundle: Bundle, what: Exported, way: Way, path: Path, calibration: tuple[np.ndarray, ...] = ()
) -> None:
    """Write the network in that form; `calibration` are runs of prepared frames that int8 is fitted to.

    SonoNets and SmallNet are written from their weights; other networks by PyTorch's exporter. The IR is made from the
    ONNX graph, which needs no converter that reports usage to anyone. Classes and card are in it too: metadata of ONNX,
    runtime information of IR.
    """
    import onnx

    piece = piece_of(bundle, what)
    graph = piece.model if piece else _graph(bundle, what)
    if what.runtime == "onnx":
        onnx.helper.set_model_props(graph, _told(bundle))
        onnx.save(graph, path)
        return
    model = new_core().read_model(graph.SerializeToString())
    import openvino  # after it was told to be silent

    if what.precision == "int8":
        model = _quantized(bundle, way, model, piece, calibration)
    model = stateful(model, piece.memory if piece else ())
    for name, value in _told(bundle).items():
        model.set_rt_info(value, ["sonoplane", name])
    openvino.save_model(model, path, compress_to_fp16=False)


def _told(bundle: Bundle) -> dict[str, str]:
    """What the file says of itself: which row of logits is which class, and how frames become its input."""
    return {
        "bundle": f"{bundle.name} {bundle.version}",
        "classes": json.dumps(bundle.card.classes),
        "card": bundle.card.to_toml(),
    }


def piece_of(bundle: Bundle, what: Exported) -> Piece | None:
    """The piece of a run that a model takes; None of whole frames and clips.

    Only a dense model may hold the ends of a run: a stream needs none of that, and an int8 model is for what lies
    between.
    """
    if what.form not in ("dense", "stream"):
        return None
    card = bundle.card
    return piece_graph(
        layers_of(bundle.spec, bundle.weights()),
        card.size,
        what.n_frames,
        card.normalization if what.values == "inside" else None,
        ends=what.form == "dense" and what.precision != "int8",
        color=what.color,
    )


def _graph(bundle: Bundle, what: Exported) -> ModelProto:
    """Of whole frames or clips."""
    if not is_chain(bundle.spec):
        return _traced(bundle, what)
    layers, card = layers_of(bundle.spec, bundle.weights()), bundle.card
    size = ("height", "width") if what.any_size else card.size
    values = card.normalization if what.values == "inside" else None
    if what.form == "frame":
        return frame_graph(layers, size, values, color=what.color)
    return clip_graph(layers, size, what.n_frames, values, color=what.color)


def _quantized(
    bundle: Bundle, way: Way, model: "openvino.Model", piece: Piece | None, runs: tuple[np.ndarray, ...]
) -> "openvino.Model":
    from sonoplane.inference.quantize import quantize_batch, quantize_piece

    values = [bundle.card.values(run) for run in runs]
    if piece:
        return quantize_piece(piece, values, RunSettings())
    if way.mode == "frame":
        return quantize_batch(model, (run[i : i + 1] for run in values for i in range(len(run))))
    return quantize_batch(model, (clip[None] for run in values for clip in clips(padded(run, way), way)[::4]))


def padded(run: np.ndarray, way: Way) -> np.ndarray:
    """A run long enough for one clip: its first frame stands for what lacks before it."""
    lacking = way.span - len(run)
    return np.concatenate([np.repeat(run[:1], lacking, axis=0), run]) if lacking > 0 else run


def _traced(bundle: Bundle, what: Exported) -> ModelProto:
    """A network of clips as PyTorch's exporter writes it."""
    import torch

    from sonoplane.models.registry import load_network

    network: Any = load_network(bundle).eval()
    shape: tuple[int, ...] = (2, 1, what.n_frames, *bundle.card.size)
    example = torch.zeros(shape)
    if what.values == "inside":
        network = _with_values(bundle, network).eval()
        shape = (2, what.n_frames, *bundle.card.size, *[3] * what.color)
        example = torch.zeros(shape, dtype=torch.uint8)
    with without_telemetry(), _quiet():
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["clips"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    return program.model_proto  # type: ignore[union-attr]  # None only where a path was given


def _with_values(bundle: Bundle, network: Any) -> Any:
    """The network behind the card's values, frame by frame."""
    import torch

    from sonoplane.models.card_tensor import CardValues

    class FromPixels(torch.nn.Module):
        """Clips of uint8 frames to logits."""

        def __init__(self) -> None:
            super().__init__()
            self.values, self.network = CardValues(bundle.card), network

        def forward(self, clips: torch.Tensor) -> torch.Tensor:
            frames = self.values(clips.flatten(0, 1)).unflatten(0, (-1, clips.shape[1]))
            logits: torch.Tensor = self.network(frames.transpose(1, 2))
            return logits

    return FromPixels()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notes on its own workings out of the output."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
