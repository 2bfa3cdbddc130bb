"""A source on the network or a capture device is followed, and reached again where it drops."""

import random
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from threading import Event

from av.video.frame import VideoFrame

from sonoplane.errors import RecordingError
from sonoplane.records import Frame
from sonoplane.video.live_address import Address
from sonoplane.video.live_clock import LiveClock, Pace
from sonoplane.video.live_connection import Connection, Dropped, LivePicture
from sonoplane.video.live_line import Line
from sonoplane.video.live_settings import LiveSettings
from sonoplane.video.live_source import LiveFacts
from sonoplane.video.pixels import Painter

__all__ = ["FeedSource"]

#: How much the shape of the picture may change with its size: it is the same screen, sent larger or smaller.
SHAPE_TOLERANCE = 0.02

LOST = "Look after the sender and what is in between; `give_up_s` says for how long a lost source is tried again."


class FeedSource:
    """The frames of an address or a device, across reconnections.

    It is read on a thread of its own, so that it can be closed while a read waits. A finished file behind an address
    is given at its own pace and ends; it is not reached again. A picture that changes its size is scaled back where
    its shape stays, else it is an error: what was found out about the first one no longer holds.
    """

    facts: LiveFacts

    def __init__(self, address: Address, settings: LiveSettings) -> None:
        address.check()
        self._address = address
        self._closed = Event()
        self._retry = _Retry(settings, self._closed)
        self._settings = settings
        self._line = Line(self._follow(), ahead=2)
        try:
            self._frames = chain([self._first()], self._line)
        except BaseException:  # an interrupt from the keyboard, too
            self.close()
            raise

    def frames(self) -> Iterator[Frame]:
        """The frames as they come."""
        for frame in self._frames:
            if self._closed.is_set():
                return
            yield frame

    def close(self) -> None:
        """End it, also while it waits for data or to reconnect."""
        self._closed.set()
        self._line.close()

    def _first(self) -> Frame:
        # A read inside the driver of a device without a signal waits for ever; all others end by themselves.
        if self._address.kind == "device" and not self._line.ready(self._settings.connect_s):
            raise self._silent("no picture came")
        return next(self._line)

    def _silent(self, reason: str) -> RecordingError:
        return RecordingError(
            f"{self._address.name} cannot be followed: {reason}.", advice=self._address.advice
        )

    def _follow(self) -> Iterator[Frame]:
        """The frames of one connection after the other; a `RecordingError` where it is given up."""
        name = self._address.name
        images = _Images(name)
        while not self._closed.is_set():
            finite = False
            try:
                with closing(Connection(self._address, self._settings, self._closed)) as connection:
                    finite = connection.finite
                    yield from self._given(connection, images)
                return
            except Dropped as dropped:
                reason, latest_s = dropped.reason, dropped.latest_s
            if images.n == 0:
                raise self._silent(reason)
            if finite or not self._retry.wait(latest_s):
                raise RecordingError(f"{name} was lost: {reason}.", advice=LOST)
            images.say_lost(latest_s)

    def _given(self, connection: Connection, images: "_Images") -> Iterator[Frame]:
        """The frames of one connection."""
        pace = Pace(self._closed) if connection.finite else None
        for picture in connection.pictures():
            self._retry.reached(picture.arrived_s)
            frame = images.frame(picture)
            if frame.index == 0:
                self.facts = self._told(connection, frame)
            if pace and not pace.wait(frame.time_s or 0.0):
                return
            yield frame

    def _told(self, connection: Connection, first: Frame) -> LiveFacts:
        return LiveFacts(
            kind=self._address.kind,
            height=first.image.shape[0],
            width=first.image.shape[1],
            color=first.image.ndim == 3,
            fps=connection.fps,
            container=connection.container,
            codec=connection.codec,
        )


class _Images:
    """Pictures of all connections become frames of one kind, size, clock and count."""

    def __init__(self, name: str) -> None:
        self.n = 0
        self._name = name
        self._clock = LiveClock()
        self._painter: Painter | None = None
        self._first_size = self._size = (0, 0)
        self._time_s = 0.0
        self._lost = False

    def say_lost(self, latest_s: float | None) -> None:
        """The next frame comes from a new connection."""
        self._lost = True
        self._clock.restart(latest_s)

    def frame(self, live: LivePicture) -> Frame:
        """The next frame."""
        if self._painter is None:
            self._painter = Painter(live.picture)
            self._first_size = self._size = (live.picture.width, live.picture.height)
        time_s, jumped = self._clock.tell(live.stamp_s, arrived_s=live.arrived_s)
        resized = self._resized(live.picture)
        image, _ = self._painter.paint(live.picture)
        notes = (self._back(time_s), jumped, resized, live.note)
        self._time_s, self.n = time_s, self.n + 1
        return Frame(
            index=self.n - 1,
            time_s=time_s,
            image=image,
            note=" ".join(note for note in notes if note) or None,
        )

    def _back(self, time_s: float) -> str | None:
        if not self._lost:
            return None
        self._lost = False
        return f"{self._name} was lost, and came back {time_s - self._time_s:.1f} s after the frame before."

    def _resized(self, picture: VideoFrame) -> str | None:
        """A note where the size is another than before; an error where the shape is another than at first."""
        if (picture.width, picture.height) == self._size:
            return None
        self._size = (picture.width, picture.height)
        width, height = self._first_size
        if abs(picture.width * height / (picture.height * width) - 1) > SHAPE_TOLERANCE:
            raise RecordingError(
                f"The picture changed from {width} x {height} to {picture.width} x {picture.height}.",
                advice="Set the sender to one size, or start again to go on with the new one.",
            )
        return (
            f"The picture changed to {picture.width} x {picture.height}; it is scaled to {width} x {height}."
        )


class _Retry:
    """How long to wait before the next try: twice as long each time, a little at random, not for ever."""

    def __init__(self, settings: LiveSettings, closed: Event) -> None:
        self._settings = settings
        self._closed = closed
        self._wait_s = settings.reconnect_s
        self._back_s: float | None = None
        self._heard_s = 0.0

    def reached(self, arrived_s: float) -> None:
        """A picture came then."""
        self._heard_s = arrived_s
        if self._back_s is None:
            self._back_s = arrived_s

    def wait(self, latest_s: float | None) -> bool:
        """Wait before the next try; False where there is to be none; no picture came after `latest_s`."""
        if latest_s is not None:
            self._heard_s = min(self._heard_s, latest_s)
        left_s = self._settings.give_up_s - (time.monotonic() - self._heard_s)
        if left_s <= 0:
            return False
        # A source that drops again and again as soon as it is reached has to wait longer and longer.
        if self._back_s is not None and self._heard_s - self._back_s >= self._wait_s:
            self._wait_s = self._settings.reconnect_s
        self._back_s = None
        self._closed.wait(min(self._wait_s * random.uniform(0.5, 1), left_s))
        self._wait_s = min(2 * self._wait_s, self._settings.longest_wait_s)
        return True
