"""A live feed through causal SonoNet-16 in 3D: `Streamer` in float32 against the bare stateful model."""

from pathlib import Path

from benchmarks.frame_by_frame import contest
from benchmarks.runner import Contest

__all__ = ["prepare"]


def prepare(folder: Path) -> Contest:
    """Frames of 640 x 480, pushed one by one; with `--long`, 20,000 of them to see whether memory grows."""
    return contest(folder, "float32")
