import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sonoplane.models.bundle import Bundle
from sonoplane.records import Frame
from sonoplane.steps.live_line import LiveLine, ended_by
from sonoplane.steps.recipe import layered
from sonoplane.steps.stream import LiveAnswer
from sonoplane.steps.stream_settings import StreamSettings
from sonoplane.video.live import LiveFacts
from tests.steps.live_feeds import ALL, Feed, findings, follow, numbered, rows


class Hand:
    """A source that gives a frame whenever it is told to."""

    facts = LiveFacts(kind="network", height=2, width=2, color=False, fps=None, container="t", codec="t")

    def __init__(self) -> None:
        self.more = threading.Semaphore(0)
        self.closed = False

    def frames(self) -> Iterator[Frame]:
        for index in range(1000):
            self.more.acquire()
            if self.closed:
                return
            yield Frame(index=index, time_s=None, image=np.zeros((2, 2), np.uint8))

    def close(self) -> None:
        self.closed = True
        self.more.release()


@pytest.fixture
def source() -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.close()


def give(source: Hand, line: LiveLine, n: int) -> None:
    """Let it give so many frames, and wait until they lie in the line."""
    wanted = line._newest.n_read + n
    source.more.release(n)
    while line._newest.n_read < wanted:
        time.sleep(0.001)


def numbers(line: LiveLine, n: int) -> list[int]:
    return [next(line).frame.index for _ in range(n)]


def searched(source: Hand, *, drop: bool = True) -> LiveLine:
    """A region was found in three frames, while three more came."""
    line = LiveLine(source, StreamSettings(ahead=2), drop=drop, search_frames=8)
    if drop:
        give(source, line, 6)
    else:
        source.more.release(6)
    line.search_is_over([next(line) for _ in range(3)])
    return line


def test_frames_of_the_search_come_once_more_then_those_that_came_meanwhile(source: Hand) -> None:
    line = searched(source)
    assert numbers(line, 6) == [0, 1, 2, 3, 4, 5]
    assert not line.settled
    threading.Timer(0.05, source.more.release).start()
    assert numbers(line, 1) == [6]
    assert line.settled


def test_once_settled_only_the_newest_wait(source: Hand) -> None:
    line = searched(source)
    numbers(line, 6)
    threading.Timer(0.05, source.more.release).start()
    numbers(line, 1)
    give(source, line, 5)
    assert numbers(line, 2) == [10, 11]


def test_what_cannot_be_caught_up_with_is_given_up(source: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    line = searched(source)
    monkeypatch.setattr("sonoplane.steps.live_line._PATIENCE_S", -1.0)
    assert numbers(line, 2) == [4, 5], "those held are gone, and all but the newest"
    assert line.settled


def test_a_source_that_waits_loses_nothing(source: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    line = searched(source, drop=False)
    monkeypatch.setattr("sonoplane.steps.live_line._PATIENCE_S", -1.0)
    assert numbers(line, 6) == [0, 1, 2, 3, 4, 5]


def test_an_event_ends_a_line_that_waits(source: Hand) -> None:
    line = LiveLine(source, StreamSettings(), drop=True, search_frames=8)
    ended = threading.Event()
    with ended_by(ended, line):
        threading.Timer(0.05, ended.set).start()
        assert list(line) == []
    assert source.closed


def test_what_the_source_raises_is_kept_and_ends_the_line() -> None:
    class Broken(Hand):
        def frames(self) -> Iterator[Frame]:
            yield Frame(index=0, time_s=None, image=np.zeros((2, 2), np.uint8))
            raise ValueError("of the reader")

    line = LiveLine(Broken(), StreamSettings(), drop=True, search_frames=8)
    assert len(list(line)) == 1
    assert isinstance(line.failure, ValueError)


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
