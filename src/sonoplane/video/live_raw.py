"""Raw frames that another program writes into a pipe."""

import time
from collections.abc import Iterator
from io import BufferedIOBase
from threading import Event
from typing import BinaryIO, Literal, Protocol, cast, runtime_checkable

import numpy as np

from sonoplane.errors import RecordingError
from sonoplane.records import Frame, Image
from sonoplane.video.live_clock import LiveClock, Pace
from sonoplane.video.live_line import Line
from sonoplane.video.live_settings import RawFormat
from sonoplane.video.live_source import LiveFacts

__all__ = ["RawSource"]

#: How long to wait before a pipe without data is asked again.
POLL_S = 0.005

CUT = "The raw frames end within this one; what is missing of it is black."


@runtime_checkable
class _Readable(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class RawSource:
    """The frames in a binary stream, until it ends; nothing of the stream may have been read before.

    At its `own` pace, frames that have a rate are given when they are due, so that a program which writes a recording
    as fast as it can is held back; frames without a rate come as they are written.
    """

    def __init__(
        self,
        stream: BinaryIO | BufferedIOBase,
        raw: RawFormat,
        pace: Literal["own", "fast"] = "fast",
    ) -> None:
        self._raw = raw
        self._pace = pace
        self._closed = Event()
        color = raw.pixels != "gray"
        self.facts = LiveFacts(
            kind="raw",
            height=raw.height,
            width=raw.width,
            color=color,
            fps=raw.fps,
            container="raw",
            codec=raw.pixels,
        )
        # Below Python's buffer: a thread that is stuck in it would not let the program end.
        below = cast(_Readable, getattr(stream, "raw", stream))
        self._line = Line(self._read(below), ahead=1)

    def frames(self) -> Iterator[Frame]:
        """The frames as they arrive, none before it is due."""
        held = Pace(self._closed) if self._pace == "own" and self._raw.fps else None
        for frame in self._line:
            if held and frame.time_s is not None and not held.wait(frame.time_s):
                return
            yield frame

    def close(self) -> None:
        """End it, also while it waits for bytes."""
        self._closed.set()
        self._line.close()

    def _read(self, stream: _Readable) -> Iterator[Frame]:
        clock, index, short = LiveClock(), 0, False
        while not short:
            values = bytearray(self._raw.n_bytes)
            n_bytes = self._fill(stream, memoryview(values))
            short = n_bytes < len(values)
            if self._closed.is_set() or (short and n_bytes == 0 and index):
                return
            if short and not index:
                raise self._too_short(n_bytes)
            arrival_s, _ = clock.tell(None, arrived_s=time.monotonic())
            yield Frame(
                index=index,
                time_s=index / self._raw.fps if self._raw.fps else arrival_s,
                image=self._image(np.frombuffer(values, np.uint8)),
                note=CUT if short else None,
            )
            index += 1

    def _fill(self, stream: _Readable, buffer: memoryview) -> int:
        """How many bytes came before the stream's end, at most as many as the buffer takes."""
        n_bytes = 0
        while n_bytes < len(buffer) and not self._closed.is_set():
            read = stream.readinto(buffer[n_bytes:])
            if read == 0:
                break
            if read is None:  # a pipe that was opened not to wait
                self._closed.wait(POLL_S)
            n_bytes += read or 0
        return n_bytes

    def _too_short(self, n_bytes: int) -> RecordingError:
        raw = self._raw
        if n_bytes == 0:
            return RecordingError(
                "No raw frame came before the end.",
                advice="Look whether the program that writes them failed.",
            )
        return RecordingError(
            f"{n_bytes} raw bytes came before the end; one {raw.pixels} frame of {raw.height} x {raw.width} "
            f"(height x width) has {raw.n_bytes}.",
            advice="Check the height, the width and the pixels.",
        )

    def _image(self, values: np.ndarray) -> Image:
        if self._raw.pixels == "gray":
            return values.reshape(self._raw.height, self._raw.width)
        image = values.reshape(self._raw.height, self._raw.width, 3)
        return image if self._raw.pixels == "rgb" else np.ascontiguousarray(image[..., ::-1])
