"""The benchmarks of labels a second do what they say, with small networks on small recordings."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.drawn import CLASSES, drawn_bundle, scenes, timeline
from benchmarks.every_frame import Size, agreement, contest

LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")


@LINUX
@pytest.mark.parametrize(("mode", "turn"), [("dense", 24), ("clip", 20)])
def test_ours_is_a_timeline_that_agrees_with_pytorch(tmp_path: Path, mode: str, turn: int) -> None:
    size = Size(side=200, frames=24, turn=turn, windows=2)
    toy = contest(tmp_path, "sononet3d-2", mode=mode, precision="float32", size=size)
    assert toy.run_baseline() == 2
    assert toy.run_ours() == turn
    facts = toy.facts()
    assert facts["same_labels_percent"] == 100
    assert facts["largest_probability_difference"] < 1e-3
    assert 100 < facts["peak_memory_mb"] < 1500


def test_a_drawn_network_tells_planes_apart(tmp_path: Path) -> None:
    seen = scenes(tmp_path / "scenes.mp4", height=160, width=200, n_frames=36)
    bundle = drawn_bundle(tmp_path, "sononet2plus1d-8", (64, 80), seen, mode="dense")
    found = timeline(seen.file, bundle, {"mode": "dense"})
    assert found.classes == CLASSES
    assert np.mean(np.array(found.labels) == np.array(seen.labels)) > 0.8
    assert agreement(found, found)["largest_logit_difference"] == 0
    assert agreement(found, found)["label_changes"] >= 3
