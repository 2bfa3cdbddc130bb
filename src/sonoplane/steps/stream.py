"""Say what a live feed shows, frame by frame as it comes, and keep it where that is asked for."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from sonoplane.errors import DamagedRecording
from sonoplane.inference.backends import Backend, BackendChoice, open_backend
from sonoplane.inference.streaming import live_run
from sonoplane.models.bundle import Bundle
from sonoplane.steps.live_line import LiveLine, ended_by
from sonoplane.steps.live_recording import free_name
from sonoplane.steps.live_region import find_live_region
from sonoplane.steps.live_session import LiveAnswer, Session, Streamed
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.stream_settings import StreamSettings
from sonoplane.video.discovery import safe_id, without_suffix
from sonoplane.video.live import LiveSettings, LiveSource, RawFormat, open_live

__all__ = ["Feed", "LiveAnswer", "Streamed", "open_feed", "stream"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Feed:
    """A source that gives frames, and a network that is ready for them."""

    source: LiveSource
    backend: Backend
    name: str
    """What a recording of it is called."""


def open_feed(
    source: str,
    *,
    bundle: Bundle,
    recipe: Recipe,
    backend: BackendChoice = "auto",
    live: LiveSettings | None = None,
    raw: RawFormat | None = None,
    stdin: BinaryIO | None = None,
) -> Feed:
    """Make the network ready, then the source, as `video.live.open_live` describes it.

    Raises:
        UsageError: the source is written wrongly; the network or the backend cannot answer in the recipe's mode.
        RecordingError: the source gives nothing.
        BundleError, MissingExtra: the bundle's network cannot be run here.
    """
    runner = open_backend(bundle, backend, live_run(recipe.run))
    opened = open_live(source, live, raw=raw, stdin=stdin)
    of_file = opened.facts.kind == "file"
    name = safe_id(without_suffix(Path(source).resolve().name)) if of_file else "stream"
    return Feed(source=opened, backend=runner, name=name)


def stream(
    source: LiveSource,
    *,
    bundle: Bundle,
    backend: Backend,
    recipe: Recipe,
    settings: StreamSettings | None = None,
    drop: bool = True,
    record: Path | None = None,
    name: str = "stream",
    region_cache: Path | None = None,
    ended: threading.Event | None = None,
    on_answer: Callable[[LiveAnswer], None] = lambda answer: None,
) -> Streamed:
    """Answer every frame of a source as it comes, until it ends, fails, or `ended` is set, from any thread.

    Where frames come faster than they can be answered the newest win, unless `drop` is off: then the source waits.
    With `record` a folder called `name` (where that is taken, the next number behind it) appears there at the end,
    whole, however the end came. `on_answer` is called on this thread, as soon as a frame is answered. The source is
    closed.

    Raises:
        UsageError: the network, or the backend, cannot answer in the recipe's mode; `record` cannot be written to.
        RecordingError: nothing could be answered: no frame came, or no ultrasound region was found.
    """
    try:
        session = Session(source.facts, bundle, backend, recipe)
        name = free_name(record, name) if record else name
    except BaseException:
        source.close()
        raise
    line = LiveLine(source, settings or StreamSettings(), drop=drop, search_frames=recipe.region.first_frames)
    with ended_by(ended or threading.Event(), line):
        found = find_live_region(line, source.facts, bundle=bundle, recipe=recipe, cache=region_cache)
        line.search_is_over(found.held)
        found = replace(found, held=())  # they were not cleaned yet: nothing else keeps them
        session.begin(found, record, name)
        try:
            session.follow(line, on_answer)
        except BaseException:  # the caller's own function has failed, or the keyboard interrupts
            with suppress(DamagedRecording):
                session.finish(None)
            raise
        return session.finish(line.failure)
