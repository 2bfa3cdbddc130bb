"""How quickly a live feed is answered: the rate of late, and the spread of latencies, in memory that does not grow."""

import math
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from itertools import accumulate

__all__ = ["AnswerRate", "Latencies"]

_LEAST_MS = 0.1
_PER_DECADE = 200
_N_BINS = 7 * _PER_DECADE  # up to 1,000 s


class Latencies:
    """Any percentile of any number of latencies, right to about 0.6 %: counts of bins that grow with the latency.

    >>> seen = Latencies()
    >>> for ms in (10.0, 20.0, 30.0, 1000.0):
    ...     seen.add(ms)
    >>> round(seen.percentile(50)), round(seen.percentile(99))
    (20, 1000)
    """

    def __init__(self) -> None:
        self._counts = [0] * _N_BINS
        self.n = 0

    def add(self, ms: float) -> None:
        """Count one more."""
        place = round(_PER_DECADE * math.log10(max(ms, _LEAST_MS) / _LEAST_MS))
        self._counts[min(place, _N_BINS - 1)] += 1
        self.n += 1

    def percentile(self, q: float) -> float | None:
        """The latency, in ms, that so many percent do not exceed; None before the first."""
        if not self.n:
            return None
        wanted = max(math.ceil(self.n * q / 100), 1)
        place = bisect_left(list(accumulate(self._counts)), wanted)
        return float(_LEAST_MS * 10 ** (place / _PER_DECADE))


class AnswerRate:
    """Answers a second, over the last `window_s` seconds or the time since the first one.

    >>> now = iter([0.0, 0.5, 1.0, 9.0, 9.1])
    >>> rate = AnswerRate(clock=lambda: next(now))
    >>> [rate.tell() for _ in range(5)]
    [0.0, 2.0, 2.0, 0.5, 1.0]
    """

    def __init__(self, window_s: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._clock = clock
        self._times: deque[float] = deque()
        self._began = 0.0

    def tell(self) -> float:
        """The rate at one more answer, given now."""
        now = self._clock()
        if not self._times:
            self._began = now
        self._times.append(now)
        while now - self._times[0] > self._window_s:
            self._times.popleft()
        since_s = min(self._window_s, now - self._began)
        n_steps = len(self._times) - (since_s < self._window_s)
        return n_steps / since_s if since_s else 0.0
