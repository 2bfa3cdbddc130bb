"""Every frame labelled by SonoNet-16 in 3D: `--mode clip` in float32 against 10-frame windows in eager PyTorch."""

from pathlib import Path

from benchmarks.every_frame import Size, contest
from benchmarks.runner import Contest

__all__ = ["prepare"]


def prepare(folder: Path) -> Contest:
    """A recording of 40 frames of 256 x 256 a turn, against ten windows; memory is that of one of 300 frames."""
    return contest(folder, "sononet3d-16", mode="clip", precision="float32", size=Size(turn=40))
