"""How long networks take for a frame, and how much memory, measured in turns on the same frames of this machine."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from jaxtyping import UInt8

from sonoplane.frames.archive import Archive
from sonoplane.inference.backends import Backend, BackendChoice
from sonoplane.records import Box
from sonoplane.report.cells import Cell
from sonoplane.report.grid import Row
from sonoplane.report.words import count
from sonoplane.steps.answering import Network
from sonoplane.steps.pace_memory import answer_all, memory_mb

__all__ = ["FRAMES", "ONE_MEMBER", "Pace", "measure_pace", "pace_cells", "threads_in_force"]

#: Frames that are timed at most.
FRAMES = 64
#: What is told beside the cost of a cross-validation whose recordings are each answered by one of its networks.
ONE_MEMBER = "Of one network of the cross-validation: each recording is answered by one."


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
    answer_all(backend, network.bundle, network.recipe.run, inputs)
    return time.perf_counter() - began


def _memory_mb(network: Network, inputs: np.ndarray) -> float | None:
    run, bundle, choice = network.recipe.run, network.bundle, network.choice
    if network.members:
        mine = network.members[0]  # in the arithmetic that all members share
        bundle, run = network.bundle.members[0], run.model_copy(update={"precision": mine.precision})
        choice = cast("BackendChoice", mine.name.split()[0])
    elif choice == "auto":
        choice = cast("BackendChoice", network.backend.name.split()[0])
    return memory_mb(bundle, choice, run, inputs.shape)
