"""Every frame gets the answer that its clip, or one dense pass over the whole recording, gives: however it is read."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from sonoplane.inference.backends import Backend, open_backend
from sonoplane.inference.passes import begin
from sonoplane.inference.predictor import Predictor, Seen
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.ways import Way
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import load_network, weights_of
from sonoplane.models.score_maps import ScoreMapNetwork
from sonoplane.records import Box, Frame
from tests.models.tiny_networks import NAMES, tiny, tiny_spec

SIZE = (32, 48)
CARD = Card(classes=("a", "b", "c"), size=SIZE)
BOX = Box(left=0, top=0, right=SIZE[1], bottom=SIZE[0])
SEES_TIME = [name for name in NAMES if tiny_spec(name).takes_clips and "resnext" not in name]
SEES_TIME += [name for name in NAMES if "resnext3d-50" in name]
DENSE = [name for name in SEES_TIME if tiny_spec(name).dense]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    return {
        name: save_bundle(
            folder / name,
            name="tiny",
            version="1",
            spec=tiny_spec(name),
            card=CARD,
            weights=weights_of(tiny(name)),
            recipe={},
        )
        for name in [*SEES_TIME, "sononet2d-2"]
    }


def sweep(n: int) -> list[Frame]:
    draw = np.random.default_rng(n)
    return [Frame(index=i, time_s=None, image=draw.integers(0, 256, SIZE, dtype=np.uint8)) for i in range(n)]


def values(frames: list[Frame]) -> np.ndarray:
    return CARD.values(np.stack([frame.image for frame in frames]))


def watch(backend: Backend, way: Way, frames: list[Frame], batch: int) -> np.ndarray:
    seen: list[Seen] = list(Predictor(CARD, backend, way, batch=batch).watch(iter(frames), BOX))
    assert [one.frame.index for one in seen] == list(range(len(frames)))
    assert all(np.array_equal(one.prepared, one.frame.image) for one in seen)
    return np.stack([one.logits for one in seen])


def network_of(bundle: Bundle) -> ScoreMapNetwork:
    network = load_network(bundle)
    assert isinstance(network, ScoreMapNetwork)
    return network


def clip_by_clip(bundle: Bundle, way: Way, frames: list[Frame]) -> np.ndarray:
    """The plain way: each clip cut from the recording and answered alone."""
    network, inputs = load_network(bundle), values(frames)
    answers = []
    with torch.inference_mode():
        for last in range(len(frames)):
            indices = [max(0, last - way.step * back) for back in reversed(range(way.length))]
            clip = torch.from_numpy(inputs[indices]).transpose(0, 1)[None]
            answers.append(network(clip)[0].numpy())
    return np.stack(answers)


def in_one_pass(bundle: Bundle, frames: list[Frame]) -> np.ndarray:
    """The plain way; a run too short for the network has its first frame repeated before it."""
    network = network_of(bundle)
    missing = max(0, network.min_frames - len(frames))
    run = torch.from_numpy(values([frames[0]] * missing + frames)).transpose(0, 1)[None]
    with torch.inference_mode():
        return np.asarray(network.dense(run)[0, missing:].numpy())


@pytest.mark.parametrize(
    ("way", "n_frames", "batch"),
    [
        (Way(mode="clip", length=6, step=1), 15, 4),
        (Way(mode="clip", length=5, step=3), 20, 8),
        (Way(mode="clip", length=8, step=1), 3, 2),
        (Way(mode="clip", length=5, step=1), 1, 8),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", SEES_TIME)
def test_a_clip_answers_the_frame_that_it_ends_with(
    name: str, way: Way, n_frames: int, batch: int, bundles: dict[str, Bundle]
) -> None:
    backend = open_backend(bundles[name], "torch", RunSettings(mode="clip", clip_length=way.length))
    frames = sweep(n_frames)
    expected = clip_by_clip(bundles[name], way, frames)
    assert np.abs(watch(backend, way, frames, batch) - expected).max() < 1e-4


@pytest.mark.parametrize("name", DENSE)
def test_a_dense_pass_is_the_same_in_pieces_of_any_size_for_recordings_of_any_length(
    name: str, bundles: dict[str, Bundle]
) -> None:
    backend = open_backend(bundles[name], "torch")
    for n_frames in (*range(1, 20), 31, 40):
        frames, batch = sweep(n_frames), 1 + n_frames * 7 % 19
        expected = in_one_pass(bundles[name], frames)
        got = watch(backend, Way(mode="dense"), frames, batch)
        assert np.abs(got - expected).max() < 1e-4, (n_frames, batch)


@pytest.mark.parametrize("batch", [1, 4, 64])
@pytest.mark.parametrize("name", DENSE)
def test_frames_that_a_network_skips_belong_to_a_dense_pass_of_their_own(
    name: str, batch: int, bundles: dict[str, Bundle]
) -> None:
    backend = open_backend(bundles[name], "torch")
    for n_frames in (1, 2, 17):
        frames = sweep(n_frames)
        expected = np.empty((n_frames, 3))
        for phase in range(min(3, n_frames)):
            expected[phase::3] = in_one_pass(bundles[name], frames[phase::3])
        got = watch(backend, Way(mode="dense", step=3), frames, batch)
        assert np.abs(got - expected).max() < 1e-4, n_frames


@pytest.mark.parametrize("mode", ["auto", "clip", "dense"])
def test_a_network_of_single_frames_answers_the_same_in_every_mode(
    mode: str, bundles: dict[str, Bundle]
) -> None:
    bundle, frames = bundles["sononet2d-2"], sweep(7)
    backend = open_backend(bundle, "torch", RunSettings.model_validate({"mode": mode}))
    with torch.inference_mode():
        expected = network_of(bundle)(torch.from_numpy(values(frames))).numpy()
    assert np.abs(watch(backend, Way(), frames, 3) - expected).max() < 1e-4


@pytest.mark.parametrize("way", [Way(mode="clip", length=6, step=2), Way(mode="dense", step=2)], ids=str)
@pytest.mark.parametrize("name", DENSE)
def test_what_is_remembered_does_not_grow(name: str, way: Way, bundles: dict[str, Bundle]) -> None:
    answers = begin(open_backend(bundles[name], "torch", RunSettings(clip_length=way.length + 5)), way)
    inputs = values(sweep(4))
    n_answered = [len(answers.go_on(inputs)) for _ in range(12)]
    assert n_answered[-3:] == [4, 4, 4], "as many come out as go in"


def test_no_more_is_read_ahead_than_the_network_needs(bundles: dict[str, Bundle]) -> None:
    read = []

    def frames() -> Iterator[Frame]:
        for frame in sweep(400):
            read.append(frame.index)
            yield frame

    backend = open_backend(bundles["sononet3d-2"], "torch")
    watching = Predictor(CARD, backend, Way(mode="dense"), batch=4).watch(frames(), BOX)
    delay = network_of(bundles["sononet3d-2"]).delay
    for index in range(40):
        assert next(watching).frame.index == index
        assert len(read) <= index + delay + 1 + 5 * 4
    watching.close()
