"""A recording is given as if it were made now: each frame when its time has come."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

from sonoplane.records import Frame, Recording
from sonoplane.video.live_clock import Pace
from sonoplane.video.live_settings import LiveSettings
from sonoplane.video.live_source import LiveFacts
from sonoplane.video.opening import open_recording

__all__ = ["FileSource"]


class FileSource:
    """The frames of a recording at its own pace, or as fast as they are asked for.

    A recording without frame times gets those of `settings.fps`; single frames without a time come one frame after
    the one before.
    """

    def __init__(self, path: Path, settings: LiveSettings) -> None:
        self._recording = open_recording(path)
        self._settings = settings
        self._closed = Event()
        self.facts = _facts(self._recording, settings)

    def frames(self) -> Iterator[Frame]:
        """The frames, each when it is due; late ones at once."""
        pace, fps = Pace(self._closed), self.facts.fps or self._settings.fps
        time_s = -1 / fps
        for frame in self._recording.frames():
            time_s = time_s + 1 / fps if frame.time_s is None else max(frame.time_s, time_s)
            if self._closed.is_set() or (self._settings.pace == "own" and not pace.wait(time_s)):
                return
            yield frame if frame.time_s == time_s else replace(frame, time_s=time_s)

    def close(self) -> None:
        """End it, also while it waits for a frame's time."""
        self._closed.set()


def _facts(recording: Recording, settings: LiveSettings) -> LiveFacts:
    return LiveFacts(
        kind="file",
        height=recording.height,
        width=recording.width,
        color=recording.color,
        fps=recording.fps or settings.fps,
        container=recording.facts.container,
        codec=recording.facts.codec,
        regions=recording.facts.regions,
        scanner=recording.facts.scanner,
    )
