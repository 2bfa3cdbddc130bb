"""When the frames of a live source were made: its own clock where that can be believed, else their arrival."""

import time
from threading import Event

__all__ = ["LiveClock", "Pace"]

#: A source's clock that runs further ahead of the arrivals than this, in seconds, from one frame to the next, was
#: set anew.
MOST_AHEAD_S = 5.0

#: The least that a frame is younger than the one before it, in seconds.
LEAST_S = 1e-6

JUMPED = (
    "The source's clock jumped before this frame; the time since the last one is that between their arrivals."
)


class LiveClock:
    """Seconds since the first frame, growing from frame to frame, whatever the source's clock does.

    >>> clock = LiveClock()
    >>> [clock.tell(stamp, arrived_s=now)[0] for stamp, now in [(7.0, 0.0), (7.25, 0.5), (7.5, 0.6)]]
    [0.0, 0.25, 0.5]
    >>> clock.restart()  # the source was lost for a while and counts from 0 again
    >>> clock.tell(0.0, arrived_s=2.6)[0], clock.tell(0.25, arrived_s=2.7)[0]
    (2.5, 2.75)
    """

    def __init__(self) -> None:
        self._time_s = 0.0
        self._arrived_s: float | None = None
        # The last frame with a stamp: the stamp, the time it was given, its arrival.
        self._known: tuple[float, float, float] | None = None

    def restart(self, latest_s: float | None = None) -> None:
        """Forget the source's clock, as after a reconnection; no frame came after `latest_s`, where that is known."""
        self._known = None
        if latest_s is not None and self._arrived_s is not None:
            self._arrived_s = min(self._arrived_s, latest_s)

    def tell(self, stamp_s: float | None, *, arrived_s: float) -> tuple[float, str | None]:
        """The time of the next frame from the source's stamp, or None, and its arrival; with a note on a jump."""
        time_s, note = None, None
        if stamp_s is not None and self._known is not None:
            stamp, known_s, known_arrived_s = self._known
            step = stamp_s - stamp
            if step <= 0 or step > arrived_s - known_arrived_s + MOST_AHEAD_S:
                note = JUMPED
            else:
                time_s = known_s + step
        if self._arrived_s is None:
            time_s = 0.0
        elif time_s is None or time_s <= self._time_s:
            time_s = self._time_s + max(arrived_s - self._arrived_s, LEAST_S)
        self._time_s, self._arrived_s = time_s, arrived_s
        if stamp_s is not None:
            self._known = (stamp_s, time_s, arrived_s)
        return time_s, note


class Pace:
    """Holds frames back until their time has come, counted from the first one."""

    def __init__(self, closed: Event) -> None:
        self._closed = closed
        self._start_s: float | None = None

    def wait(self, time_s: float) -> bool:
        """Wait until a frame of that time is due; False as soon as the source is closed."""
        if self._start_s is None:
            self._start_s = time.monotonic() - time_s
        left_s = self._start_s + time_s - time.monotonic()
        return not (self._closed.wait(left_s) if left_s > 0 else self._closed.is_set())
