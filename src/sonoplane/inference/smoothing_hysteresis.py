"""A label holds until another is sure enough, and lasts a while."""

import heapq

import numpy as np
from jaxtyping import Float, Int64

__all__ = ["Hysteresis", "Lasting", "merge_short"]


class Hysteresis:
    """Follows one label, frame by frame; the same for one chunk or many.

    A class that reaches `enter` takes over. Else the class that holds goes on; once it falls below `leave`, the
    likeliest takes over, as at the first frame.

    >>> held = Hysteresis(enter=0.6, leave=0.4)
    >>> held.push(np.array([[0.9, 0.1], [0.45, 0.55], [0.4, 0.6], [0.5, 0.5], [0.61, 0.39]])).tolist()
    [0, 0, 1, 1, 0]
    """

    def __init__(self, *, enter: float, leave: float) -> None:
        self._enter = enter
        self._leave = leave
        self._now: int | None = None

    def push(self, probabilities: Float[np.ndarray, "time classes"]) -> Int64[np.ndarray, "time"]:
        """The class numbers that hold at the next frames."""
        numbers = np.empty(len(probabilities), np.int64)
        now = self._now
        for time, best in enumerate(probabilities.argmax(axis=1).tolist()):
            row = probabilities[time]
            if now is None or row[best] >= self._enter or row[now] < self._leave:
                now = best
            numbers[time] = now
        self._now = now
        return numbers

    def reset(self) -> None:
        """Forget all frames."""
        self._now = None


class Lasting:
    """Tells a new label only once it has held for `shortest` frames, so that what is told lasts as long at least.

    >>> Lasting(2).push(np.array([0, 1, 0, 1, 1, 1])).tolist()
    [0, 0, 0, 0, 1, 1]
    """

    def __init__(self, shortest: int) -> None:
        self._shortest = shortest
        self._told = self._next = -1
        self._length = 0

    def push(self, numbers: Int64[np.ndarray, "time"], *, missed: int = 0) -> Int64[np.ndarray, "time"]:
        """What is told at the next frames; `missed` frames before them were as the one before."""
        told = np.empty_like(numbers)
        if len(numbers):
            self._length += missed
        for time, number in enumerate(numbers.tolist()):
            self._length = self._length + 1 if number == self._next else 1
            self._next = number
            if self._length >= self._shortest or self._told < 0:
                self._told = number
            told[time] = self._told
        return told

    def reset(self) -> None:
        """Forget all frames."""
        self._told = self._next = -1
        self._length = 0


def merge_short(
    numbers: Int64[np.ndarray, "time"], probabilities: Float[np.ndarray, "time classes"], shortest: int
) -> Int64[np.ndarray, "time"]:
    """Give segments of fewer than `shortest` frames to a neighbor, the shortest segment first (of equals: the first).

    The neighbor is the one whose class is likelier in the segment's frames, of equals the earlier. No segment shorter
    than `shortest` is left, unless the whole recording is.

    >>> numbers = np.array([0, 0, 0, 1, 2, 2, 2])
    >>> merge_short(numbers, np.full((7, 3), 1 / 3), 2).tolist()
    [0, 0, 0, 0, 2, 2, 2]
    """
    if not len(numbers):
        return numbers
    starts = np.flatnonzero(np.diff(numbers, prepend=-1)).tolist()
    segments = _Segments(starts, numbers[starts].tolist(), len(numbers))
    sums = np.zeros((len(numbers) + 1, probabilities.shape[1]))
    np.cumsum(probabilities, axis=0, out=sums[1:], dtype=np.float64)
    heap = [(stop - start, start) for start, stop in segments.stops.items() if stop - start < shortest]
    heapq.heapify(heap)
    while heap:
        length, start = heapq.heappop(heap)
        if segments.stops.get(start, start) - start != length:
            continue  # it has grown or gone since
        neighbors = segments.beside(start)
        if neighbors:
            likely = sums[start + length] - sums[start]
            into = max(neighbors, key=lambda one: (likely[segments.classes[one]], -one))
            grown = segments.give(start, into)
            if segments.stops[grown] - grown < shortest:
                heapq.heappush(heap, (segments.stops[grown] - grown, grown))
    merged = np.empty_like(numbers)
    for start, stop in segments.stops.items():
        merged[start:stop] = segments.classes[start]
    return merged


class _Segments:
    """Runs of one class, each known by its first frame."""

    def __init__(self, starts: list[int], classes: list[int], n_frames: int) -> None:
        self.stops = dict(zip(starts, [*starts[1:], n_frames], strict=True))
        self.classes = dict(zip(starts, classes, strict=True))
        self._before = dict(zip(starts[1:], starts, strict=False))

    def beside(self, start: int) -> list[int]:
        """The segment before and the one after, where there are any."""
        after = self.stops[start]
        before = self._before.get(start)
        return [one for one in (before, after if after in self.stops else None) if one is not None]

    def give(self, start: int, into: int) -> int:
        """Give a segment to one beside it, and to the other as well where that is of the same class; what has grown."""
        grown = self._join(min(start, into), self.classes[into])
        for one in self.beside(grown):
            if self.classes[one] == self.classes[grown]:
                grown = self._join(min(grown, one), self.classes[grown])
        return grown

    def _join(self, first: int, number: int) -> int:
        """Make one of a segment and the one after it."""
        second = self.stops[first]
        self.stops[first] = self.stops.pop(second)
        self.classes[first] = number
        del self.classes[second], self._before[second]
        if self.stops[first] in self.stops:
            self._before[self.stops[first]] = first
        return first
