"""How far the work has come: a bar on a terminal, plain lines elsewhere, and nothing for short work."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress", "say"]

#: Work shorter than this shows no progress, seconds.
_PATIENCE_S = 2.0
#: Plain lines come no closer than this, seconds.
_LINE_EVERY_S = 5.0
#: The rate is that of this long, seconds, or of this many steps where they took longer.
_WINDOW_S = 30.0
_WINDOW_STEPS = 8
#: Steps closer together than this count as one, seconds.
_STEP_S = 0.1


def say(line: str) -> None:
    """One line for the person who watches; results go to standard output, this to standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@contextmanager
def progress(what: str, unit: str, total: int | None = None) -> Iterator[Callable[[int, int | None], None]]:
    """Gives a function to call with how many units are done, and of how many where that has changed.

    Call it also while nothing new is done: the rate and the time left then grow honest. They are those of the last
    half minute or of the last few steps, since the first units may be slow (workers start) or quick (done before).
    """
    if sys.stderr.isatty():
        with _bar(what, unit, total) as tell:
            yield tell
    else:
        yield _lines(what, unit, total)


class _Pace:
    """How many units a second of late."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        """When so many units were first done."""

    def rate(self, done: int) -> float:
        """Units a second, now that so many are done; 0 where that is not known."""
        now = time.monotonic()
        steps = self._steps
        if done > steps[-1][1]:
            if len(steps) > 1 and now - steps[-2][0] < _STEP_S:
                steps.pop()
            steps.append((now, done))
        while len(steps) > _WINDOW_STEPS and now - steps[1][0] >= _WINDOW_S:
            steps.popleft()
        began, before = steps[0]
        last, _ = steps[-1]
        # Until the next step is late, the time since the last one is no news.
        usual = (last - began) / max(len(steps) - 1, 1)
        elapsed = max(last, now - usual) - began
        return (done - before) / elapsed if elapsed > 0 else 0.0


def _told(rate: float, unit: str) -> str:
    """A rate in words.

    >>> _told(8, "frames"), _told(0.05, "recordings")
    ('8.0 frames/s', '3.0 recordings/min')
    """
    for per, seconds in (("s", 1), ("min", 60)):
        if rate * seconds >= 1:
            return f"{rate * seconds:.1f} {unit}/{per}"
    return f"{rate * 3600:.1f} {unit}/h"


def _left(seconds: float) -> str:
    """A time left in words.

    >>> _left(90), _left(600), _left(9000)
    ('90 s left', '10 min left', '2.5 h left')
    """
    if seconds < 100:
        return f"{seconds:.0f} s left"
    return f"{seconds / 60:.0f} min left" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h left"


def _lines(what: str, unit: str, total: int | None) -> Callable[[int, int | None], None]:
    pace = _Pace()
    said = time.monotonic() + _PATIENCE_S - _LINE_EVERY_S

    def tell(done: int, of: int | None = None) -> None:
        nonlocal said, total
        total = of if of is not None else total
        rate = pace.rate(done)
        now = time.monotonic()
        if now - said < _LINE_EVERY_S:
            return
        said = now
        parts = [f"{what}: {done}{f' of {total}' if total else ''} {unit}"]
        if rate:
            parts.append(_told(rate, unit))
            parts += [_left((total - done) / rate)] if total else []
        say(", ".join(parts))

    return tell


@contextmanager
def _bar(what: str, unit: str, total: int | None) -> Iterator[Callable[[int, int | None], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[left]}"),
    )
    began = time.monotonic()
    pace = _Pace()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, rate="", left="", visible=False)

        def tell(done: int, of: int | None = None) -> None:
            nonlocal total
            total = of if of is not None else total
            rate = pace.rate(done)
            bar.update(
                task,
                completed=done,
                total=total,
                rate=_told(rate, unit) if rate else "",
                left=_left((total - done) / rate) if rate and total else "",
                visible=time.monotonic() - began > _PATIENCE_S,
            )

        yield tell
