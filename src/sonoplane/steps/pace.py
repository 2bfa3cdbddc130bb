"""How long networks take for a frame, and how much memory, measured in turns on the same frames of this machine."""

import ctypes
import gc
import os
import re
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import UInt8

from sonoplane.frames.archive import Archive
from sonoplane.inference.backends import Backend, BackendChoice, open_backend
from sonoplane.inference.passes import begin
from sonoplane.records import Box
from sonoplane.report.cells import Cell
from sonoplane.report.grid import Row
from sonoplane.report.words import count
from sonoplane.steps.answering import Network

__all__ = ["FRAMES", "ONE_MEMBER", "Pace", "measure_pace", "pace_cells", "threads_in_force"]

#: Frames that are timed at most.
FRAMES = 64
#: What is told beside the cost of a cross-validation whose recordings are each answered by one of its networks.
ONE_MEMBER = "Of one network of the cross-validation: each recording is answered by one."

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """What one network took; a value for each round."""

    ms_per_frame: tuple[float, ...]
    """Of the network alone: frames were read and prepared before."""
    memory_mb: float | None
    """The most that it held while it answered, with its weights; None where the system does not tell."""
    n_frames: int
    of_one: bool = False
    """Of one network of a cross-validation, where each answers what it never saw."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"ms_per_frame": list(self.ms_per_frame), "memory_mb": self.memory_mb, "frames": self.n_frames}


def measure_pace(networks: Sequence[Network], store: Archive, name: str, *, rounds: int = 5) -> list[Pace]:
    """Let each network answer the first frames of a recording, in turns, after one round that is not counted.

    Taking turns, all meet the same load of the machine.
    """
    frames = store.read(name, 0, min(FRAMES, store.entry(name).n_frames))
    inputs = [_prepared(network, frames) for network in networks]
    times: list[list[float]] = [[] for _ in networks]
    for turn in range(rounds + 1):
        for place, network in enumerate(networks):
            took = _run(network, _answering(network), inputs[place])
            if turn:
                times[place].append(1000 * took / len(frames))
    return [
        Pace(
            ms_per_frame=tuple(mine),
            memory_mb=_memory_mb(network, each),
            n_frames=len(frames),
            of_one=bool(network.members),
        )
        for network, mine, each in zip(networks, times, inputs, strict=True)
    ]


def pace_cells(pace: Pace) -> Row:
    """The median round, from the quickest to the slowest, by the keys of the scoreboard."""
    times = pace.ms_per_frame
    one = ONE_MEMBER if pace.of_one else ""
    why = f"Median, quickest and slowest of {count(len(times), 'round')} over {pace.n_frames} frames. {one}"
    memory = (
        Cell(value=None, why="The system does not tell.")
        if pace.memory_mb is None
        else Cell(value=pace.memory_mb, why=one)
    )
    return {
        "ms_per_frame": Cell(
            value=float(np.median(times)), low=min(times), high=max(times), why=why.rstrip()
        ),
        "memory_mb": memory,
    }


def threads_in_force(network: Network) -> str:
    """How many processor threads the network may use, in words."""
    said = network.recipe.run.threads
    if not said and network.backend.name.startswith("torch") and "torch" in sys.modules:
        said = sys.modules["torch"].get_num_threads()
    if said:
        return count(said, "thread")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"up to {count(cores, 'thread')}"


def _prepared(network: Network, frames: UInt8[np.ndarray, "time ..."]) -> np.ndarray:
    card = network.bundle.card
    box = Box(left=0, top=0, right=frames.shape[2], bottom=frames.shape[1])
    return np.asarray(card.values(np.stack([card.geometry(frame, box) for frame in frames])))


def _answering(network: Network) -> Backend:
    """What answers a recording: of a cross-validation one member, whichever, since all are of one form."""
    return network.members[0] if network.members else network.backend


def _run(network: Network, backend: Backend, inputs: np.ndarray) -> float:
    """Seconds for all frames, in batches as in prediction."""
    began = time.perf_counter()
    passing = begin(backend, network.way)
    for start in range(0, len(inputs), network.recipe.run.batch):
        passing.go_on(inputs[start : start + network.recipe.run.batch])
    passing.end()
    return time.perf_counter() - began


def _memory_mb(network: Network, inputs: np.ndarray) -> float | None:
    """The most that the network holds while it answers, weights and all, above what is held without it.

    It is opened anew, since what has answered before keeps its workspace, which would count as held without it; and
    twice, since the first time may bring in parts of the runtime that serve every network: the smaller counts.
    """
    found = [_memory_once(network, inputs) for _ in range(2)]
    return min((each for each in found if each is not None), default=None)


def _memory_once(network: Network, inputs: np.ndarray) -> float | None:
    before = _fresh_peak()
    backend = _opened_anew(network)
    opened = _fresh_peak()  # what opening took besides is no part of answering
    if before is None or opened is None:
        return None
    _run(network, backend, inputs)
    most = _held("VmHWM")
    return None if most is None else max(most - before, 0.0)


def _opened_anew(network: Network) -> Backend:
    run = network.recipe.run
    if not network.members:
        return open_backend(network.bundle, network.choice, run)
    mine = network.members[0]  # in the arithmetic that all members share
    choice = cast("BackendChoice", mine.name.split()[0])
    return open_backend(
        network.bundle.members[0], choice, run.model_copy(update={"precision": mine.precision})
    )


def _fresh_peak() -> float | None:
    """Give free memory back, forget the highest use so far, and tell the present one in MB; None where it cannot be."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _held("VmRSS")


def _held(which: str) -> float | None:
    try:
        found = re.search(rf"^{which}:\s+(\d+) kB", _STATUS.read_text(), re.M)
    except OSError:
        return None
    return int(found[1]) * 1024 / 1e6 if found else None
