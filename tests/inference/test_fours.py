"""Convolutions in fours: the direct form's answers and memory, and where they are taken."""

from functools import cache

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto

from sonoplane.inference import fours
from sonoplane.inference.graph import Piece, clip_graph, piece_graph
from sonoplane.inference.layers import Conv, Layer, layers_of
from sonoplane.inference.openvino_runtime import DenseOpenVino, OpenVino, from_layers
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.ways import Way
from sonoplane.models.registry import weights_of
from tests.models.tiny_networks import tiny, tiny_spec

SIZE = (32, 48)
FORMS = ["sononet3d-2", "sononet3d-2-causal", "sononet2plus1d-2", "sononet2plus1d-2-causal"]


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Narrow networks gain nothing, but would take as long to test as wide ones to answer."""
    monkeypatch.setattr(fours, "_LEAST_WORK", 0)


@cache
def layers(name: str) -> tuple[Layer, ...]:
    return layers_of(tiny_spec(name), weights_of(tiny(name)))


def conv(n_in: int, n_out: int, kernel: tuple[int, int, int] = (3, 3, 3)) -> Conv:
    weight = np.random.default_rng(0).normal(size=(n_out, n_in, *kernel)).astype(np.float32)
    return Conv(weight=weight, bias=np.zeros(n_out, np.float32), relu=True)


def answers(model: ModelProto, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return dict(zip((each.name for each in session.get_outputs()), session.run(None, given), strict=True))


def noise(model: ModelProto) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    shapes = {each.name: [d.dim_value for d in each.type.tensor_type.shape.dim] for each in model.graph.input}
    return {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def n_products(piece: Piece) -> int:
    return sum(node.op_type == "Conv" for node in piece.model.graph.node)


def assert_same(one: np.ndarray, other: np.ndarray, scale: float) -> None:
    np.testing.assert_allclose(one, other, atol=1e-5 * scale)


def test_six_products_are_four_frames_of_a_convolution() -> None:
    draw = np.random.default_rng(0)
    seen, kernel = draw.normal(size=6), draw.normal(size=3)
    six = (np.array(fours._G) @ kernel) * (np.array(fours._B) @ seen)
    np.testing.assert_allclose(np.array(fours._A) @ six, np.correlate(seen, kernel))


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("n_frames", [6, 8, 9])
@pytest.mark.parametrize("name", FORMS)
@pytest.mark.usefixtures("always")
def test_a_piece_answers_and_remembers_what_the_direct_one_does(name: str, n_frames: int, ends: bool) -> None:
    direct = piece_graph(layers(name), SIZE, n_frames, ends=ends)
    filtered = piece_graph(layers(name), SIZE, n_frames, ends=ends, minimal_filtering=True)
    assert n_products(filtered) > n_products(direct)
    assert list(filtered.model.graph.input) == list(direct.model.graph.input)
    assert list(filtered.model.graph.output) == list(direct.model.graph.output)
    given = noise(direct.model)
    scale = max(float(np.abs(each).max()) for each in given.values())
    if ends:
        given |= {"start": np.array([2]), "length": np.array([2 + n_frames // 2])}
    expected = answers(direct.model, given)
    for key, found in answers(filtered.model, given).items():
        assert_same(found, expected[key], scale)
        if key == "logits":
            assert np.array_equal(found.argmax(1), expected[key].argmax(1))


@pytest.mark.parametrize("n_frames", [6, 7, 10])
@pytest.mark.parametrize("name", FORMS)
@pytest.mark.usefixtures("always")
def test_a_clip_of_any_length_is_answered_as_directly(name: str, n_frames: int) -> None:
    clip = np.random.default_rng(0).normal(size=(1, 1, n_frames, *SIZE)).astype(np.float32)
    direct = clip_graph(layers(name), SIZE, n_frames)
    filtered = clip_graph(layers(name), SIZE, n_frames, minimal_filtering=True)
    assert len(filtered.graph.node) > len(direct.graph.node)
    expected = answers(direct, {"clips": clip})["logits"]
    assert_same(answers(filtered, {"clips": clip})["logits"], expected, np.abs(expected).max())


def test_only_wide_convolutions_of_neighborhoods_gain_and_only_on_runs() -> None:
    assert fours.is_quicker(conv(64, 64), 8)
    assert fours.is_quicker(conv(32, 64), 8)
    assert not fours.is_quicker(conv(64, 64), 5)
    assert not fours.is_quicker(conv(32, 32), 8)
    assert not fours.is_quicker(conv(128, 128, (3, 1, 1)), 8)
    assert not fours.is_quicker(conv(128, 128, (1, 3, 3)), 8)


@pytest.mark.usefixtures("always")
def test_pieces_of_one_frame_stay_direct() -> None:
    for name in FORMS:
        direct = piece_graph(layers(name), SIZE, 1, ends=False)
        assert piece_graph(layers(name), SIZE, 1, ends=False, minimal_filtering=True) == direct


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.usefixtures("always")
def test_openvino_takes_fours_in_float32_only(precision: str) -> None:
    settings = RunSettings.model_validate({"precision": precision, "threads": 1})
    dense = from_layers(layers("sononet3d-2"), SIZE, settings, Way(mode="dense"), 8)
    assert isinstance(dense, DenseOpenVino)
    direct = piece_graph(layers("sononet3d-2"), SIZE, 8, ends=False)
    for ends in (False, True):
        chosen = dense._pieces._source(ends=ends)
        assert isinstance(chosen, Piece)
        assert (n_products(chosen) > n_products(direct)) == (precision == "float32")
    clips = from_layers(layers("sononet3d-2"), SIZE, settings, Way(mode="clip", length=8), 1)
    assert isinstance(clips, OpenVino)
    assert clips._ready.input(0).partial_shape[0].is_static == (precision == "float32")
