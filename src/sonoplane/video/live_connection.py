"""One connection to an address or a capture device: its pictures, until it drops."""

import errno
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any, TypeAlias

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from sonoplane.video.container import THREADS
from sonoplane.video.live_address import Address
from sonoplane.video.live_settings import LiveSettings

if TYPE_CHECKING:
    _Packet: TypeAlias = Packet[Any]
else:
    _Packet = Packet

__all__ = ["Connection", "Dropped", "LivePicture"]

#: Containers without time stamps, for which FFmpeg invents 25 frames a second.
UNTIMED = {"mpjpeg", "mjpeg", "h264", "hevc", "m4v", "image2", "jpeg_pipe"}

NAMES = {
    "mpegts": "mpeg-ts",
    "matroska,webm": "mkv",
    "video4linux2,v4l2": "v4l2",
    "mov,mp4,m4a,3gp,3g2,mj2": "mp4",
}

#: Rates beyond this are a clock's ticks, not pictures.
MOST_FPS = 1000

#: Decoders that need no other picture, although FFmpeg does not say so: of its virtual devices.
WHOLE = {"wrapped_avframe"}

#: FFmpeg's errors where nothing came for as long as was waited.
SILENT = (av.error.ExitError, av.error.TimeoutError)

DAMAGED = "This frame was decoded from damaged data."


class Dropped(Exception):
    """The connection ended, or never came about; the reason holds no address."""

    def __init__(self, reason: str, latest_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.latest_s = latest_s
        """By `time.monotonic`, when the last data can have come at the latest; None where that is now."""


@dataclass(frozen=True, slots=True)
class LivePicture:
    """A decoded picture."""

    picture: VideoFrame
    stamp_s: float | None
    """By the source's clock; None where it has none."""
    arrived_s: float
    """When the last data that it is made of came, by `time.monotonic`."""
    note: str | None


class Connection:
    """An open source of pictures; `Dropped` where it cannot be opened."""

    def __init__(self, address: Address, settings: LiveSettings, closed: Event) -> None:
        self._closed = closed
        self._connect_s, self._stall_s = settings.connect_s, settings.stall_s
        self._container = _opened(address, settings)
        video = self._container.streams.video
        stream = max(video, key=lambda stream: stream.width * stream.height, default=None)
        if stream is None or stream.codec_context is None:
            self.close()
            raise Dropped("it sends no video that can be decoded")
        self._stream: VideoStream = stream
        # Threads that take a picture each would hold as many back. Not FFmpeg's "low delay": with it MPEG-2 pictures
        # come in the order in which they are coded, not shown.
        stream.thread_type = "SLICE"
        stream.codec_context.thread_count = int(os.environ.get(THREADS, "0"))

    @property
    def finite(self) -> bool:
        """It is a file that ends, not a live source: the server says how long it is."""
        return self._container.size > 0

    @property
    def fps(self) -> float | None:
        """The frames a second that it claims."""
        if self._container.format.name in UNTIMED:
            return None
        rate = self._stream.average_rate or self._stream.guessed_rate
        return float(rate) if rate and 0 < rate <= MOST_FPS else None

    @property
    def container(self) -> str:
        """The usual short name of what it sends."""
        name = self._container.format.name
        return NAMES.get(name, name)

    @property
    def codec(self) -> str:
        """How its pictures are coded."""
        return str(self._stream.codec_context.name)

    def pictures(self) -> Iterator[LivePicture]:
        """Every picture from the first whole one on; `Dropped` where they stop before the end of a file.

        A stream that is joined midway begins with its next key picture. After data that was lost or damaged, each
        picture up to the next key picture has a note.
        """
        decoder = _Decoder(self._stream, timed=self._container.format.name not in UNTIMED)
        reason, shown_s = None, time.monotonic()
        came_s, latest_s = shown_s, None
        try:
            for packet in self._packets():
                if packet.stream_index == self._stream.index:
                    came_s = time.monotonic()
                    for picture in decoder.decode(packet, came_s):
                        yield picture
                        shown_s = time.monotonic()
                if time.monotonic() - shown_s > self._connect_s:
                    reason = "no picture came" if decoder.joined else "it sent no key picture to begin with"
                    break
        except av.error.FFmpegError as error:
            reason = _reason(error)
            if isinstance(error, SILENT):  # which also brought out what FFmpeg's parser still held
                latest_s = time.monotonic() - self._stall_s
        yield from decoder.decode(None, came_s)
        if not self._closed.is_set() and (reason or not self.finite):
            raise Dropped(reason or "it ended", latest_s)

    def close(self) -> None:
        """Let go of it."""
        self._container.close()

    def _packets(self) -> Iterator[_Packet]:
        """Those of its sound, too: while they come the pictures may have stopped."""
        for packet in self._container.demux():
            if self._closed.is_set():
                return
            if packet.size:
                yield packet


class _Decoder:
    """Packets go in; pictures come out, with what is to be said of them."""

    def __init__(self, stream: VideoStream, *, timed: bool) -> None:
        self._stream = stream
        self._timed = timed
        codec = stream.codec_context.codec
        self.joined = codec.intra_only or codec.name in WHOLE
        self._damaged = False
        self._damaged_pts: int | None = None

    def decode(self, packet: _Packet | None, came_s: float) -> Iterator[LivePicture]:
        """The pictures that a packet completes; None: those that are still inside, since the last one came."""
        self.joined = self.joined or (packet is not None and packet.is_keyframe)
        if not self.joined:
            return
        if packet is not None and packet.is_corrupt:
            self._doubt(packet)
        try:
            pictures = self._stream.decode(packet)
        except (EOFError, av.error.FFmpegError):
            if packet is not None:
                self._doubt(packet)
            return
        for picture in pictures:
            if picture.key_frame and self._is_later(picture):
                self._damaged = False
            yield LivePicture(
                picture,
                self._stamp(picture),
                came_s,
                DAMAGED if self._damaged or picture.is_corrupt else None,
            )

    def _doubt(self, packet: _Packet) -> None:
        """Pictures are damaged from this packet on, to the next key picture."""
        self._damaged, self._damaged_pts = True, packet.pts

    def _is_later(self, picture: VideoFrame) -> bool:
        return picture.pts is None or self._damaged_pts is None or picture.pts > self._damaged_pts

    def _stamp(self, picture: VideoFrame) -> float | None:
        if not self._timed or picture.pts is None or picture.time_base is None:
            return None
        return float(picture.pts * picture.time_base)


def _opened(address: Address, settings: LiveSettings) -> InputContainer:
    reason = None
    try:
        return av.open(
            address.url,
            mode="r",
            format=address.format,
            options=address.options,
            timeout=(settings.connect_s, settings.stall_s),
        )
    except (av.error.FFmpegError, ValueError) as error:
        reason = _reason(error)
    # Outside of `except`: FFmpeg's error holds the address, and would come along as the context of ours.
    raise Dropped(reason)


def _reason(error: Exception) -> str:
    """What happened, without the address that FFmpeg's messages repeat."""
    if isinstance(error, SILENT):
        return "no data came"
    if isinstance(error, av.error.InvalidDataError):
        return "what it sends is no video that is known"
    if getattr(error, "errno", None) == errno.EIO:
        return "the connection failed or ended"
    said = getattr(error, "strerror", None) or type(error).__name__
    return f"{said[:1].lower()}{said[1:]}"
