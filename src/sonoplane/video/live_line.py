"""Frames made on a thread of their own wait in a line of bounded length until they are asked for."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from threading import Condition, Thread
from typing import Generic, TypeVar

from sonoplane.errors import UsageError
from sonoplane.records import Frame
from sonoplane.video.live_source import LiveSource

__all__ = ["Arrived", "Line", "Newest"]

T = TypeVar("T")

#: A wait without an end could not be interrupted from the keyboard on Windows.
WAIT_S = 0.5


class Line(Generic[T]):
    """Hands over what a thread of its own makes, in order.

    Where the line is full, `merge(oldest, next)` drops the oldest and says what becomes of the next one; without
    it the thread waits. What goes wrong on the thread is raised where the line is read, after what came before.

    >>> list(Line(range(5), ahead=2))
    [0, 1, 2, 3, 4]
    """

    def __init__(self, made: Iterable[T], *, ahead: int, merge: Callable[[T, T], T] | None = None) -> None:
        self.n_made = 0
        self.n_dropped = 0
        self._ahead = _checked(ahead)
        self._merge = merge
        self._waiting: deque[T] = deque()
        self._changed = Condition()
        self._ended = self._closed = False
        self._error: BaseException | None = None
        # A daemon: where it is stuck in a read that nothing can break off, the program can still end.
        Thread(target=self._make, args=(made,), name="live source", daemon=True).start()

    @property
    def ahead(self) -> int:
        """How many may wait; it may be changed at any time."""
        return self._ahead

    @ahead.setter
    def ahead(self, ahead: int) -> None:
        with self._changed:
            self._ahead = _checked(ahead)
            self._shorten()
            self._changed.notify_all()

    def ready(self, within_s: float) -> bool:
        """Whether an item, an error or the end came within so many seconds."""
        end_s = time.monotonic() + within_s
        with self._changed:
            while not (self._waiting or self._ended or self._closed):
                left_s = end_s - time.monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(min(left_s, WAIT_S))
        return True

    def close(self) -> None:
        """Forget what waits, and end both sides: the thread as soon as it makes its next item."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._changed:
            while not (self._waiting or self._ended or self._closed):
                self._changed.wait(WAIT_S)
            if self._waiting and not self._closed:
                item = self._waiting.popleft()
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
        if error is not None and not self._closed:
            raise error
        raise StopIteration

    def _make(self, made: Iterable[T]) -> None:
        error = None
        try:
            for item in made:
                if not self._put(item):
                    break
        except BaseException as raised:
            error = raised
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def _put(self, item: T) -> bool:
        """Whether the line still wants more."""
        with self._changed:
            while self._merge is None and len(self._waiting) >= self._ahead and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self.n_made += 1
            self._waiting.append(item)
            self._shorten()
            self._changed.notify_all()
            return True

    def _shorten(self) -> None:
        while self._merge is not None and len(self._waiting) > self._ahead:
            oldest = self._waiting.popleft()
            self._waiting[0] = self._merge(oldest, self._waiting[0])
            self.n_dropped += 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrived:
    """A frame, and when it came out of its source."""

    frame: Frame
    arrived_s: float
    """By `time.monotonic`, so that now minus this is how late an answer is."""


class Newest:
    """The frames of a live source for a reader that may be too slow: the newest win, the others are counted.

    The source is read on a thread of its own, from now on. At most `ahead` frames wait (it may be changed at any
    time, such as while the region is looked for); beyond that the oldest is dropped, and its note goes to the next
    one. With `drop=False` the source waits instead. What the source raises is raised here.
    """

    def __init__(self, source: LiveSource, *, ahead: int = 2, drop: bool = True) -> None:
        self._source = source
        self._line = Line(_arriving(source), ahead=ahead, merge=_noted if drop else None)

    @property
    def ahead(self) -> int:
        """How many frames may wait."""
        return self._line.ahead

    @ahead.setter
    def ahead(self, ahead: int) -> None:
        self._line.ahead = ahead

    @property
    def n_read(self) -> int:
        """How many frames came out of the source."""
        return self._line.n_made

    @property
    def n_dropped(self) -> int:
        """How many of them were given up for newer ones."""
        return self._line.n_dropped

    def __iter__(self) -> Iterator[Arrived]:
        return self

    def __next__(self) -> Arrived:
        return next(self._line)

    def close(self) -> None:
        """End the source and this; from any thread."""
        self._source.close()
        self._line.close()


def _arriving(source: LiveSource) -> Iterator[Arrived]:
    for frame in source.frames():
        yield Arrived(frame=frame, arrived_s=time.monotonic())


def _noted(dropped: Arrived, kept: Arrived) -> Arrived:
    """The frame that is kept, with what there was to say of the one before it."""
    before, after = dropped.frame.note or "", kept.frame.note or ""
    if before in after:
        return kept
    note = before if after in before else f"{before} {after}"
    return replace(kept, frame=replace(kept.frame, note=note))


def _checked(ahead: int) -> int:
    if ahead < 1:
        raise UsageError(f"A line of {ahead} frames holds none.", advice="Let at least one frame wait.")
    return ahead
