"""The command `stream`."""

import gc
import io
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from sonoplane.cli.flags import Answering, Backend, Cleaning, Mode, settings_of
from sonoplane.cli.words import Recipe, print_line
from sonoplane.errors import UsageError
from sonoplane.steps.stream_settings import StreamSettings
from sonoplane.video.live_settings import LiveSettings, RawFormat

if TYPE_CHECKING:
    from sonoplane.steps.stream import LiveAnswer, Streamed

__all__ = ["stream"]

#: The line on a terminal is drawn so often, seconds; a line that says that all goes on comes so often elsewhere.
_DRAWN_EVERY_S = 0.1
_TOLD_EVERY_S = 5.0


def stream(
    source: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    bundle: Path,
    mode: Mode = None,
    backend: Backend = "auto",
    record: Path | None = None,
    region_cache: Path | None = None,
    raw: str | None = None,
    fps: float | None = None,
    pace: Literal["own", "fast"] | None = None,
    recipe: Recipe = None,
    as_json: Annotated[
        bool, Parameter(name="--json", negative="", help="Print one line of JSON for each frame.")
    ] = False,
    cleaning: Cleaning = None,
    answering: Answering = None,
    live: LiveSettings | None = None,
    waiting: StreamSettings | None = None,
) -> int:
    """Say what a live feed shows, frame by frame.

    Parameters
    ----------
    source
        A recording, which comes at its own pace; a capture device, by number or path; an rtsp, http, udp or tcp
        address; or - for raw frames on standard input.
    bundle
        The trained model.
    backend
        What runs the network.
    record
        Keep the feed in a new folder in this one: cleaned video, timeline, key frames, findings, report.
    region_cache
        A file that keeps where the ultrasound is from one run to the next, for a feed whose screen stays the same.
    raw
        What raw frames are: WIDTHxHEIGHT, then :gray (as when nothing is said), :rgb or :bgr.
    fps
        Frames a second of raw frames, or of a recording that does not say.
    pace
        A recording, or raw frames with --fps, come at their `own` pace; `fast` takes them as fast as they can be
        answered, and drops none.
    """
    from sonoplane.models.bundle import Bundle
    from sonoplane.steps.stream import open_feed
    from sonoplane.steps.stream import stream as follow

    if fps is not None and fps <= 0:
        raise UsageError(f"A feed of {fps:g} frames a second has none.", advice="Give --fps above 0.")
    raw_format = _raw(source, raw, fps)
    loaded = Bundle.load(bundle)
    settings = settings_of(loaded, recipe, mode, cleaning, answering, live=live, waiting=waiting)
    said = {name: value for name, value in (("pace", pace), ("fps", fps)) if value is not None}
    following = settings.live.model_copy(update=said)
    feed = open_feed(source, bundle=loaded, recipe=settings, backend=backend, live=following, raw=raw_format)
    is_paced_here = feed.source.facts.kind in ("file", "raw")
    if said and not is_paced_here:
        feed.source.close()
        raise UsageError(
            "An address or a device has a pace of its own.", advice="Leave --pace and --fps out."
        )
    if isinstance(sys.stdout, io.TextIOWrapper):  # a letter that cannot be shown ends nothing
        sys.stdout.reconfigure(errors="backslashreplace")
    show = _Json(loaded.card.classes) if as_json else _Screen() if sys.stdout.isatty() else _Lines()
    gc.collect()
    gc.freeze()  # what is loaded by now is not looked through again, which would hold a frame up now and then
    try:
        with _ended_by_signals() as ended:
            streamed = follow(
                feed.source,
                bundle=loaded,
                backend=feed.backend,
                recipe=settings,
                settings=settings.waiting,
                drop=not (following.pace == "fast" and is_paced_here),
                record=record,
                name=feed.name,
                region_cache=region_cache,
                ended=ended,
                on_answer=show,
            )
    except BrokenPipeError:  # nobody reads on: what was recorded is in its place
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return _sum_up(streamed, show.end)


def _raw(source: str, raw: str | None, fps: float | None) -> RawFormat | None:
    """The format that was told of raw frames; None where there are none."""
    if raw is None:
        if source == "-":
            raise UsageError(
                "Raw frames do not say what they are.", advice="Say such as `--raw 640x480:gray`."
            )
        return None
    told = re.fullmatch(
        r"(?P<width>[1-9][0-9]{0,4})[xX](?P<height>[1-9][0-9]{0,4})(:(?P<pixels>gray|rgb|bgr))?", raw
    )
    if told is None:
        raise UsageError(
            f"'{raw}' does not say what raw frames are.", advice="Say WIDTHxHEIGHT:gray, or :rgb, or :bgr."
        )
    return RawFormat.model_validate(
        {
            "height": int(told["height"]),
            "width": int(told["width"]),
            "pixels": told["pixels"] or "gray",
            "fps": fps,
        }
    )


class _Json:
    """One line of JSON a frame."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self._classes = classes

    def __call__(self, answer: "LiveAnswer") -> None:
        told = {
            "frame": answer.frame,
            "time_s": None if answer.time_s is None else round(answer.time_s, 6),
            "plane": answer.plane,
            "probability": round(answer.probability, 6),
            "probabilities": {
                name: round(value, 6)
                for name, value in zip(self._classes, answer.probabilities.tolist(), strict=True)
            },
            "latency_ms": round(answer.latency_ms, 3),
            "fps": round(answer.fps, 2),
            "dropped": answer.dropped,
            "keyframe": answer.keyframe,
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()

    def end(self, line: str) -> None:
        """The summary, beside the frames."""
        sys.stderr.write(f"{line}\n")


class _Lines:
    """A line whenever the plane changes, and now and then."""

    def __init__(self) -> None:
        self._told_s = -_TOLD_EVERY_S

    def __call__(self, answer: "LiveAnswer") -> None:
        now = time.monotonic()
        if answer.changed or now - self._told_s >= _TOLD_EVERY_S:
            self._told_s = now
            print_line(_told(answer))
            sys.stdout.flush()

    def end(self, line: str) -> None:
        """The summary."""
        print_line(line)


class _Screen:
    """One line that is drawn again and again."""

    def __init__(self) -> None:
        self._drawn_s = -_DRAWN_EVERY_S
        self._latest = ""

    def __call__(self, answer: "LiveAnswer") -> None:
        now = time.monotonic()
        self._latest = _told(answer)
        if now - self._drawn_s >= _DRAWN_EVERY_S:
            self._drawn_s = now
            self._draw()

    def end(self, line: str) -> None:
        """The latest line stays, the summary comes below it."""
        self._draw()
        print_line(f"\n{line}" if self._latest else line)

    def _draw(self) -> None:
        sys.stdout.write(f"\r{self._latest[: _columns() - 1]}\x1b[K")
        sys.stdout.flush()


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except OSError:
        return 80


def _told(answer: "LiveAnswer") -> str:
    moment = f"frame {answer.frame}" if answer.time_s is None else _clock(answer.time_s)
    dropped = f"  {answer.dropped} dropped" if answer.dropped else ""
    pace = f"{answer.fps:.1f} fps  {answer.latency_ms:.0f} ms"
    return f"{moment}  {answer.plane} {answer.probability:.2f}  {pace}{dropped}"


def _clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any.

    >>> _clock(65.25), _clock(3725)
    ('1:05.2', '1:02:05.0')
    """
    minutes, tenths = divmod(int(10 * seconds), 600)
    hours, minutes = divmod(minutes, 60)
    rest = f"{tenths // 10:02}.{tenths % 10}"
    return f"{hours}:{minutes:02}:{rest}" if hours else f"{minutes}:{rest}"


def _sum_up(streamed: "Streamed", tell: Callable[[str], None]) -> int:
    where = ""
    if streamed.folder:
        report = streamed.folder / "report.html"
        where = f" Open {report}." if report.exists() else f" What was recorded is in {streamed.folder}."
    passed = f", {streamed.passed} before any ultrasound was seen" if streamed.passed else ""
    pace = ""
    if streamed.median_ms is not None and streamed.p99_ms is not None:
        pace = f" Latency {streamed.median_ms:.0f} ms (median), {streamed.p99_ms:.0f} ms (99th percentile)."
    tell(
        f"{streamed.frames} frames answered, {streamed.dropped} dropped{passed}.{pace}"
        f" Planes found: {', '.join(streamed.found) or 'none'}; missing: {', '.join(streamed.missing) or 'none'}."
        f"{where}"
    )
    if streamed.failure is None:
        return 0
    from sonoplane.steps.failures import failure_of

    failure = failure_of("", streamed.failure)
    sys.stderr.write(f"sonoplane: {failure.reason} {failure.what_to_do}\n")
    return 1


@contextmanager
def _ended_by_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C, or a request to end, sets; from the third on, they interrupt as ever."""
    ended = threading.Event()
    asked = 0

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        ended.set()
        if asked == 2:
            os.write(2, b"\nPutting in place what was recorded; once more gives it up.\n")
        if asked > 2:
            raise KeyboardInterrupt

    signals = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) is signal.SIG_IGN:  # `nohup`: it outlives its terminal
        signals.remove(hangup)
    before = {number: signal.signal(number, end) for number in signals}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
