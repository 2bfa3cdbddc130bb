"""The benchmark of boxes does what it says, with small networks on a small recording."""

from pathlib import Path

import pytest

from benchmarks.one_key_frame import Size, contest


@pytest.mark.parametrize("network", ["sononet2d-2", "sononet3d-2"])
def test_both_sides_answer_as_many_key_frames(network: str, tmp_path: Path) -> None:
    toy = contest(tmp_path, network, Size(frames=12, turn=2, frame=(160, 200)))
    assert toy.run_baseline() == toy.run_ours() == 2
    facts = toy.facts()
    assert facts["arithmetic"] in ("bf16", "float32")
    assert facts["overlap_with_float32"] > 0.5  # type: ignore[operator]  # a number
