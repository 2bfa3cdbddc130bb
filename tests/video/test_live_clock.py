"""The times of live frames grow, whatever the source's clock does."""

import itertools
import time
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoplane.video.live_clock import LiveClock, Pace


def told(*frames: tuple[float | None, float]) -> tuple[list[float], list[bool]]:
    clock = LiveClock()
    answers = [clock.tell(stamp, arrived_s=arrived_s) for stamp, arrived_s in frames]
    return [round(time_s, 6) for time_s, _ in answers], [note is not None for _, note in answers]


def test_the_sources_clock_counts_not_the_arrival():
    assert told((9.0, 50), (9.1, 50.3), (9.2, 50.31), (9.4, 52)) == ([0, 0.1, 0.2, 0.4], [False] * 4)


def test_without_stamps_the_arrival_counts():
    assert told((None, 50), (None, 50.3), (None, 50.31)) == ([0, 0.3, 0.31], [False] * 3)


def test_a_missing_stamp_is_bridged_by_the_arrival():
    assert told((9.0, 50), (None, 50.11), (9.2, 50.2), (9.3, 50.3)) == ([0, 0.11, 0.2, 0.3], [False] * 4)


@pytest.mark.parametrize("jump", [-9.0, 0.0, 3600.0])
def test_a_jump_of_the_sources_clock_is_noted_and_bridged(jump):
    stamps = (9.0, 9.1, 9.1 + jump, 9.2 + jump)
    frames = zip(stamps, (50, 50.1, 50.25, 50.4), strict=True)
    assert told(*frames) == ([0, 0.1, 0.25, 0.35], [False, False, True, False])


def test_a_source_that_is_read_late_or_fast_has_not_jumped():
    times, notes = told((0.0, 0), (0.1, 30), (0.2, 30.001), (4.2, 30.002))
    assert (times, notes) == ([0, 0.1, 0.2, 4.2], [False] * 4)


STEPS = st.floats(min_value=0, max_value=100)


@given(st.lists(st.tuples(st.none() | st.floats(-1e5, 1e5), STEPS, st.booleans()), min_size=2, max_size=30))
def test_times_always_grow(frames):
    clock, now, times = LiveClock(), 0.0, []
    for stamp, step, restart in frames:
        now += step
        if restart:
            clock.restart()
        times.append(clock.tell(stamp, arrived_s=now)[0])
    assert times[0] == 0
    assert all(later > earlier for earlier, later in itertools.pairwise(times))


def test_a_pace_waits_for_each_time_and_not_for_late_ones():
    pace, start_s = Pace(Event()), time.monotonic()
    assert pace.wait(3.0)
    assert pace.wait(3.05)
    waited_s = time.monotonic() - start_s
    assert waited_s >= 0.05
    time.sleep(0.05)
    assert pace.wait(3.06)
    assert time.monotonic() - start_s - waited_s < 0.2
