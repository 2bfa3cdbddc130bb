"""Frames go in, every frame comes back with its logits: decoding and the network work at the same time."""

import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from jaxtyping import Float32, UInt8

from sonoplane.inference.backends import Answered, Backend
from sonoplane.inference.passes import begin, needed_frames
from sonoplane.inference.ways import Way
from sonoplane.models.card import Card
from sonoplane.records import Box, Frame

__all__ = ["Predictor", "Seen"]

#: Batches that wait between the decoding thread and the network: enough to hide a slow frame.
_AHEAD = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A frame, and what the network said of it."""

    frame: Frame
    prepared: UInt8[np.ndarray, "..."] = field(repr=False)
    """What the card's geometry made of the frame: height width, or height width 3."""
    logits: Float32[np.ndarray, "classes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Batch:
    frames: tuple[Frame, ...]
    prepared: tuple[np.ndarray, ...]
    inputs: np.ndarray


class Predictor:
    """A card and a backend: the one way from frames to logits.

    Every frame is prepared once. Memory does not grow with the recording: a few batches are under way at a time, and as
    many frames as the network sees together.

    Raises:
        UsageError: a dense pass is asked of a backend that has none.
    """

    def __init__(self, card: Card, backend: Backend, way: Way | None = None, *, batch: int = 8) -> None:
        self.card = card
        self.backend = backend
        self.way = way or Way()
        self.batch = batch
        self._needed = needed_frames(backend, self.way)

    def shortage(self, n_frames: int) -> str | None:
        """What is to be said of a recording of so few frames that one had to stand for others; else None."""
        if n_frames >= self._needed:
            return None
        return (
            f"It has {n_frames} {'frame' if n_frames == 1 else 'frames'}, and the network looks at "
            f"{self._needed}: its first frame was repeated before it, so its answers are less sure."
        )

    def watch(self, frames: Iterable[Frame], box: Box) -> Iterator[Seen]:
        """Say what each frame shows, in order; `box` is the ultrasound region.

        Frames are read and prepared on a thread of their own while the network answers. An error there is raised
        here; when the caller stops early, so does the thread. A network that looks ahead answers a frame when those
        after it have been read.
        """
        answers = begin(self.backend, self.way)
        waiting: deque[tuple[Frame, np.ndarray]] = deque()
        line: queue.Queue[_Batch | BaseException | None] = queue.Queue(maxsize=_AHEAD)
        stopped = threading.Event()
        thread = threading.Thread(
            target=self._prepare, args=(iter(frames), box, line, stopped), name="decode", daemon=True
        )
        thread.start()
        try:
            while (item := line.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                waiting.extend(zip(item.frames, item.prepared, strict=True))
                yield from _seen(waiting, answers.go_on(item.inputs))
            yield from _seen(waiting, answers.end())
        finally:
            stopped.set()
            thread.join()

    def _prepare(
        self,
        frames: Iterator[Frame],
        box: Box,
        line: "queue.Queue[_Batch | BaseException | None]",
        stopped: threading.Event,
    ) -> None:
        """Fill the line with batches until the frames, or the caller's patience, end."""
        last: BaseException | None = None
        try:
            while (chunk := tuple(islice(frames, self.batch))) and not stopped.is_set():
                prepared = tuple(self.card.geometry(frame.image, box) for frame in chunk)
                inputs = self.card.values(prepared)
                if not _put(line, _Batch(frames=chunk, prepared=prepared, inputs=inputs), stopped):
                    return
        except BaseException as error:  # handed to the caller's thread, which raises it
            last = error
        _put(line, last, stopped)


def _seen(waiting: deque[tuple[Frame, np.ndarray]], logits: Answered) -> Iterator[Seen]:
    """The frames that have waited longest, with their logits."""
    for row in logits:
        frame, prepared = waiting.popleft()
        yield Seen(frame=frame, prepared=prepared, logits=row)


def _put(
    line: "queue.Queue[_Batch | BaseException | None]",
    item: _Batch | BaseException | None,
    stopped: threading.Event,
) -> bool:
    """Wait for room in the line; False when the caller has stopped meanwhile."""
    while not stopped.is_set():
        try:
            line.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False
