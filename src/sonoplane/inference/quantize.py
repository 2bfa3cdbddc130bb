"""A network's OpenVINO model in 8-bit integers, by nncf: ranges are those of what its layers answer to real frames."""

import io
import logging
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from sonoplane.errors import MissingExtra, UsageError
from sonoplane.inference.graph import Piece
from sonoplane.inference.openvino_runtime import hints_of
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.silent import new_core, without_telemetry

if TYPE_CHECKING:
    import openvino

__all__ = ["quantize_batch", "quantize_piece"]

#: Operations with weights: from the first of them on, a network computes in integers.
_WEIGHTED = {"Convolution", "GroupConvolution", "MatMul"}
#: Of these, the answer to rounded values is the rounded answer.
_PASSED_BY = {"Concat", "MaxPool"}
#: Larger than anything a layer answers.
_BEYOND = np.float32(3e38)


def quantize_batch(model: "openvino.Model", batches: Iterable[np.ndarray]) -> "openvino.Model":
    """The 8-bit form of a model that answers a batch of frames, or of clips.

    Batches are network input, of what the network will see later: noise gives ranges that fit nothing. What is computed
    before the first convolution, such as the card's values, and the mean of the class score maps stay float.

    Raises:
        MissingExtra: nncf is not installed.
        UsageError: there is no batch.
    """
    return _quantized(model, [{0: batch} for batch in batches])


def quantize_piece(
    piece: Piece, runs: Iterable[Float32[np.ndarray, "time channel height width"]], settings: RunSettings
) -> "openvino.Model":
    """The 8-bit form of a piece that holds no end of its run; inputs and outputs are as before, memory in float32 too.

    The runs go through the float network first, so that the ranges are of frames and memory as they come together. The
    pieces at a run's start are passed over where only a graph with `ends` would answer them; a run of fewer than two
    pieces more is played there and back until it is long enough.

    Raises:
        MissingExtra: nncf is not installed.
        UsageError: there is no run.
    """
    exact = hints_of(settings.model_copy(update={"precision": "float32"}))
    request = new_core().compile_model(_read(piece), "CPU", exact).create_infer_request()
    samples = [sample for run in runs for sample in _remembered(piece, run, request)]
    model = _quantized(_read(piece), samples)
    _keep_memory_float(model, {name for _, name in piece.memory})
    return model


def _quantized(model: "openvino.Model", samples: list[dict[Any, np.ndarray]]) -> "openvino.Model":
    nncf = _nncf()
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    if not samples:
        raise UsageError(
            "Without frames to go by, no 8-bit form can be made.", advice="Give an archive with recordings."
        )
    with redirect_stdout(io.StringIO()):  # it draws progress bars
        made = nncf.quantize(
            model,
            nncf.Dataset(samples),
            preset=nncf.QuantizationPreset.MIXED,  # frames and score maps are seldom as far below zero as above
            target_device=nncf.TargetDevice.CPU,
            subset_size=len(samples),
            ignored_scope=nncf.IgnoredScope(
                names=_before_weights(model), types=["ReduceMean"], validate=False
            ),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                # on a lung network it took labels that agree with float32's from 99.5 % to 98.1 %
                disable_bias_correction=True,
                # by default it would cut off what is larger than the mean sample's largest value
                activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
            ),
        )
    _round_early(made)
    return made


def _remembered(
    piece: Piece, run: Float32[np.ndarray, "time channel height width"], request: "openvino.InferRequest"
) -> Iterator[dict[Any, np.ndarray]]:
    """The inputs of each whole piece of a run: its frames, and what the float network remembers of those before."""
    n_frames = piece.n_frames
    skipped = -(-piece.before // n_frames) * n_frames
    if len(run) < skipped + 2 * n_frames:
        run = np.pad(run, ((0, skipped + 2 * n_frames - len(run)), *[(0, 0)] * 3), mode="symmetric")
    past = {name: np.zeros(tuple(request.get_tensor(name).shape), np.float32) for name, _ in piece.memory}
    for start in range(0, len(run) - n_frames + 1, n_frames):
        frames = run[start : start + n_frames]
        inputs = {"frames": np.ascontiguousarray(frames.swapaxes(0, 1)[None]), **past}
        if start >= skipped:
            yield inputs
        answer = request.infer(inputs)
        past = {name: answer[now].copy() for name, now in piece.memory}


def _before_weights(model: "openvino.Model") -> list[str]:
    """The names of operations that no weighted one comes before."""
    after: set[str] = set()
    before = []
    for operation in model.get_ordered_ops():
        name = operation.get_friendly_name()
        parents = {source.get_node().get_friendly_name() for source in operation.input_values()}
        if operation.get_type_name() in _WEIGHTED or parents & after:
            after.add(name)
        elif parents:
            before.append(name)
    return before


def _round_early(model: "openvino.Model") -> None:
    """Let layers answer in 8 bits: values are rounded before they are joined and pooled, not after.

    nncf rounds what a convolution is given. Where frames are joined with memory before, which goes on to the next
    piece, that would leave the join and the pool before it in float32. A largest value, and a part of a join, are
    rounded as well before as after, so that no answer changes by it.
    """
    from openvino import opset13

    waiting = [
        operation for operation in model.get_ordered_ops() if operation.get_type_name() == "FakeQuantize"
    ]
    while waiting:
        rounding = waiting.pop()
        joined = rounding.input_value(0).get_node()
        ranges = [rounding.input_value(place) for place in range(1, 5)]
        one_range = all(np.prod(source.get_shape()) == 1 for source in ranges)
        if joined.get_type_name() not in _PASSED_BY or not one_range:
            continue
        for part in joined.inputs():
            early = opset13.fake_quantize(
                part.get_source_output(), *ranges, levels=rounding.get_attributes()["levels"]
            )
            part.replace_source_output(early.output(0))
            waiting.append(early)
        for target in rounding.output(0).get_target_inputs():
            target.replace_source_output(joined.output(0))
    model.validate_nodes_and_infer_types()


def _keep_memory_float(model: "openvino.Model", names: set[str]) -> None:
    """Put an operation that has no 8-bit form before the outputs of these names.

    Once they are states, OpenVINO would else make them 8-bit too, and 2026.4 fails to compile that; a float graph could
    not go on from them either.
    """
    from openvino import opset13

    for result in model.get_results():
        source = result.input_value(0)
        mine = source.get_names() & names
        if mine:
            kept = opset13.minimum(source, opset13.constant(_BEYOND)).output(0)
            source.set_names(source.get_names() - mine)
            kept.set_names(mine)
            result.input(0).replace_source_output(kept)
    model.validate_nodes_and_infer_types()


def _read(piece: Piece) -> "openvino.Model":
    return new_core().read_model(piece.model.SerializeToString())


@cache
def _nncf() -> ModuleType:
    """nncf, silent: it can neither report its use to its makers nor write on the screen."""
    if not find_spec("nncf"):
        raise MissingExtra("int8 needs nncf.", advice="Run `pip install sonoplane[int8]`.")
    with without_telemetry():
        import nncf
    nncf.set_log_level(logging.ERROR)
    module: ModuleType = nncf
    return module
