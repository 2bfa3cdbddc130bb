"""Training SonoNet-16 in (2+1)D on clips of 5 frames: ours against a plain script; all else is as in `training`."""

from pathlib import Path

from benchmarks.runner import Contest
from benchmarks.training import contest

__all__ = ["prepare"]


def prepare(folder: Path) -> Contest:
    """Ten clips a turn."""
    return contest(folder, "sononet2plus1d-16")
