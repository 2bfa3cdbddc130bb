"""Chunking never changes a logit: a run in pieces, of any length and however it comes, answers what one pass does."""

import numpy as np
import pytest
import torch

from sonoplane.inference import fours, onnx_runtime, openvino_runtime
from sonoplane.inference.layers import layers_of
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.ways import Way
from sonoplane.models.registry import weights_of
from tests.models.tiny_networks import tiny, tiny_spec

SIZE = (32, 48)
RUNTIMES = {"openvino": openvino_runtime, "onnx": onnx_runtime}
NAMES = [f"{kind}-2{form}" for kind in ("sononet3d", "sononet2plus1d") for form in ("", "-causal")]


@pytest.mark.parametrize("n_frames", [1, 7, 8, 32])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_pieces_answer_what_one_pass_does(runtime: str, name: str, n_frames: int) -> None:
    pieces_answer_what_one_pass_does(runtime, name, n_frames)


@pytest.mark.parametrize("n_frames", [7, 32])
@pytest.mark.parametrize("name", NAMES)
def test_pieces_in_fours_answer_what_one_pass_does(
    name: str, n_frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fours, "_LEAST_WORK", 0)
    pieces_answer_what_one_pass_does("openvino", name, n_frames)


def pieces_answer_what_one_pass_does(runtime: str, name: str, n_frames: int) -> None:
    network = tiny(name)
    chain = layers_of(tiny_spec(name), weights_of(network))
    backend = RUNTIMES[runtime].from_layers(chain, SIZE, RunSettings(threads=1), Way(mode="dense"), n_frames)
    draw = np.random.default_rng(n_frames)
    for length in (backend.min_frames, 31, 33, 75):
        run = draw.normal(size=(length, 1, *SIZE)).astype(np.float32)
        with torch.inference_mode():
            expected = network.dense(torch.from_numpy(run).swapaxes(0, 1)[None])[0].numpy()
        answer = backend.dense()
        parts = np.split(run, np.sort(draw.integers(0, length + 1, 4)))
        rows = [row for part in parts for row in answer(part, last=False)]
        rows += list(answer(run[:0], last=True))
        assert len(rows) == length
        np.testing.assert_allclose(np.stack(rows), expected, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_runs_at_the_same_time_do_not_mix(runtime: str) -> None:
    name = "sononet3d-2"
    chain = layers_of(tiny_spec(name), weights_of(tiny(name)))
    backend = RUNTIMES[runtime].from_layers(chain, SIZE, RunSettings(threads=1), Way(mode="dense"), 4)
    draw = np.random.default_rng(0)
    runs = [draw.normal(size=(24, 1, *SIZE)).astype(np.float32) for _ in range(2)]
    alone = [backend.dense()(run, last=True) for run in runs]
    answers = [backend.dense() for _ in runs]
    together: list[list[np.ndarray]] = [[], []]
    for start in range(0, 24, 3):
        for rows, answer, run in zip(together, answers, runs, strict=True):
            rows.extend(answer(run[start : start + 3], last=start == 21))
    for rows, expected in zip(together, alone, strict=True):
        np.testing.assert_allclose(np.stack(rows), expected, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_clips_in_fours_are_answered_as_by_pytorch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fours, "_LEAST_WORK", 0)
    a_graph_answers_as_pytorch_does("openvino", name)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", ["sononet2d-2", "smallnet-4", *NAMES])
def test_a_graph_from_the_weights_answers_frames_and_clips_as_pytorch_does(runtime: str, name: str) -> None:
    a_graph_answers_as_pytorch_does(runtime, name)


def a_graph_answers_as_pytorch_does(runtime: str, name: str) -> None:
    network, spec = tiny(name), tiny_spec(name)
    chain = layers_of(spec, weights_of(network))
    way = Way(mode="clip", length=6) if spec.takes_clips else Way()
    backend = RUNTIMES[runtime].from_layers(chain, (80, 96), RunSettings(threads=1), way, 1)
    shape = (3, 1, *[6] * spec.takes_clips, 80, 96)
    inputs = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(backend(inputs), expected, atol=1e-5 * max(1, np.abs(expected).max()))
