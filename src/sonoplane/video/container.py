"""Video files (MP4, MOV, AVI, MKV, MPEG, GIF and their kin) become frames through FFmpeg's decoders.

Frame n is the n-th picture that a plain decode from the first packet gives: nothing here seeks, and the
number of frames that a container claims is not believed.
"""

import os
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BufferedIOBase
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import av
import av.error
import av.logging
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from sonoplane.errors import DamagedRecording, UsageError
from sonoplane.records import Facts, Frame, Recording
from sonoplane.video.pixels import Painter

if TYPE_CHECKING:
    _Packet: TypeAlias = Packet[VideoStream]
else:
    _Packet = Packet

__all__ = ["ContainerSource", "StreamFacts", "decode", "open_container", "probe"]

File: TypeAlias = str | BinaryIO | BufferedIOBase

# FFmpeg writes what it stumbles over to stderr, sometimes with a path in it; our errors tell what matters.
av.logging.set_libav_level(av.logging.PANIC)

#: The containers that are opened. No playlists or scripts (HLS, concat): they would pull in other files.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegts,mpegvideo,gif,apng,asf,flv,ogg,mxf,dv,nut,ivf,"
    "h264,hevc,m4v,mjpeg,webp_anim"
)

#: Bare streams of pictures: FFmpeg invents 25 frames a second for them, so they have no frame times.
UNTIMED = {"h264", "hevc", "m4v", "mjpeg"}

#: What a container is called, where FFmpeg's own word for it is another.
NAMES = {"matroska,webm": "mkv", "mpegts": "mpeg-ts", "mpegvideo": "mpeg", "asf": "wmv"}

#: How many packets are looked at to measure the frame rate, and how far it may be from the claimed one.
RATE_PACKETS = 500
RATE_TOLERANCE = 0.02

#: FFmpeg starts no more decoders than this by itself, so that no more pictures can be lost in them.
MOST_THREADS = 16

#: Where many processes share a machine, this variable of the environment says how many threads each may decode on.
THREADS = "SONOPLANE_DECODE_THREADS"

NO_PICTURE = Disposition.attached_pic | Disposition.timed_thumbnails


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamFacts:
    """What a video stream is, as its first decoded picture shows it."""

    height: int
    width: int
    """After the rotation that the file asks for."""
    color: bool
    fps: float | None
    """Mean frames a second; None where the file does not say."""
    n_frames: int | None
    """None: only a full decode tells how many pictures a container holds."""
    n_claimed: int | None
    """What the container says, often wrong; None where it says nothing."""
    codec: str
    container: str


@dataclass(frozen=True, slots=True)
class ContainerSource:
    """The frames of one video file."""

    path: Path

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Frames `start` to `stop` (exclusive), decoded as they are asked for."""
        return decode(str(self.path), start=start, stop=stop)


def open_container(path: Path, *, recording_id: str) -> Recording:
    """Open a video file by decoding its first picture; `DamagedRecording` where it holds none."""
    facts, warnings = _survey(str(path))
    return Recording(
        id=recording_id,
        height=facts.height,
        width=facts.width,
        color=facts.color,
        fps=facts.fps,
        n_frames=facts.n_frames,
        n_claimed=facts.n_claimed,
        facts=Facts(container=facts.container, codec=facts.codec),
        warnings=warnings,
        source=ContainerSource(path),
    )


def probe(file: File) -> StreamFacts:
    """What the video in a file (its path, or the open file) is; `DamagedRecording` where there is none."""
    return _survey(file)[0]


def decode(file: File, *, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
    """Frames `start` to `stop` (exclusive; None: to the end), in the order they are shown.

    Frames before `start` are decoded and dropped. Damaged packets are passed over, and the next frame carries
    a note. `DamagedRecording` where no frame at all can be decoded. An open binary file serves one read at a
    time.
    """
    if start < 0 or (stop is not None and stop < start):
        raise UsageError(f"There are no frames {start} to {stop}.", advice="Give 0 <= start <= stop.")
    return _frames(file, start, stop)


def _frames(file: File, start: int, stop: int | None) -> Iterator[Frame]:
    painter, clock = None, _Clock()
    for index, (picture, note) in enumerate(islice(_pictures(file), stop)):
        painter = painter or Painter(picture)
        time_s = clock.tell(picture)
        if index >= start:
            image, scaled = painter.paint(picture)
            notes = [text for text in (note, scaled) if text]
            yield Frame(index=index, time_s=time_s, image=image, note=" ".join(notes) or None)
    if painter is None and stop != 0:
        raise _no_picture(file)


Picture: TypeAlias = tuple[VideoFrame, str | None]


def _pictures(file: File) -> Iterator[Picture]:
    """Every picture, with what went wrong just before it.

    Where packets at the very end are damaged, a threaded decoder loses the whole pictures it still holds; a
    decoder with one thread then reads the file once more, from there on.
    """
    n = 0
    pictures = _decoded(file, threaded=True)
    while True:
        try:
            picture = next(pictures)
        except StopIteration as end:
            if end.value:
                break
            return
        n += 1
        yield picture
    yield from islice(_decoded(file, threaded=False), n, None)


def _decoded(file: File, *, threaded: bool) -> Generator[Picture, None, bool]:
    """Every picture of one pass; at the end, whether packets went in for which no picture came out."""
    with _opened(file) as container:
        stream = _choose(container, file)
        if threaded:
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = int(os.environ.get(THREADS, "0"))
        else:
            stream.codec_context.thread_count = 1
        return (yield from _pumped(stream, _packets(container, stream)))


def _pumped(stream: VideoStream, packets: Iterable[_Packet | None]) -> Generator[Picture, None, bool]:
    """Packets go into the decoder, pictures come out; at the end, whether a few never came.

    Where many did not come, none are lost: two packets may make one picture (fields), or none (hidden ones).
    """
    owed, note = 0, None
    for packet in packets:
        if packet is not None and packet.size and not packet.is_discard:
            owed += 1
        try:
            pictures = stream.decode(packet)
        except EOFError:
            continue
        except av.error.FFmpegError:
            owed, note = owed - 1, "Damaged data before this frame was skipped."
            continue
        for picture in pictures:
            owed -= 1
            if picture.is_corrupt:
                note = note or "This frame was decoded from damaged data."
            yield picture, note
            note = None
    return 0 < owed <= MOST_THREADS


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[_Packet | None]:
    """The stream's packets; an empty one or None at the end, which flushes the decoder."""
    try:
        yield from container.demux(stream)
    except av.error.FFmpegError:
        yield None


def _opened(file: File) -> InputContainer:
    """The container behind a path or an open binary file, rewound."""
    if isinstance(file, str):
        source: File = f"file:{Path(file).absolute()}"
    else:
        file.seek(0)
        source = file
    try:
        return av.open(source, mode="r", options={"format_whitelist": DEMUXERS, "protocol_whitelist": "file"})
    except (av.error.FFmpegError, ValueError) as error:
        raise DamagedRecording(
            f"{_name(file)} cannot be read as a video.",
            advice="It is damaged, cut short or no video: play it, or copy it again from where it was made.",
        ) from error


def _choose(container: InputContainer, file: File) -> VideoStream:
    """The stream that holds the recording: the default one, else the largest, else the first."""
    streams = _real_streams(container)
    if not streams:
        raise DamagedRecording(
            f"{_name(file)} holds no video that can be decoded.",
            advice="Choose a recording, or convert it to H.264 in MP4.",
        )
    return max(
        streams, key=lambda s: (bool(s.disposition & Disposition.default), s.width * s.height, -s.index)
    )


def _real_streams(container: InputContainer) -> list[VideoStream]:
    """The video streams, without cover pictures, thumbnails and what no decoder here knows."""
    return [
        stream
        for stream in container.streams.video
        if not stream.disposition & NO_PICTURE and stream.codec_context is not None
    ]


def _survey(file: File) -> tuple[StreamFacts, tuple[str, ...]]:
    """The facts of a stream, and what is odd about it."""
    with _opened(file) as container:
        stream = _choose(container, file)
        stream.codec_context.thread_count = 1
        stamps: list[int | None] = []
        packets = _stamped(_packets(container, stream), stamps)
        picture, _ = next(_pumped(stream, packets), (None, None))
        if picture is None:
            raise _no_picture(file)
        image, _ = Painter(picture).paint(picture)
        facts = StreamFacts(
            height=image.shape[0],
            width=image.shape[1],
            color=image.ndim == 3,
            fps=None if container.format.name in UNTIMED else _rate(stream, packets, stamps),
            n_frames=None,
            n_claimed=stream.frames or None,
            codec=stream.codec_context.name,
            container=_container_name(container),
        )
        return facts, _oddities(container, stream)


def _stamped(packets: Iterable[_Packet | None], stamps: list[int | None]) -> Iterator[_Packet | None]:
    """The packets, while their time stamps are written down."""
    for packet in packets:
        if packet is not None and packet.size and not packet.is_discard:
            stamps.append(packet.pts)
        yield packet


def _rate(stream: VideoStream, packets: Iterator[_Packet | None], stamps: list[int | None]) -> float | None:
    """The mean frame rate: what the container claims, unless its first time stamps tell of another."""
    claimed = stream.average_rate or stream.guessed_rate
    for _ in islice(packets, RATE_PACKETS):
        pass
    known = [stamp for stamp in stamps if stamp is not None]
    if stream.time_base and len(known) == len(stamps) and len(known) > 1 and max(known) > min(known):
        seen = (len(known) - 1) / ((max(known) - min(known)) * stream.time_base)
        if not claimed or abs(seen / claimed - 1) > RATE_TOLERANCE:
            return float(seen)
    return float(claimed) if claimed else None


def _container_name(container: InputContainer) -> str:
    """The usual short name of the container."""
    name = container.format.name
    if name.startswith("mov,mp4"):
        return "mov" if container.metadata.get("major_brand", "").strip() == "qt" else "mp4"
    return NAMES.get(name, name)


def _oddities(container: InputContainer, stream: VideoStream) -> tuple[str, ...]:
    """What a careful reader would want to know about this file, a sentence each."""
    warnings = []
    n_streams = len(_real_streams(container))
    if n_streams > 1:
        size = f"{stream.width} x {stream.height}"
        warnings.append(
            f"The file holds {n_streams} video streams; only stream {stream.index} ({size}) is read."
        )
    shape = stream.sample_aspect_ratio
    if shape and shape != Fraction(1):
        warnings.append(
            f"The file asks for pixels {shape.numerator}:{shape.denominator} wide; they are kept square."
        )
    if _ends_early(container, stream):
        warnings.append("The file is cut short: its index names frames beyond its end.")
    return tuple(warnings)


def _ends_early(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the last frame of the container's index lies beyond the end of the file."""
    entries = stream.index_entries
    if not len(entries) or container.size <= 0:
        return False
    last = entries[len(entries) - 1]
    return last.pos + last.size > container.size


class _Clock:
    """Seconds since the first picture; None where the time stamps are missing or do not grow."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._latest = -1
        self._started = False

    def tell(self, picture: VideoFrame) -> float | None:
        unit = picture.time_base  # the same for all pictures of a stream
        stamp = None if unit is None else picture.pts
        if not self._started:
            self._started, self._first = True, stamp
        if unit is None or stamp is None or self._first is None or stamp - self._first <= self._latest:
            return None
        self._latest = stamp - self._first
        return self._latest * unit.numerator / unit.denominator


def _no_picture(file: File) -> DamagedRecording:
    return DamagedRecording(
        f"No frame of {_name(file)} can be decoded.",
        advice="It is damaged or cut short: copy it again from where it was made.",
    )


def _name(file: File) -> str:
    return Path(file).name if isinstance(file, str) else "The video"
