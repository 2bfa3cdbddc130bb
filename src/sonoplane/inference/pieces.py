"""A run of frames through a graph that takes it in pieces of one length: the answers of one pass over all of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from jaxtyping import Float32, UInt8

from sonoplane.inference.graph import Piece

__all__ = ["BETWEEN_ENDS", "Engine", "PieceAnswer", "Pieces", "has_ends", "laid_out", "starts"]

Inputs: TypeAlias = (
    Float32[np.ndarray, "batch channel height width"] | UInt8[np.ndarray, "batch height width *color"]
)
"""What the card made of frames; for graphs with the card's values inside, the frames themselves."""
Answered: TypeAlias = Float32[np.ndarray, "answered classes"]

#: The length of a run while nobody knows it: no frame comes so late.
_UNKNOWN = 2**30
#: Start and length that a piece between the ends of a run is given: as if it had begun long ago, and never ended.
BETWEEN_ENDS = (2**29, _UNKNOWN)


class Engine(Protocol):
    """What runs the pieces of one run, and remembers what goes from one to the next."""

    def __call__(self, frames: Inputs, *, ends: tuple[int, int] | None) -> Answered:
        """Logits of one piece; `ends` are its start and the run's length, where it may hold an end of the run."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Pieces:
    """A network made ready to answer runs in pieces."""

    piece: Piece
    engine: Callable[[], Engine] = field(repr=False)
    """Makes what runs one run."""


def has_ends(piece: Piece, start: int, length: int) -> bool:
    """Whether a piece that starts at this frame may hold an end of a run of this length, or what comes of one."""
    return start < piece.before or (start + piece.n_frames > length and piece.delay > 0)


def starts(piece: Piece, length: int) -> range:
    """Where the pieces of a run begin: until every frame has had its answer."""
    return range(0, length - piece.lost + piece.delay, piece.n_frames)


def laid_out(frames: np.ndarray) -> np.ndarray:
    """Frames as a piece's graph takes them: network input with its channels first; pixels as they are."""
    return frames if frames.dtype == np.uint8 else np.ascontiguousarray(frames.swapaxes(0, 1)[None])


class PieceAnswer:
    """One run of frames. It takes frames as they come, and answers them in whole pieces.

    The rows that come back are those of one pass over the run, edges repeated: where score maps lack at the ends, the
    outermost stand for them.
    """

    def __init__(self, pieces: Pieces) -> None:
        self._piece = pieces.piece
        self._engine = pieces.engine()
        self._next: np.ndarray | None = None
        self._n_waiting = 0
        self._start = 0
        self._latest: np.ndarray | None = None

    def __call__(self, inputs: Inputs, *, last: bool) -> Answered:
        """Take the next frames; answer those of whole pieces, with `last` all that are left."""
        n_frames = self._piece.n_frames
        if self._next is None:
            self._next = np.empty((n_frames, *inputs.shape[1:]), inputs.dtype)
        answers = []
        while len(inputs):
            n_taken = min(n_frames - self._n_waiting, len(inputs))
            self._next[self._n_waiting : self._n_waiting + n_taken] = inputs[:n_taken]
            self._n_waiting, inputs = self._n_waiting + n_taken, inputs[n_taken:]
            if self._n_waiting == n_frames:
                answers.append(self._answer(self._next, _UNKNOWN))
                self._n_waiting = 0
        if last:
            answers += self._rest(self._next)
        return np.concatenate(answers) if answers else np.empty((0, 0), np.float32)

    def _rest(self, frames: Inputs) -> list[Answered]:
        """What is left of the run, then nothing but zeros until all is answered."""
        length = self._start + self._n_waiting
        rows = []
        while self._start - self._piece.delay < length - self._piece.lost:
            frames[self._n_waiting :] = 0
            self._n_waiting = 0
            rows.append(self._answer(frames, length))
        after = self._piece.lost - self._piece.lost // 2
        if after and self._latest is not None:
            rows.append(np.repeat(self._latest, after, axis=0))
        return rows

    def _answer(self, frames: Inputs, length: int) -> Answered:
        """The rows of one piece that belong to the run."""
        piece = self._piece
        ends = (self._start, length) if has_ends(piece, self._start, length) else None
        logits = self._engine(frames, ends=ends)
        first = self._start - piece.delay
        self._start += piece.n_frames
        mine = logits[max(0, -first) : max(0, length - piece.lost - first)]
        if not len(mine):
            return mine
        if self._latest is None:
            mine = np.concatenate([np.repeat(mine[:1], piece.lost // 2, axis=0), mine])
        self._latest = mine[-1:]
        return mine
