import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sonoplane.errors import RecordingError
from sonoplane.models.bundle import Bundle
from sonoplane.records import Frame
from sonoplane.steps.recipe import layered
from sonoplane.steps.stream import LiveAnswer
from sonoplane.video.live import LiveSettings, open_live
from tests.steps.live_feeds import ALL, Feed, findings, follow, numbered, rows
from tests.video.live_senders import sending_jpegs, web_server


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
