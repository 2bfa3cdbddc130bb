import time
from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.models.bundle import Bundle
from sonoplane.records import Frame
from sonoplane.steps.live_recording import VIDEO, LiveRecording, free_name
from sonoplane.steps.recipe import layered
from sonoplane.steps.stream import LiveAnswer
from sonoplane.video.live import open_live
from sonoplane.video.opening import open_recording
from tests.steps.live_feeds import ALL, FAST, Feed, findings, follow, numbered, rows


def noise(n: int, height: int = 480, width: int = 640) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [draw.integers(0, 256, (height, width), dtype=np.uint8) for _ in range(n)]


def test_a_slow_encoder_is_never_waited_for_and_no_frame_loses_its_place(tmp_path: Path) -> None:
    images = noise(3)
    recording = LiveRecording(tmp_path, "stream", height=480, width=640, fps=30)
    began = time.monotonic()
    for turn in range(60):
        recording.add(images[turn % 3], turn / 30)
    took_s = time.monotonic() - began
    recording.close()
    assert recording.n_repeated > 5
    assert took_s < 0.3, "encoding them takes far longer"
    (video,) = tmp_path.glob(f".*.partial/{VIDEO}")
    frames = list(open_recording(video).frames())
    assert [frame.time_s for frame in frames] == pytest.approx([turn / 30 for turn in range(60)], abs=1e-3)
    recording.give_up()
    assert list(tmp_path.iterdir()) == []


def test_names_are_free(tmp_path: Path) -> None:
    for name in ("sweep", "sweep-2"):
        (tmp_path / name).mkdir()
    assert free_name(tmp_path, "sweep") == "sweep-3"
    assert free_name(tmp_path / "new", "sweep") == "sweep"


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="'file' cannot take the recording"):
        free_name(tmp_path / "file", "sweep")


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


def test_a_place_that_cannot_take_the_recording_is_told_first(
    sweep: list[Frame], bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "out").touch()
    seen: list[LiveAnswer] = []
    with pytest.raises(UsageError, match="'out' cannot take the recording"):
        follow(Feed(sweep), bundle, record=tmp_path / "out", on_answer=seen.append)
    assert not seen


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
