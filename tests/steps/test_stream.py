import csv
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sonoplane.errors import DamagedRecording, RecordingError, UsageError
from sonoplane.inference.backends import open_backend
from sonoplane.inference.smoothing import StreamSmoother
from sonoplane.inference.timeline import softmax
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.registry import build, network_spec, weights_of
from sonoplane.records import Frame, Timeline
from sonoplane.report.findings_json import validate
from sonoplane.steps.predict import predict
from sonoplane.steps.recipe import Recipe, layered
from sonoplane.steps.stream import LiveAnswer, Streamed, stream
from sonoplane.steps.stream_settings import StreamSettings
from sonoplane.video.live import LiveFacts, LiveKind, LiveSettings, LiveSource, open_live
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomExam
from tests.video.live_senders import sending_jpegs, web_server

FAST = LiveSettings(pace="fast")
ALL = {"keyframes": {"min_probability": 0.0, "min_run": 1}}


@dataclass
class Feed:
    """A live feed of frames that are at hand."""

    given: list[Frame]
    kind: LiveKind = "network"
    wait_s: float = 0.0
    """Between two frames."""
    fails: Exception | None = None
    """After the last frame."""
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def facts(self) -> LiveFacts:
        height, width = self.given[0].image.shape[:2] if self.given else (160, 200)
        return LiveFacts(
            kind=self.kind,
            height=height,
            width=width,
            color=False,
            fps=25.0,
            container="test",
            codec="none",
        )

    def frames(self) -> Iterator[Frame]:
        for frame in self.given:
            if self.closed.wait(self.wait_s):
                return
            yield frame
        if self.fails:
            raise self.fails

    def close(self) -> None:
        self.closed.set()


def numbered(images: list[np.ndarray]) -> list[Frame]:
    return [Frame(index=i, time_s=i / 25, image=image) for i, image in enumerate(images)]


@pytest.fixture(scope="module")
def sweep(exams: list[PhantomExam]) -> list[Frame]:
    return list(exams[0].recording.frames())


@pytest.fixture(scope="module")
def causal(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    spec = network_spec("sononet3d-2-causal", n_classes=len(bundle.card.classes))
    return save_bundle(
        tmp_path_factory.mktemp("bundles") / "causal",
        name="causal",
        version="1",
        spec=spec,
        card=bundle.card,
        weights=weights_of(build(spec, seed=1)),
        recipe={},
    )


def follow(
    source: LiveSource, bundle: Bundle, recipe: Recipe | None = None, **options: Any
) -> tuple[list[LiveAnswer], Streamed]:
    recipe = recipe or layered(ALL)
    answers: list[LiveAnswer] = []
    streamed = stream(
        source,
        bundle=bundle,
        backend=open_backend(bundle, "torch", recipe.run),
        recipe=recipe,
        **{"drop": False, "on_answer": answers.append} | options,
    )
    return answers, streamed


def findings(folder: Path | None) -> dict[str, Any]:
    assert folder
    found: dict[str, Any] = json.loads((folder / "findings.json").read_text())
    validate(found)
    return found


def rows(folder: Path | None) -> list[dict[str, str]]:
    assert folder
    with (folder / "timeline.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


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


def test_what_is_recorded_is_what_predict_leaves_and_the_cleaned_video(
    sweeps: Path, causal: Bundle, tmp_path: Path
) -> None:
    path = min(sweeps.glob("*.mp4"))
    answers, streamed = follow(open_live(str(path), FAST), causal, record=tmp_path / "out", name="sweep")
    folder = tmp_path / "out" / "sweep"
    assert streamed.folder == folder
    found = findings(folder)
    assert (found["frames"], found["fps"]) == (24, pytest.approx(25))
    assert (found["recording"], found["settings"]["run"]["mode"]) == ("sweep", "dense")
    assert [row["label"] for row in rows(folder)] == [answer.plane for answer in answers]
    assert (tuple(found["planes"]["found"]), tuple(found["planes"]["missing"])) == (
        streamed.found,
        streamed.missing,
    )
    assert found["keyframes"]
    assert all((folder / keyframe["image"]).is_file() for keyframe in found["keyframes"])
    assert "sweep/report.html" in (tmp_path / "out" / "index.html").read_text()
    assert not list((tmp_path / "out").glob(".*"))
    video = list(open_recording(folder / "video.mp4").frames())
    assert [frame.time_s for frame in video] == pytest.approx(
        [float(row["time_s"]) for row in rows(folder)], abs=1e-3
    )


def test_nothing_outside_the_region_is_recorded(sweep: list[Frame], bundle: Bundle, tmp_path: Path) -> None:
    _, streamed = follow(Feed(sweep), bundle, record=tmp_path)
    box = findings(streamed.folder)["region"]
    assert streamed.folder
    for frame in open_recording(streamed.folder / "video.mp4").frames():
        image = frame.image.copy()
        assert image.max() > 100
        image[max(0, box["top"] - 8) : box["bottom"] + 8, max(0, box["left"] - 8) : box["right"] + 8] = 0
        assert image.max() < 24, "what lossy coding leaves of black"
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert str(tmp_path).encode() not in written


def test_a_second_recording_leaves_the_first(sweep: list[Frame], bundle: Bundle, tmp_path: Path) -> None:
    for _ in range(2):
        follow(Feed(sweep[:6]), bundle, record=tmp_path)
    assert sorted(path.parent.name for path in tmp_path.glob("*/video.mp4")) == ["stream", "stream-2"]
    assert "stream-2/report.html" in (tmp_path / "index.html").read_text()


def test_a_source_that_fails_leaves_all_that_came_before(
    sweep: list[Frame], causal: Bundle, tmp_path: Path
) -> None:
    lost = RecordingError("The address was lost: no data.", advice="Check the sender.")
    answers, streamed = follow(Feed(sweep, fails=lost), causal, record=tmp_path)
    assert streamed.failure is lost
    assert len(answers) == streamed.frames == len(rows(streamed.folder)) == len(sweep)
    assert any("The address was lost" in warning for warning in findings(streamed.folder)["warnings"])


def test_a_disk_that_is_full_ends_the_video_and_nothing_else(bundle: Bundle, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="this system limits no file's size")
    draw = np.random.default_rng(0)
    frames = numbered([draw.integers(0, 256, (96, 128), dtype=np.uint8) for _ in range(130)])
    recipe = layered(ALL, {"region": {"whole_frame": True, "writing": False, "first_frames": 8}})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    try:
        _, streamed = follow(Feed(frames), bundle, recipe, record=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "video could not be written to its end" in str(streamed.failure)
    assert streamed.frames == len(rows(streamed.folder)) == 130
    assert any("video could not be written" in warning for warning in findings(streamed.folder)["warnings"])


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


def test_what_was_recorded_stays_when_the_caller_fails(
    sweep: list[Frame], bundle: Bundle, tmp_path: Path
) -> None:
    def broken(answer: LiveAnswer) -> None:
        if answer.frame == 9:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        follow(Feed(sweep), bundle, record=tmp_path, on_answer=broken)
    assert len(rows(tmp_path / "stream")) == 10
    assert len(list(open_recording(tmp_path / "stream" / "video.mp4").frames())) == 10


@pytest.mark.parametrize("fails", [None, RecordingError("The device was lost.")])
def test_a_source_without_a_frame_leaves_nothing(
    fails: Exception | None, bundle: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(RecordingError, match="lost" if fails else "No "):
        follow(Feed([], fails=fails), bundle, record=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_take_the_recording_is_told_first(
    sweep: list[Frame], bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "out").touch()
    seen: list[LiveAnswer] = []
    with pytest.raises(UsageError, match="'out' cannot take the recording"):
        follow(Feed(sweep), bundle, record=tmp_path / "out", on_answer=seen.append)
    assert not seen


def test_frames_that_come_too_fast_are_dropped_and_counted(
    sweep: list[Frame], bundle: Bundle, tmp_path: Path
) -> None:
    frames = numbered([frame.image for frame in sweep] * 8)
    numbers: list[int] = []

    def slow(answer: LiveAnswer) -> None:
        numbers.append(answer.frame + answer.dropped)
        time.sleep(0.02)

    _, streamed = follow(
        Feed(frames, wait_s=0.002),
        bundle,
        layered(ALL, {"region": {"first_frames": 8}}),
        settings=StreamSettings(ahead=2, catch_up_s=0),
        drop=True,
        record=tmp_path,
        on_answer=slow,
    )
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == len(frames) - 1, "the newest is answered"
    assert streamed.dropped == len(frames) - len(numbers) > 50
    found = findings(streamed.folder)
    assert found["frames"] == len(numbers)
    assert found["fps"] < 20
    assert any(f"{streamed.dropped} frames" in warning for warning in found["warnings"])
    assert [row["time_s"] for row in rows(streamed.folder)] == [f"{n / 25:.6f}" for n in numbers]


def test_a_network_that_is_too_slow_does_not_try_to_catch_up_for_long(
    sweep: list[Frame], bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sonoplane.steps.live_line._PATIENCE_S", 0.2)
    frames = numbered([frame.image for frame in sweep] * 8)
    recipe = layered(ALL, {"region": {"first_frames": 32}})
    answers: list[LiveAnswer] = []

    def slow(answer: LiveAnswer) -> None:
        answers.append(answer)
        time.sleep(0.05)

    follow(Feed(frames, wait_s=0.01), bundle, recipe, drop=True, on_answer=slow)
    assert answers[0].dropped == 0
    assert max(np.diff([answer.dropped for answer in answers])) > 16, "those held are given up"
    assert answers[-1].latency_ms < 2000


def test_frames_in_which_the_region_was_found_are_answered_too(sweep: list[Frame], bundle: Bundle) -> None:
    frames = numbered([frame.image for frame in sweep])
    recipe = layered(ALL, {"region": {"first_frames": 16}})
    answers, streamed = follow(Feed(frames, wait_s=0.03), bundle, recipe)
    assert len(answers) == len(frames)
    assert answers[0].latency_ms > 400, "held until the 16th came"
    assert streamed.p99_ms is None or streamed.p99_ms < answers[0].latency_ms, "those are not counted"


def test_a_feed_that_shows_nothing_yet_is_searched_again(sweep: list[Frame], bundle: Bundle) -> None:
    black = [np.zeros_like(sweep[0].image)] * 70
    frames = numbered(black + [frame.image for frame in sweep] * 4)
    answers, streamed = follow(Feed(frames), bundle)
    assert (answers[0].frame, answers[0].dropped) == (0, 64)
    assert (streamed.dropped, streamed.passed) == (0, 64)
    assert follow(Feed(frames, kind="raw"), bundle)[1].passed == 64
    with pytest.raises(RecordingError, match="No ultrasound region"):
        follow(Feed(frames, kind="file"), bundle)
    with pytest.raises(RecordingError, match="ended before the ultrasound region") as caught:
        follow(Feed(frames[:70]), bundle)
    assert "whole-frame" not in caught.value.advice


def test_what_happened_before_any_ultrasound_is_told_apart(
    sweep: list[Frame], bundle: Bundle, tmp_path: Path
) -> None:
    black = [np.zeros_like(sweep[0].image)] * 64
    frames = numbered(black + [frame.image for frame in sweep] * 3)
    frames[5] = replace(frames[5], note="It was lost for a second.")
    _, streamed = follow(Feed(frames), bundle, record=tmp_path)
    warnings = " ".join(findings(streamed.folder)["warnings"])
    assert "The first 64 frames of the feed showed no ultrasound yet" in warnings
    assert "Before the first frame: It was lost for a second." in warnings
    assert "given up" not in warnings


def test_a_name_that_is_taken_meanwhile_costs_nothing(
    sweep: list[Frame], bundle: Bundle, tmp_path: Path
) -> None:
    def told(answer: LiveAnswer) -> None:
        (tmp_path / "stream").mkdir(exist_ok=True)
        (tmp_path / "stream" / "findings.json").write_text("another's")

    _, streamed = follow(Feed(sweep), bundle, record=tmp_path, on_answer=told)
    assert streamed.folder == tmp_path / "stream-2"
    assert streamed.failure is None
    assert findings(streamed.folder)["recording"] == "stream-2"
    assert len(list(open_recording(tmp_path / "stream-2" / "video.mp4").frames())) == len(sweep)
    assert (tmp_path / "stream" / "findings.json").read_text() == "another's"
    assert not list(tmp_path.glob(".*"))


def test_failures_that_predict_listed_stay_listed(sweep: list[Frame], bundle: Bundle, tmp_path: Path) -> None:
    rows_before = 'recording,reason,what_to_do\nold,"It is empty, or not.",Copy it again.\n'
    (tmp_path / "failures.csv").write_text(rows_before)
    follow(Feed(sweep[:6]), bundle, record=tmp_path)
    assert (tmp_path / "failures.csv").read_text() == rows_before
    assert "Copy it again." in (tmp_path / "index.html").read_text()


def test_a_disk_without_room_for_the_report_leaves_the_video_and_the_timeline(
    sweep: list[Frame], bundle: Bundle, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource", reason="this system limits no file's size")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    frames = numbered([frame.image for frame in sweep] * 6)

    def told(answer: LiveAnswer) -> None:
        if answer.frame == len(frames) - 1:
            time.sleep(0.5)  # all before it is encoded
            resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))

    try:
        _, streamed = follow(Feed(frames), bundle, record=tmp_path, on_answer=told)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "report could not be written: File too large" in str(streamed.failure)
    assert streamed.folder == tmp_path / "stream"
    assert {path.name for path in streamed.folder.iterdir()} <= {"video.mp4", "timeline.csv"}
    assert len(rows(streamed.folder)) == len(frames)
    assert len(list(open_recording(streamed.folder / "video.mp4").frames())) >= 60
    assert not list(tmp_path.glob(".*.partial"))


def test_a_region_that_is_kept_lets_the_next_run_start_at_once(
    sweep: list[Frame], bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache" / "region.json"
    first, _ = follow(Feed(sweep), bundle, region_cache=cache, record=tmp_path / "a")
    again, streamed = follow(Feed(sweep, wait_s=0.05), bundle, region_cache=cache, record=tmp_path / "b")
    assert [a.plane for a in again] == [a.plane for a in first]
    assert again[0].latency_ms < 900, "not held until the last came"
    one, other = findings(tmp_path / "a" / "stream"), findings(streamed.folder)
    assert one["region"] == other["region"]
    assert any("earlier run" in warning for warning in other["warnings"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("spoil", ["size", "search", "text", "box"])
def test_a_kept_region_that_does_not_fit_is_searched_anew(
    spoil: str, sweep: list[Frame], bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "region.json"
    expected, _ = follow(Feed(sweep), bundle, region_cache=cache)
    frames, recipe = sweep, layered(ALL)
    values = json.loads(cache.read_text())
    if spoil == "size":
        frames = [replace(frame, image=frame.image[:-2]) for frame in sweep]
    elif spoil == "search":
        recipe = layered(ALL, {"region": {"least_share": 0.05}})
    elif spoil == "box":
        cache.write_text(json.dumps(values | {"box": values["box"] | {"right": 5000}}))
    else:
        cache.write_text("[1]")
    answers, _ = follow(Feed(frames), bundle, recipe, region_cache=cache)
    assert "searched anew" in capsys.readouterr().err
    if spoil != "size":
        assert [a.probability for a in answers] == [a.probability for a in expected]


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


def test_a_source_that_comes_back_is_followed_with_the_region_it_had(
    sweep: list[Frame], bundle: Bundle, tmp_path: Path
) -> None:
    pictures = [bytes(cv2.imencode(".jpg", frame.image)[1]) for frame in sweep]
    ended = threading.Event()

    def told(answer: LiveAnswer) -> None:
        if answer.frame == 30:
            ended.set()

    recipe = layered(ALL, {"region": {"first_frames": 16}})
    again = LiveSettings(reconnect_s=0.05)
    with web_server(sending_jpegs(pictures, fps=100), sending_jpegs(pictures * 9, fps=100)) as (host, visits):
        _, streamed = follow(
            open_live(f"http://{host}/", again), bundle, recipe, record=tmp_path, ended=ended, on_answer=told
        )
        assert len(visits) == 2
    warnings = findings(streamed.folder)["warnings"]
    assert any(warning.startswith("Frame 24: ") and "came back" in warning for warning in warnings)
    assert sum("region" in warning for warning in warnings) <= 1
    assert len(rows(streamed.folder)) == streamed.frames > 30


def test_a_damaged_recording_is_answered_up_to_the_damage(sweep: list[Frame], bundle: Bundle) -> None:
    damage = DamagedRecording("It ends in the middle.")
    answers, streamed = follow(Feed(sweep[:5], kind="file", fails=damage), bundle)
    assert len(answers) == 5
    assert streamed.failure is damage
