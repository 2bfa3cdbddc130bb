import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import DamagedRecording, RecordingError, UsageError
from sonoplane.inference.backends import open_backend
from sonoplane.inference.smoothing import StreamSmoother
from sonoplane.inference.timeline import softmax
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.registry import build, network_spec, weights_of
from sonoplane.records import Frame, Timeline
from sonoplane.steps.predict import predict
from sonoplane.steps.recipe import Recipe, layered
from sonoplane.steps.stream import LiveAnswer, stream
from sonoplane.video.live import open_live
from sonoplane.video.opening import open_recording
from tests.steps.live_feeds import ALL, FAST, Feed, findings, follow, numbered, rows


def of_file(path: Path, bundle: Bundle, recipe: Recipe) -> Timeline:
    backend = open_backend(bundle, "torch", recipe.run)
    return predict(open_recording(path), bundle=bundle, backend=backend, recipe=recipe)[1]


@pytest.mark.parametrize("suffix", ["dcm", "mp4"])
@pytest.mark.parametrize("name", ["bundle", "causal"])
def test_a_file_that_is_streamed_is_told_what_predict_tells(
    name: str, suffix: str, sweeps: Path, request: pytest.FixtureRequest
) -> None:
    network: Bundle = request.getfixturevalue(name)
    path = min(sweeps.glob(f"*.{suffix}"))
    file = of_file(path, network, layered(ALL))
    answers, _ = follow(open_live(str(path), FAST), network)
    assert [answer.frame for answer in answers] == list(range(file.n_frames))
    assert [answer.time_s for answer in answers] == pytest.approx(list(file.times_s))  # type: ignore[arg-type]  # known
    assert np.abs(np.stack([a.probabilities for a in answers]) - file.probabilities).max() < 1e-5
    assert [answer.plane for answer in answers] == list(file.labels)


@pytest.mark.parametrize("kind", ["average", "hysteresis"])
def test_smoothing_of_a_stream_looks_back_only(kind: str, sweeps: Path, causal: Bundle) -> None:
    path = min(sweeps.glob("*.dcm"))
    recipe = layered(ALL, {"smoothing": {"kind": kind}})
    raw = softmax(of_file(path, causal, layered(ALL)).logits)
    expected = StreamSmoother(causal.card.classes, recipe.smoothing, fps=25.0).push(raw)
    answers, _ = follow(open_live(str(path), FAST), causal, recipe)
    assert np.abs(np.stack([a.probabilities for a in answers]) - expected.probabilities).max() < 1e-5
    assert [a.plane for a in answers] == [causal.card.classes[number] for number in expected.path]


def test_a_network_that_looks_ahead_answers_every_frame(sweeps: Path, bundle: Bundle, tmp_path: Path) -> None:
    spec = network_spec("sononet3d-2", n_classes=len(bundle.card.classes))
    ahead = save_bundle(
        tmp_path / "ahead",
        name="ahead",
        version="1",
        spec=spec,
        card=bundle.card,
        weights=weights_of(build(spec, seed=1)),
        recipe={},
    )
    recipe = layered(ALL, {"run": {"mode": "dense"}})
    path = min(sweeps.glob("*.dcm"))
    file = of_file(path, ahead, recipe)
    answers, _ = follow(open_live(str(path), FAST), ahead, recipe)
    assert np.abs(np.stack([a.probabilities for a in answers]) - file.probabilities).max() < 1e-5


def test_a_source_that_fails_leaves_all_that_came_before(
    sweep: list[Frame], causal: Bundle, tmp_path: Path
) -> None:
    lost = RecordingError("The address was lost: no data.", advice="Check the sender.")
    answers, streamed = follow(Feed(sweep, fails=lost), causal, record=tmp_path)
    assert streamed.failure is lost
    assert len(answers) == streamed.frames == len(rows(streamed.folder)) == len(sweep)
    assert any("The address was lost" in warning for warning in findings(streamed.folder)["warnings"])


def test_it_ends_when_it_is_told_to(sweep: list[Frame], bundle: Bundle, tmp_path: Path) -> None:
    ended = threading.Event()
    seen: list[LiveAnswer] = []

    def told(answer: LiveAnswer) -> None:
        seen.append(answer)
        if answer.frame == 70:
            ended.set()

    feed = Feed(numbered([frame.image for frame in sweep] * 50), wait_s=0.005)
    _, streamed = follow(feed, bundle, record=tmp_path, ended=ended, on_answer=told)
    assert feed.closed.is_set()
    assert 70 < streamed.frames < 400
    assert streamed.frames == len(seen) == len(rows(streamed.folder))
    assert streamed.failure is None


@pytest.mark.parametrize("fails", [None, RecordingError("The device was lost.")])
def test_a_source_without_a_frame_leaves_nothing(
    fails: Exception | None, bundle: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(RecordingError, match="lost" if fails else "No "):
        follow(Feed([], fails=fails), bundle, record=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_notes_of_frames_are_in_the_findings(sweep: list[Frame], bundle: Bundle, tmp_path: Path) -> None:
    frames = numbered([frame.image for frame in sweep] * 3)
    frames = [replace(frame, note="It was lost for a second.") for frame in frames]
    _, streamed = follow(Feed(frames), bundle, record=tmp_path)
    warnings = findings(streamed.folder)["warnings"]
    assert "Frame 3: It was lost for a second." in warnings
    assert f"{len(frames) - 50} more frames had something to note." in warnings


def test_a_mode_that_the_network_does_not_have_is_refused(sweep: list[Frame], causal: Bundle) -> None:
    class Clips:
        name, precision = "test", "float32"

        def __call__(self, inputs: np.ndarray) -> np.ndarray:
            return np.zeros((len(inputs), len(causal.card.classes)), np.float32)

    feed = Feed(sweep)
    with pytest.raises(UsageError, match="no dense form"):
        stream(feed, bundle=causal, backend=Clips(), recipe=Recipe())
    assert feed.closed.is_set()


def test_a_damaged_recording_is_answered_up_to_the_damage(sweep: list[Frame], bundle: Bundle) -> None:
    damage = DamagedRecording("It ends in the middle.")
    answers, streamed = follow(Feed(sweep[:5], kind="file", fails=damage), bundle)
    assert len(answers) == 5
    assert streamed.failure is damage
