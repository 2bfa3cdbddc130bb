"""Law: a feed is told frame by frame what one pass over all of it is told, in any pieces, after any reset."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonoplane.inference.backends import Backend, open_backend
from sonoplane.inference.passes import begin
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.streaming import Streamer, live_run
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import weights_of
from sonoplane.records import Frame
from tests.models.tiny_networks import NAMES, tiny, tiny_spec

#: Backends that answer every frame of a run.
BACKENDS = ["torch", "openvino", "onnx"]
STREAMING = [name for name in NAMES if tiny_spec(name).streams]
AHEAD = [name for name in NAMES if tiny_spec(name).dense and not tiny_spec(name).streams]
NAMED = [*STREAMING, *AHEAD]
EACH = RunSettings(mode="dense")
EVERY_SECOND = RunSettings(mode="dense", clip_step=2)
CASES = [(name, EACH) for name in NAMED] + [(name, EVERY_SECOND) for name in NAMED if "causal" in name]
over_cases = pytest.mark.parametrize(
    ("name", "run"), CASES, ids=[f"{name}, step {run.clip_step}" for name, run in CASES]
)
CARD = Card(classes=("a", "b", "c"), size=(48, 48))
EXACT = 1e-5


@dataclass(frozen=True)
class Ready:
    """A network on a backend."""

    bundle: Bundle
    backend: Backend


@pytest.fixture(scope="module", params=BACKENDS)
def ready(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ready]:
    networks = {}
    for name in NAMED:
        bundle = save_bundle(
            tmp_path_factory.mktemp("bundles") / name,
            name="tiny",
            version="1",
            spec=tiny_spec(name),
            card=CARD,
            weights=weights_of(tiny(name)),
            recipe={"run": {"mode": "dense"}},
        )
        networks[name] = Ready(
            bundle, open_backend(bundle, request.param, live_run(RunSettings(mode="dense")))
        )
    return networks


def feed(n: int, seed: int = 0) -> list[Frame]:
    draw = np.random.default_rng(seed)
    return [
        Frame(index=i, time_s=None, image=draw.integers(0, 256, CARD.size, dtype=np.uint8)) for i in range(n)
    ]


def in_pieces(streamer: Streamer, frames: list[Frame], lengths: list[int]) -> np.ndarray:
    """What the prepared frames are told in pieces of these lengths, the rest in one."""
    inputs = CARD.values(np.stack([frame.image for frame in frames]))
    passing = begin(streamer.backend, streamer.way)
    answers = []
    for length in [*lengths, len(frames)]:
        if len(piece := inputs[:length]):
            answers.append(passing.go_on(piece))
        inputs = inputs[length:]
    answers.append(passing.end())
    return np.concatenate([rows for rows in answers if len(rows)])


def live(streamer: Streamer, frames: list[Frame]) -> np.ndarray:
    seen = [one for frame in frames for one in streamer.see(frame)]
    seen += streamer.finish()
    assert [one.frame.index for one in seen] == [frame.index for frame in frames]
    return np.stack([one.logits for one in seen])


@over_cases
def test_live_is_dense_in_any_pieces(name: str, run: RunSettings, ready: dict[str, Ready]) -> None:
    network = ready[name]
    streamer = Streamer(network.bundle, network.backend, run)
    n_most = streamer.receptive_field + 6

    @settings(max_examples=2, deadline=None)
    @given(
        n_frames=st.integers(1, n_most),
        lengths=st.lists(st.integers(1, 9), max_size=12),
        seed=st.integers(0, 99),
    )
    def holds(n_frames: int, lengths: list[int], seed: int) -> None:
        frames = feed(n_frames, seed)
        dense = in_pieces(streamer, frames, [])
        assert np.abs(in_pieces(streamer, frames, lengths) - dense).max() < EXACT
        assert np.abs(live(streamer, frames) - dense).max() < EXACT

    holds()


@pytest.mark.parametrize("name", NAMED)
def test_nothing_is_left_of_what_came_before_a_reset(name: str, ready: dict[str, Ready]) -> None:
    network = ready[name]
    streamer = Streamer(network.bundle, network.backend, EACH)
    frames = feed(streamer.delay + 6)
    first = live(streamer, frames)
    for frame in feed(3, seed=1):
        streamer.see(frame)
    streamer.reset()
    assert np.array_equal(live(streamer, frames), first)


@over_cases
def test_a_frame_is_answered_as_late_as_is_said(name: str, run: RunSettings, ready: dict[str, Ready]) -> None:
    network = ready[name]
    streamer = Streamer(network.bundle, network.backend, run)
    n_frames = streamer.delay + 10
    newest = [seen[-1].frame.index for frame in feed(n_frames) if (seen := streamer.see(frame))]
    assert newest[-3:] == [n_frames - streamer.delay + i for i in range(-3, 0)]


@over_cases
def test_an_answer_depends_on_as_many_frames_as_is_said(
    name: str, run: RunSettings, ready: dict[str, Ready]
) -> None:
    """On the first of them, and on none before it."""
    network = ready[name]
    streamer = Streamer(network.bundle, network.backend, run)
    n_frames = streamer.receptive_field + 4 * run.clip_step
    frames = feed(n_frames)
    asked = n_frames - 1 - streamer.delay
    first = n_frames - streamer.receptive_field
    before = in_pieces(streamer, frames, [])[asked]
    for place, same in ((first, False), (first - 1, True)):
        other = feed(n_frames, seed=1)[place]
        changed = in_pieces(streamer, [*frames[:place], other, *frames[place + 1 :]], [])[asked]
        assert np.array_equal(changed, before) == same, place
