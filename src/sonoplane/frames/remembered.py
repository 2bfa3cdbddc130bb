"""A recording whose first frames are decoded once, though they are looked at before all of it is read."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from sonoplane.records import Frame, FrameSource, Image, Recording

__all__ = ["remembering"]

#: Bytes of pixels that are kept from the first look to the next: 64 frames of 640 x 480 in color take 59 MB.
_MOST_BYTES = 2**28


def remembering(recording: Recording, *, most_bytes: int = _MOST_BYTES) -> Recording:
    """The same recording; a look at its first frames keeps them for the next reading from the start, which goes on.

    They are kept once, and given up where they are more than `most_bytes`: that reading then decodes them anew.

    >>> from sonoplane.video.phantom import simulate
    >>> recording = remembering(next(simulate("liver-sweep", patients=1, seed=3)).recording)
    >>> looked_at = list(recording.frames(0, 3))
    >>> read = recording.frames()
    >>> [next(read) is frame for frame in looked_at], next(read).index
    ([True, True, True], 3)
    """
    return replace(recording, source=_Remembering(recording.source, most_bytes))


class _Remembering:
    """A source that can go on where the latest look from its start ended."""

    def __init__(self, source: FrameSource, most_bytes: int) -> None:
        self._source = source
        self._most_bytes = most_bytes
        self._begun: tuple[deque[Frame], Iterator[Frame]] | None = None

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Frames `start` to `stop` (exclusive), in order."""
        if start != 0:
            return self._source.read(start, stop)
        return self._go_on() if stop is None else self._look(stop)

    def _look(self, stop: int) -> Iterator[Frame]:
        self._begun = None
        frames = self._source.read()
        kept: deque[Frame] | None = deque()
        n_bytes = 0
        for _ in range(stop):
            frame = next(frames, None)
            if frame is None:
                break
            n_bytes += _bytes(frame.image)
            if kept is not None and n_bytes <= self._most_bytes:
                kept.append(frame)
            else:
                kept = None
            yield frame
        if kept is not None:
            self._begun = kept, frames

    def _go_on(self) -> Iterator[Frame]:
        if self._begun is None:
            yield from self._source.read()
            return
        (kept, frames), self._begun = self._begun, None
        while kept:
            yield kept.popleft()
        yield from frames


def _bytes(image: Image) -> int:
    """Of its memory; channels may be one and the same."""
    return image.nbytes // 3 if image.ndim == 3 and image.strides[2] == 0 else image.nbytes
