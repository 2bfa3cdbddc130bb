"""Every frame labelled by SonoNet-16 in 3D: `--mode dense` in int8 against 10-frame windows in eager PyTorch."""

from pathlib import Path

from benchmarks.every_frame import contest
from benchmarks.runner import Contest

__all__ = ["prepare"]


def prepare(folder: Path) -> Contest:
    """A recording of 300 frames of 256 x 256 a turn, against ten windows."""
    return contest(folder, "sononet3d-16", mode="dense", precision="int8")
