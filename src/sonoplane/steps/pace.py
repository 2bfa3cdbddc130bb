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
from typing import Any

import numpy as np
from jaxtyping import UInt8

from sonoplane.frames.archive import Archive
from sonoplane.inference.passes import begin
from sonoplane.records import Box
from sonoplane.report.cells import Cell
from sonoplane.report.grid import Row
from sonoplane.report.words import count
from sonoplane.steps.answering import Network

__all__ = ["FRAMES", "Pace", "measure_pace", "pace_cells", "threads_in_force"]

#: Frames that are timed at most.
FRAMES = 64

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """What one network took; a value for each round."""

    ms_per_frame: tuple[float, ...]
    """Of the network alone: frames were read and prepared before."""
    memory_mb: float | None
    """The most that it held while it answered, with its weights; None where the system does not tell."""
    n_frames: int

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
    memory: list[float | None] = [None for _ in networks]
    for turn in range(rounds + 1):
        for place, network in enumerate(networks):
            before = _fresh_peak() if turn < 2 else None
            took = _run(network, inputs[place])
            held = _held("VmHWM") if before is not None else None
            if before is not None and held is not None:
                memory[place] = max(memory[place] or 0.0, held - before)
            if turn:
                times[place].append(1000 * took / len(frames))
    return [
        Pace(
            ms_per_frame=tuple(mine),
            memory_mb=None if most is None else most + _weights_mb(network),
            n_frames=len(frames),
        )
        for network, mine, most in zip(networks, times, memory, strict=True)
    ]


def pace_cells(pace: Pace) -> Row:
    """The median round, from the quickest to the slowest, by the keys of the scoreboard."""
    times = pace.ms_per_frame
    why = f"Median, quickest and slowest of {count(len(times), 'round')} over {pace.n_frames} frames."
    memory = (
        Cell(value=None, why="The system does not tell.")
        if pace.memory_mb is None
        else Cell(value=pace.memory_mb)
    )
    return {
        "ms_per_frame": Cell(value=float(np.median(times)), low=min(times), high=max(times), why=why),
        "memory_mb": memory,
    }


def threads_in_force(network: Network) -> str:
    """How many processor threads the network may use, in words."""
    said = network.recipe.run.threads
    if not said and network.backend.name == "torch" and "torch" in sys.modules:
        said = sys.modules["torch"].get_num_threads()
    if said:
        return count(said, "thread")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"up to {count(cores, 'thread')}"


def _prepared(network: Network, frames: UInt8[np.ndarray, "time ..."]) -> np.ndarray:
    card = network.bundle.card
    box = Box(left=0, top=0, right=frames.shape[2], bottom=frames.shape[1])
    return np.asarray(card.values(np.stack([card.geometry(frame, box) for frame in frames])))


def _run(network: Network, inputs: np.ndarray) -> float:
    """Seconds for all frames, in batches as in prediction."""
    began = time.perf_counter()
    passing = begin(network.backend, network.way)
    for start in range(0, len(inputs), network.recipe.run.batch):
        passing.go_on(inputs[start : start + network.recipe.run.batch])
    passing.end()
    return time.perf_counter() - began


def _weights_mb(network: Network) -> float:
    return (
        sum(array.nbytes for bundle in network.bundle.networks for array in bundle.weights().values()) / 1e6
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
