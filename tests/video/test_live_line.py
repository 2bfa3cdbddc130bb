"""A slow reader gets the newest frames, and is told how many it missed."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from sonoplane.errors import DamagedRecording, UsageError
from sonoplane.records import Frame
from sonoplane.video.live import LiveFacts, Newest
from sonoplane.video.live_line import Line

FACTS = LiveFacts(kind="raw", height=2, width=2, color=False, fps=None, container="raw", codec="gray")


class Gated:
    """A source whose frames wait until the test lets them go."""

    facts = FACTS

    def __init__(
        self, n: int, *, notes: dict[int, str] | None = None, error: Exception | None = None
    ) -> None:
        self.gate = threading.Semaphore(0)
        self.closed = False
        self._n, self._notes, self._error = n, notes or {}, error

    def frames(self) -> Iterator[Frame]:
        for index in range(self._n):
            self.gate.acquire()
            if self.closed:
                return
            image = np.zeros((2, 2), np.uint8)
            yield Frame(index=index, time_s=float(index), image=image, note=self._notes.get(index))
        if self._error:
            raise self._error

    def let(self, n: int) -> None:
        self.gate.release(n)

    def close(self) -> None:
        self.closed = True
        self.let(1)


def until(true) -> None:
    end_s = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end_s
        time.sleep(0.002)


def test_the_newest_frames_win_and_the_others_are_counted():
    source = Gated(10)
    line = Newest(source, ahead=2)
    source.let(10)
    until(lambda: line.n_read == 10)
    assert [arrived.frame.index for arrived in line] == [8, 9]
    assert (line.n_read, line.n_dropped) == (10, 8)


def test_a_line_that_does_not_drop_lets_the_source_wait():
    source = Gated(10)
    line = Newest(source, ahead=3, drop=False)
    source.let(10)
    until(lambda: line.n_read == 3)
    time.sleep(0.05)
    assert line.n_read == 3
    assert [arrived.frame.index for arrived in line] == list(range(10))
    assert line.n_dropped == 0


def test_the_line_may_grow_and_shrink_while_it_runs():
    source = Gated(12)
    line = Newest(source, ahead=8)
    source.let(8)
    until(lambda: line.n_read == 8)
    assert line.n_dropped == 0
    line.ahead = 2
    assert line.n_dropped == 6
    assert next(line).frame.index == 6
    line.ahead = 5
    source.let(4)
    until(lambda: line.n_read == 12)
    assert [arrived.frame.index for arrived in line] == [7, 8, 9, 10, 11]
    assert line.n_dropped == 6


def test_what_there_was_to_say_of_a_dropped_frame_is_said_of_the_next():
    source = Gated(5, notes={1: "Back.", 2: "Damaged.", 3: "Damaged."})
    line = Newest(source, ahead=1)
    source.let(5)
    until(lambda: line.n_read == 5)
    (last,) = list(line)
    assert (last.frame.index, last.frame.note) == (4, "Back. Damaged.")


def test_arrival_is_told_by_the_monotonic_clock():
    source = Gated(1)
    before_s = time.monotonic()
    line = Newest(source)
    source.let(1)
    assert before_s <= next(line).arrived_s <= time.monotonic()


def test_an_error_of_the_source_is_raised_where_the_line_is_read_after_its_last_frame():
    source = Gated(2, error=DamagedRecording("It broke."))
    line = Newest(source, ahead=5)
    source.let(2)
    assert [next(line).frame.index for _ in range(2)] == [0, 1]
    with pytest.raises(DamagedRecording):
        next(line)
    assert list(line) == []


@pytest.mark.parametrize("drop", [True, False])
def test_closing_ends_both_sides(drop):
    source, before = Gated(10), set(threading.enumerate())
    line = Newest(source, ahead=1, drop=drop)
    source.let(5)
    threading.Timer(0.05, line.close).start()
    started_s = time.monotonic()
    list(line)
    assert time.monotonic() - started_s < 1
    assert source.closed
    until(lambda: set(threading.enumerate()) <= before)


def test_a_line_holds_at_least_one():
    with pytest.raises(UsageError):
        Line([], ahead=0)
    line = Line([1], ahead=1)
    with pytest.raises(UsageError):
        line.ahead = 0


def test_a_source_that_stays_silent_is_noticed():
    gate = threading.Event()

    def made() -> Iterator[int]:
        gate.wait()
        yield 1

    line = Line(made(), ahead=1)
    assert not line.ready(0.05)
    gate.set()
    assert line.ready(5)
    assert list(line) == [1]
    assert line.ready(0)
