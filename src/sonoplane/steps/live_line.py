"""The frames of a live feed on their way to the network, and whether answers keep up with them."""

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sonoplane.steps.stream_settings import StreamSettings
from sonoplane.video.live_line import Arrived, Newest
from sonoplane.video.live_source import LiveSource

__all__ = ["LiveLine", "ended_by"]


#: A line that has not grown shorter for so long, seconds, will not be caught up with.
_PATIENCE_S = 5.0


class LiveLine:
    """Gives the frames of a source as they arrive, and counts on answers to keep up.

    While the region is looked for, and until answers have caught up with the frames that came meanwhile, more of them
    may wait than later. What the source raises ends the frames and is kept in `failure`: those that came before it are
    answered.
    """

    def __init__(
        self, source: LiveSource, settings: StreamSettings, *, drop: bool, search_frames: int
    ) -> None:
        self.failure: Exception | None = None
        self.settled = False
        """Whether answers have caught up with the feed, or given up doing so: the newest frames win from now on."""
        self._drop = drop
        self._settings = settings
        self._held: deque[Arrived] = deque()
        self._deadline_s: float | None = None
        self._shortest = 0
        self._shortest_s = 0.0
        self._n_taken = 0
        self._newest = Newest(
            source, ahead=max(settings.ahead, search_frames) if drop else settings.ahead, drop=drop
        )

    def __iter__(self) -> Iterator[Arrived]:
        return self

    def __next__(self) -> Arrived:
        if self._deadline_s is not None and not self.settled:
            self._catch_up(self._deadline_s)
        if self._held:
            return self._held.popleft()
        try:
            arrived = next(self._newest)
        except StopIteration:
            raise
        except Exception as error:
            self.failure = error
            raise StopIteration from None
        self._n_taken += 1
        return arrived

    def search_is_over(self, held: Sequence[Arrived]) -> None:
        """The region is known: the frames that it was found in come once more, and answers catch up."""
        self._held.extend(held)
        self._shortest_s = time.monotonic()
        self._shortest = self._n_waiting
        self._deadline_s = self._shortest_s + self._settings.catch_up_s

    @property
    def _n_waiting(self) -> int:
        return len(self._held) + self._newest.n_read - self._newest.n_dropped - self._n_taken

    def _catch_up(self, deadline_s: float) -> None:
        """Settle once nothing waits, or where the line grows no shorter."""
        now, n_waiting = time.monotonic(), self._n_waiting
        if n_waiting < self._shortest:
            self._shortest, self._shortest_s = n_waiting, now
        late = now > deadline_s or now - self._shortest_s > _PATIENCE_S
        if self._drop and late:
            self._held.clear()
        elif n_waiting if self._drop else self._held:
            return
        self.settled = True
        self._newest.ahead = self._settings.ahead

    def close(self) -> None:
        """End the source and this; from any thread."""
        self._newest.close()


@contextmanager
def ended_by(ended: threading.Event, line: LiveLine) -> Iterator[None]:
    """Close the line when the event is set, which a signal handler can do where it can do little else; and at the end.

    The event is set from inside whatever the main thread does, perhaps while it holds the line's lock: so another
    thread closes it.
    """
    over = threading.Event()

    def wait() -> None:
        while not over.is_set():
            if ended.wait(0.1):
                line.close()
                return

    watching = threading.Thread(target=wait, name="end of stream", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
        line.close()
