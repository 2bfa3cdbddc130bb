"""The box of one key frame of SonoNet-16 in 3D, 224 x 288, against one forward pass of eager PyTorch."""

from pathlib import Path

from benchmarks.one_key_frame import contest
from benchmarks.runner import Contest

__all__ = ["prepare"]


def prepare(folder: Path) -> Contest:
    """Four key frames a turn."""
    return contest(folder, "sononet3d-16")
