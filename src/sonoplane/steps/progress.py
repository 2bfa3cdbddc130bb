"""How far the work has come: a bar on a terminal, plain lines elsewhere, and nothing for short work."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress", "say"]

#: Work shorter than this shows no progress, seconds.
_PATIENCE_S = 2.0
#: Plain lines come no closer than this, seconds.
_LINE_EVERY_S = 5.0


def say(line: str) -> None:
    """One line for the person who watches; results go to standard output, this to standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@contextmanager
def progress(what: str, unit: str, total: int | None = None) -> Iterator[Callable[[int, int | None], None]]:
    """Gives a function to call with how many units are done, and of how many where that has changed."""
    if sys.stderr.isatty():
        with _bar(what, unit, total) as tell:
            yield tell
    else:
        yield _lines(what, unit, total)


def _lines(what: str, unit: str, total: int | None) -> Callable[[int, int | None], None]:
    began = time.monotonic()
    said = began + _PATIENCE_S - _LINE_EVERY_S

    def tell(done: int, of: int | None = None) -> None:
        nonlocal said, total
        total = of if of is not None else total
        now = time.monotonic()
        if now - said < _LINE_EVERY_S:
            return
        said = now
        rate = done / (now - began)
        left = f", {(total - done) / rate:.0f} s left" if total and rate else ""
        say(f"{what}: {done}{f' of {total}' if total else ''} {unit}, {rate:.1f} {unit}/s{left}")

    return tell


@contextmanager
def _bar(what: str, unit: str, total: int | None) -> Iterator[Callable[[int, int | None], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, rate="", visible=False)

        def tell(done: int, of: int | None = None) -> None:
            elapsed = time.monotonic() - began
            bar.update(
                task,
                completed=done,
                total=of if of is not None else total,
                rate=f"{done / elapsed:.1f} {unit}/s" if elapsed else "",
                visible=elapsed > _PATIENCE_S,
            )

        yield tell
