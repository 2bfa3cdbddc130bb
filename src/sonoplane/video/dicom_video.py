"""DICOM files that hold a whole video stream (MPEG-2, H.264, HEVC) instead of single images."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
from pydicom import uid

from sonoplane.records import Frame
from sonoplane.video.container import StreamFacts, decode, probe
from sonoplane.video.dicom_frames import Span, read_spans
from sonoplane.video.dicom_header import open_data
from sonoplane.video.dicom_times import Clock

__all__ = ["VIDEO_SYNTAXES", "VideoSource", "count_pictures", "probe_video"]

#: MPEG-2, MPEG-4 AVC (H.264) and HEVC, each also in the form that may be cut into fragments.
VIDEO_SYNTAXES = frozenset(uid.MPEGTransferSyntaxes)


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoSource:
    """The frames of a video stream inside a DICOM file; only its compressed bytes are held, and only while read."""

    path: Path
    spans: tuple[Span, ...]
    clock: Clock
    """As the header says; where it does not, the stream's own times hold."""

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Frames `start` to `stop` (exclusive), decoded as they are asked for."""
        for frame in decode(_stream(self.path, self.spans), start=start, stop=stop):
            time_s = self.clock.time_s(frame.index)
            yield frame if time_s is None else replace(frame, time_s=time_s)


def probe_video(path: Path, spans: tuple[Span, ...]) -> StreamFacts:
    """What the video stream is; `DamagedRecording` where none of it can be decoded."""
    return probe(_stream(path, spans))


def count_pictures(path: Path, spans: tuple[Span, ...]) -> int | None:
    """How many pictures the stream's packets make, without decoding them; None where they cannot be told."""
    try:
        with av.open(_stream(path, spans), mode="r") as container:
            return sum(bool(packet.size) for packet in container.demux(container.streams.video[0]))
    except (av.FFmpegError, IndexError, ValueError):
        return None


def _stream(path: Path, spans: tuple[Span, ...]) -> io.BytesIO:
    with open_data(path) as file:
        return io.BytesIO(read_spans(file, spans))
