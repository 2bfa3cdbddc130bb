"""Cleaned frames become a video file that any player shows: H.264 in MP4, each frame at its own time."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream

from sonoplane.records import Image

__all__ = ["VideoFile"]

#: Ticks a second of the frames' times; MPEG-4, which stands in for H.264, can count to 65,535.
_TICKS = 60_000
#: No frame stays for longer, in ticks: nine hours. FFmpeg's MP4 writer has room for 9.9 of ticks as fine as these.
_LONGEST = 9 * 3600 * _TICKS
#: Every so many frames stand alone: players can go there, and a writer that is killed loses no more than these.
_KEY_EACH = "60"
#: Among the quickest, since the network needs the processor more (the very quickest shows blocks in dark speckle); each
#: frame goes out at once.
_H264 = {"preset": "superfast", "tune": "zerolatency", "crf": "16", "g": _KEY_EACH}
_MPEG4 = {"qscale": "3", "g": _KEY_EACH}
_FULL_RANGE = 2  # libavutil's AVCOL_RANGE_JPEG: black is 0 and white 255, as in the frames


class VideoFile:
    """A video that is written frame by frame; a file whose writer was killed can be played up to there.

    Frames that are no even number of pixels high or wide, as the coding wants, get one more row or column of black.
    Times need not be regular; one that is not later than the one before it is moved just behind it; one that is
    more than nine hours later is moved to nine hours, with all that follow.
    """

    def __init__(self, path: Path, *, height: int, width: int, fps: float | None = None) -> None:
        self._size = height, width
        rows, columns = height + height % 2, width + width % 2
        self._planes = np.full((rows * 3 // 2, columns), 128, np.uint8)
        self._planes[:rows] = 0
        self._padded = np.zeros((rows, columns, 3), np.uint8)
        self._frame: av.VideoFrame | None = None
        self._pts, self._cut = -1, 0
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        # Fragments while it is written, which survive a kill; a plain file once it is closed.
        self._file: Any = av.open(str(path), "w", format="mp4", options={"movflags": "hybrid_fragmented"})
        stream = self._file.add_stream(
            codec,
            rate=Fraction(fps or 30).limit_denominator(1000),
            options=_H264 if codec == "libx264" else _MPEG4,
        )
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = rows, columns, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, _TICKS)
        stream.codec_context.color_range = _FULL_RANGE
        stream.codec_context.thread_count = 1
        self._stream = stream

    def add(self, image: Image, time_s: float) -> None:
        """Append a frame, gray or RGB, that was made so many seconds after the first."""
        if image.ndim == 3 and image.strides[2] == 0:  # the channels are one and the same
            image = image[..., 0]
        self._frame = self._gray(image) if image.ndim == 2 else self._rgb(image)
        self.repeat(time_s)

    def repeat(self, time_s: float) -> None:
        """Append the latest frame once more, which costs next to nothing."""
        assert self._frame is not None, "there is a first frame"
        ticks = round(time_s * _TICKS) - self._cut
        too_many = max(ticks - self._pts - _LONGEST, 0)
        self._cut += too_many
        self._pts = max(ticks - too_many, self._pts + 1)
        self._frame.pts, self._frame.time_base = self._pts, Fraction(1, _TICKS)
        self._file.mux(self._stream.encode(self._frame))

    def close(self) -> None:
        """Make the file whole."""
        if self._frame is not None:
            self._file.mux(self._stream.encode(None))
        self._file.close()

    def _gray(self, image: Image) -> av.VideoFrame:
        height, width = self._size
        self._planes[:height, :width] = image
        frame = av.VideoFrame.from_ndarray(self._planes, format="yuv420p")
        frame.color_range = _FULL_RANGE
        return frame

    def _rgb(self, image: Image) -> av.VideoFrame:
        height, width = self._size
        self._padded[:height, :width] = image
        whole = av.VideoFrame.from_ndarray(self._padded, format="rgb24")
        frame = whole.reformat(format="yuv420p", dst_color_range=_FULL_RANGE)
        frame.color_range = _FULL_RANGE
        return frame
