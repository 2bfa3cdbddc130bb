"""A recording on its way through the network: prepared frames go in piece by piece, their logits come out in order."""

from collections import deque
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from sonoplane.errors import UsageError
from sonoplane.inference.backends import (
    Answered,
    Backend,
    BatchBackend,
    Clips,
    DenseBackend,
    EnsembleBackend,
    Inputs,
)
from sonoplane.inference.ensembles import mean_answer
from sonoplane.inference.ways import Way

__all__ = ["Pass", "begin", "clips", "needed_frames"]

_NONE = np.empty((0, 0), np.float32)


@runtime_checkable
class Pass(Protocol):
    """One recording, going through a network."""

    def go_on(self, inputs: Inputs) -> Answered:
        """Take the next frames, at least one; answer those that can be answered by now."""
        ...

    def end(self) -> Answered:
        """Answer the frames that waited for others after them."""
        ...


@runtime_checkable
class Rows(Protocol):
    """Batches of frames, or of clips, going through a network."""

    def go_on(self, inputs: Inputs | Clips) -> Answered:
        """Take the next batch; those answers that are there by now, in order."""
        ...

    def end(self) -> Answered:
        """All other answers."""
        ...


@runtime_checkable
class RowBackend(Protocol):
    """A backend that goes on with the next batch while it answers one."""

    def rows(self) -> Rows:
        """Begin to answer batches that come one after the other."""
        ...


def begin(backend: Backend, way: Way, *, live: bool = False) -> Pass:
    """Start on a recording; what is remembered of it does not grow with its length.

    In a `live` feed, no answer waits for the frames after it, other than those that the network looks at.

    Raises:
        UsageError: a dense pass is asked of a backend that has none, or any other of one that has nothing else.
    """
    if isinstance(backend, EnsembleBackend):
        return _EnsemblePass([begin(member, way, live=live) for member in backend.members])
    if way.mode != "dense":
        rows = backend.rows() if isinstance(backend, RowBackend) and not live else _AtOnce(_batch(backend))
        return rows if way.mode == "frame" else _ClipPass(rows, way)
    return _DensePass(_dense(backend), way)


def needed_frames(backend: Backend, way: Way) -> int:
    """How many frames a recording must have to be answered without repeating any of them throughout."""
    if isinstance(backend, EnsembleBackend):
        return max(needed_frames(member, way) for member in backend.members)
    if way.mode == "dense":
        return _dense(backend).min_frames * way.step
    return way.span


def clips(run: Float32[np.ndarray, "longer channel height width"], way: Way) -> Clips:
    """Every clip that lies wholly in a run of frames, in order.

    >>> run = np.arange(6, dtype=np.float32).reshape(6, 1, 1, 1)
    >>> clips(run, Way(mode="clip", length=3, step=2))[:, 0, :, 0, 0].tolist()
    [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]
    """
    seen = np.lib.stride_tricks.sliding_window_view(run, way.span, axis=0)[..., :: way.step]
    return np.moveaxis(seen, -1, 2).copy()


def _batch(backend: Backend) -> BatchBackend:
    if not isinstance(backend, BatchBackend):
        raise UsageError(
            f"Backend '{backend.name}' was opened for dense passes; it answers no single frames or clips.",
            advice="Open it in the mode in which it is asked.",
        )
    return backend


def _dense(backend: Backend) -> DenseBackend:
    if not isinstance(backend, DenseBackend):
        raise UsageError(
            f"Backend '{backend.name}' answers clips as a whole; it has no dense form.",
            advice="Predict with `--mode clip`, or with `--backend torch`.",
        )
    return backend


class _EnsemblePass:
    """Each frame is answered when every member has answered it."""

    def __init__(self, members: Sequence[Pass]) -> None:
        self._members = members
        self._answered: list[deque[np.ndarray]] = [deque() for _ in members]

    def go_on(self, inputs: Inputs) -> Answered:
        return self._together([member.go_on(inputs) for member in self._members])

    def end(self) -> Answered:
        return self._together([member.end() for member in self._members])

    def _together(self, answers: Sequence[Answered]) -> Answered:
        for waiting, new in zip(self._answered, answers, strict=True):
            waiting.extend(new)
        n_all = min(len(waiting) for waiting in self._answered)
        if not n_all:
            return _NONE
        return mean_answer(
            np.stack([[waiting.popleft() for _ in range(n_all)] for waiting in self._answered])
        )


class _AtOnce:
    """Each batch is answered before the next comes."""

    def __init__(self, backend: BatchBackend) -> None:
        self._backend = backend

    def go_on(self, inputs: Inputs | Clips) -> Answered:
        return self._backend(inputs)

    def end(self) -> Answered:
        return _NONE


class _ClipPass:
    """Each frame is answered from the clip that ends with it; before the start, frame 0 is repeated."""

    def __init__(self, rows: Rows, way: Way) -> None:
        self._rows = rows
        self._way = way
        self._past: Inputs | None = None

    def go_on(self, inputs: Inputs) -> Answered:
        n_past = self._way.span - 1
        if self._past is None:
            self._past = np.repeat(inputs[:1], n_past, axis=0)
        run = np.concatenate([self._past, inputs])
        self._past = run[len(run) - n_past :]
        return self._rows.go_on(clips(run, self._way))

    def end(self) -> Answered:
        return self._rows.end()


class _DensePass:
    """Every `step`-th frame belongs to one run, so there are `step` runs, which take turns."""

    def __init__(self, backend: DenseBackend, way: Way) -> None:
        self._runs = [_Run(backend) for _ in range(way.step)]
        self._answered: list[deque[np.ndarray]] = [deque() for _ in self._runs]
        self._n_taken = 0
        self._n_told = 0

    def go_on(self, inputs: Inputs) -> Answered:
        step = len(self._runs)
        for phase, (run, answered) in enumerate(zip(self._runs, self._answered, strict=True)):
            mine = inputs[(phase - self._n_taken) % step :: step]
            if len(mine):
                answered.extend(run.go_on(mine))
        self._n_taken += len(inputs)
        return self._in_order()

    def end(self) -> Answered:
        for run, answered in zip(self._runs, self._answered, strict=True):
            answered.extend(run.end())
        return self._in_order()

    def _in_order(self) -> Answered:
        """The answers up to the first frame that has none yet."""
        rows = []
        while answered := self._answered[self._n_told % len(self._runs)]:
            rows.append(answered.popleft())
            self._n_told += 1
        return np.stack(rows) if rows else _NONE


class _Run:
    """One dense pass; a run with too few frames for the network has its first repeated before it."""

    def __init__(self, backend: DenseBackend) -> None:
        self._answer = backend.dense()
        self._min_frames = backend.min_frames
        self._held: Inputs | None = None
        self._begun = False

    def go_on(self, inputs: Inputs) -> Answered:
        if not self._begun:
            inputs = inputs if self._held is None else np.concatenate([self._held, inputs])
            self._begun = len(inputs) >= self._min_frames
        self._held = inputs[:0] if self._begun else inputs
        return self._answer(inputs, last=False) if self._begun else _NONE

    def end(self) -> Answered:
        if self._held is None:
            return _NONE
        if self._begun:
            return self._answer(self._held, last=True)
        n_missing = self._min_frames - len(self._held)
        padded = np.concatenate([np.repeat(self._held[:1], n_missing, axis=0), self._held])
        return self._answer(padded, last=True)[n_missing:]
