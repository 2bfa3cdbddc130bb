import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from sonoplane.inference.graph import clip_graph, frame_graph, piece_frames, piece_graph
from sonoplane.inference.layers import layers_of
from sonoplane.models.card import Card
from sonoplane.models.normalization import Normalization
from sonoplane.models.registry import weights_of
from tests.models.tiny_networks import tiny, tiny_spec

SIZE = (48, 64)
NORMALIZATIONS = (
    Normalization(kind="standardize-image", scale=255),
    Normalization(kind="dataset", mean=0.2, std=0.3),
    Normalization(kind="min-max"),
    Normalization(kind="unit"),
)


def layers(name: str, in_channels: int = 1):
    return layers_of(
        tiny_spec(name, in_channels=in_channels), weights_of(tiny(name, in_channels=in_channels))
    )


def answer(model: onnx.ModelProto, inputs: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: inputs})[0])


@pytest.mark.parametrize("normalization", NORMALIZATIONS, ids=lambda how: how.kind)
@pytest.mark.parametrize("color", [False, True], ids=["gray", "color"])
def test_values_inside_the_graph_are_the_cards(normalization: Normalization, color: bool) -> None:
    draw = np.random.default_rng(0)
    frames = draw.integers(0, 256, (3, *SIZE, *[3] * color), dtype=np.uint8)
    frames[2] = 9  # a constant frame is zeros, never NaN
    card = Card(classes=("a", "b", "c"), size=SIZE, normalization=normalization)
    chain = layers("sononet2d-2")
    outside = answer(frame_graph(chain, SIZE), card.values(frames))
    inside = answer(frame_graph(chain, SIZE, normalization, color=color), frames)
    np.testing.assert_allclose(inside, outside, rtol=1e-4, atol=1e-4 * np.abs(outside).max())


def test_values_of_a_clip_are_those_of_each_frame_by_itself() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 6, *SIZE), dtype=np.uint8)
    frames[:, 3] //= 4
    card = Card(classes=("a", "b", "c"), size=SIZE)
    chain = layers("sononet3d-2")
    values = card.values(frames.reshape(-1, *SIZE)).reshape(2, 6, 1, *SIZE).swapaxes(1, 2)
    outside = answer(clip_graph(chain, SIZE, 6), np.ascontiguousarray(values))
    inside = answer(clip_graph(chain, SIZE, 6, card.normalization), frames)
    np.testing.assert_allclose(inside, outside, rtol=1e-4, atol=1e-4 * np.abs(outside).max())


def test_a_network_of_several_channels_has_graphs_too() -> None:
    inputs = np.random.default_rng(0).normal(size=(2, 2, *SIZE)).astype(np.float32)
    with torch.inference_mode():
        theirs = tiny("sononet2d-2", in_channels=2)(torch.from_numpy(inputs)).numpy()
    ours = answer(frame_graph(layers("sononet2d-2", in_channels=2), SIZE), inputs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_frames", [1, 8])
@pytest.mark.parametrize("name", ["sononet3d-2", "sononet2plus1d-2-causal"])
def test_a_pieces_graph_is_sound(name: str, n_frames: int) -> None:
    for ends in (False, True):
        piece = piece_graph(layers(name), SIZE, n_frames, ends=ends)
        onnx.checker.check_model(piece.model, full_check=True)
        named = [each.name for each in piece.model.graph.input]
        assert named == ["frames", *["start", "length"] * ends, *(past for past, _ in piece.memory)]


def test_a_causal_network_answers_at_once_and_needs_no_care_at_the_ends() -> None:
    piece = piece_graph(layers("sononet3d-2-causal"), SIZE, 1, ends=False)
    assert (piece.delay, piece.lost, piece.before) == (0, 0, 0)


def test_a_long_piece_remembers_less_often() -> None:
    chain = layers("sononet3d-2")
    assert len(piece_graph(chain, SIZE, 32, ends=False).memory) == 2 + 9 + 2
    assert len(piece_graph(chain, SIZE, 1, ends=False).memory) == 13 + 4


def test_large_frames_make_short_pieces() -> None:
    chain = layers("sononet3d-2")
    assert piece_frames(chain, (256, 256)) == 20
    assert 1 <= piece_frames(chain, (4096, 4096)) < 20
