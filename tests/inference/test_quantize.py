"""Models in 8 bits: what stays as it was, what is computed in 8 bits, and that only real frames fit them."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import openvino
import pytest

from sonoplane.errors import UsageError
from sonoplane.inference.graph import Piece, clip_graph, frame_graph, piece_graph
from sonoplane.inference.layers import Layer, layers_of
from sonoplane.inference.openvino_runtime import stateful
from sonoplane.inference.quantize import quantize_batch, quantize_piece
from sonoplane.inference.settings import RunSettings
from sonoplane.models.card import Card
from sonoplane.models.normalization import Normalization
from sonoplane.models.registry import weights_of
from sonoplane.video.phantom import PhantomSettings, simulate
from tests.models.tiny_networks import tiny, tiny_spec

SIZE = (32, 48)
ONE_THREAD = RunSettings(threads=1)
#: How far an 8-bit answer is from float32's in the mean, as a share of the largest logit.
CLOSE = 0.1


@cache
def prepared(patient: int) -> np.ndarray:
    """A sweep as the card's geometry leaves it."""
    settings = PhantomSettings(height=160, width=200, frames=40)
    exam = list(simulate("liver-sweep", patients=patient + 1, exams=(1, 1), seed=3, settings=settings))[
        patient
    ]
    card = Card(classes=("a", "b"), size=SIZE, fit="pad")
    return np.stack([card.geometry(frame.image) for frame in exam.recording.frames()])


def real_run(patient: int) -> np.ndarray:
    return Card(classes=("a", "b"), size=SIZE, fit="pad").values(prepared(patient))


def noise_run() -> np.ndarray:
    """What is often taken for want of frames."""
    return np.random.default_rng(0).random((40, 1, *SIZE), np.float32)


@cache
def chain(name: str) -> tuple[Layer, ...]:
    return layers_of(tiny_spec(name), weights_of(tiny(name)))


def read(graph: object) -> openvino.Model:
    return openvino.Core().read_model(graph.SerializeToString())  # type: ignore[attr-defined]


def request_of(model: openvino.Model) -> openvino.InferRequest:
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return openvino.Core().compile_model(model, "CPU", hints).create_infer_request()


def answers(model: openvino.Model, pieces: list[np.ndarray]) -> np.ndarray:
    request = request_of(model)
    return np.concatenate([request.infer([piece])[0] for piece in pieces])


def pieces_of(run: np.ndarray, n_frames: int) -> list[np.ndarray]:
    starts = range(0, len(run) - n_frames + 1, n_frames)
    return [np.ascontiguousarray(run[i : i + n_frames].swapaxes(0, 1)[None]) for i in starts]


def kinds_of_sources(model: openvino.Model, name: str) -> set[str]:
    """What the operations whose names begin like this are given."""
    found = [each for each in model.get_ordered_ops() if each.get_friendly_name().startswith(name)]
    return {source.get_node().get_type_name() for each in found for source in each.input_values()}


def unlike(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).mean() / np.abs(theirs).max())


def test_frames_are_answered_as_in_float32() -> None:
    model = read(frame_graph(chain("sononet2d-4"), SIZE))
    fitted = quantize_batch(model, [real_run(0)[i : i + 1] for i in range(0, 40, 4)])
    seen = [real_run(1)[:8], real_run(1)[8:9]]
    assert 0 < unlike(answers(fitted, seen), answers(model, seen)) < CLOSE


def test_clips_are_answered_as_in_float32() -> None:
    model = read(clip_graph(chain("sononet2plus1d-4"), SIZE, 6))
    fitted = quantize_batch(model, [real_run(0)[None, i : i + 6].swapaxes(1, 2) for i in range(0, 32, 4)])
    seen = [real_run(1)[None, i : i + 6].swapaxes(1, 2) for i in range(0, 32, 8)]
    assert 0 < unlike(answers(fitted, seen), answers(model, seen)) < CLOSE


def test_the_values_of_the_card_stay_float() -> None:
    values = Normalization(kind="standardize-image", scale=255)
    model = read(frame_graph(chain("sononet2d-4"), SIZE, values))
    fitted = quantize_batch(model, [prepared(0)[i : i + 1] for i in range(0, 40, 4)])
    faint = [prepared(1)[:8] // 16]
    assert unlike(answers(fitted, faint), answers(model, faint)) < CLOSE


@cache
def fitted_piece(name: str, n_frames: int) -> tuple[Piece, openvino.Model]:
    piece = piece_graph(chain(name), SIZE, n_frames, ends=False)
    return piece, quantize_piece(piece, [real_run(0), real_run(2)], ONE_THREAD)


@pytest.mark.parametrize(("name", "n_frames"), [("sononet3d-4", 8), ("sononet2plus1d-4-causal", 2)])
def test_pieces_are_answered_as_in_float32(name: str, n_frames: int) -> None:
    piece, fitted = fitted_piece(name, n_frames)
    seen = pieces_of(real_run(1), n_frames)
    ours = answers(stateful(fitted.clone(), piece.memory), seen)
    theirs = answers(stateful(read(piece.model), piece.memory), seen)
    assert 0 < unlike(ours, theirs) < CLOSE


def test_memory_goes_in_and_out_as_before_and_through_a_file(tmp_path: Path) -> None:
    piece, fitted = fitted_piece("sononet3d-4", 8)
    openvino.save_model(fitted, tmp_path / "model.xml", compress_to_fp16=False)
    before = read(piece.model)
    for model in (fitted, openvino.Core().read_model(tmp_path / "model.xml")):
        for ports, theirs in ((model.inputs, before.inputs), (model.outputs, before.outputs)):
            known = {port.get_any_name(): (port.shape, port.element_type) for port in theirs}
            assert {port.get_any_name(): (port.shape, port.element_type) for port in ports} == known


def test_a_float_graph_hands_its_memory_over() -> None:
    piece, fitted = fitted_piece("sononet3d-4", 8)
    ours = request_of(stateful(fitted.clone(), piece.memory))
    theirs = request_of(stateful(read(piece.model), piece.memory))
    first, second, *_ = pieces_of(real_run(1), 8)
    theirs.infer([first])
    states = {state.name: state for state in theirs.query_state()}
    for state in ours.query_state():
        state.state = states[state.name].state
    answer = np.array(ours.infer([second])[0])
    assert unlike(answer, np.array(theirs.infer([second])[0])) < CLOSE


def test_frames_are_joined_and_pooled_in_8_bits() -> None:
    _, fitted = fitted_piece("sononet3d-4", 8)
    rounded = {"FakeQuantize", "Concat", "MaxPool"}
    assert kinds_of_sources(fitted, "concat") <= rounded
    assert kinds_of_sources(fitted, "maxpool") <= rounded


def test_noise_fits_a_network_worse_than_frames_do() -> None:
    model = read(frame_graph(chain("sononet2d-4"), SIZE))
    seen = [real_run(1)]
    expected = answers(model, seen)
    on_frames, on_noise = (
        answers(quantize_batch(model, [run[i : i + 1] for i in range(0, 40, 4)]), seen)
        for run in (real_run(0), noise_run())
    )
    assert unlike(on_noise, expected) > 2 * unlike(on_frames, expected)


def test_a_run_too_short_for_a_piece_is_enough() -> None:
    piece = piece_graph(chain("sononet2plus1d-4-causal"), SIZE, 2, ends=False)
    fitted = quantize_piece(piece, [real_run(0)[:3]], ONE_THREAD)
    assert np.isfinite(answers(stateful(fitted, piece.memory), pieces_of(real_run(1), 2))).all()


def test_no_frames_are_an_error_with_advice() -> None:
    with pytest.raises(UsageError, match="archive"):
        quantize_batch(read(frame_graph(chain("sononet2d-4"), SIZE)), [])


#: Notes what Python code connects to or looks up; nncf itself reports nothing under pytest.
WATCHED = """
import sys
calls = []
sys.addaudithook(lambda event, _: calls.append(event) if event in ("socket.connect", "socket.getaddrinfo") else None)
import numpy as np, openvino
from openvino import opset13 as ops
from sonoplane.inference.quantize import quantize_batch
frames = ops.parameter([1, 1, 8, 8], np.float32, name="frames")
ones = ops.constant(np.ones((2, 1, 3, 3), np.float32))
seen = ops.convolution(frames, ones, [1, 1], [1, 1], [1, 1], [1, 1])
quantize_batch(openvino.Model([seen], [frames], "tiny"), [np.ones((1, 1, 8, 8), np.float32)])
from nncf.telemetry.wrapper import NNCFTelemetry, telemetry
assert not isinstance(telemetry, NNCFTelemetry)
assert not calls, calls
"""


def test_nothing_is_reported_or_printed(tmp_path: Path) -> None:
    script = tmp_path / "watched.py"
    script.write_text(WATCHED)
    known = {key: value for key, value in os.environ.items() if key not in ("CI", "NNCF_CI")}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, env=known)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
