"""The benchmarks of a live feed do what they say, with a small network and small frames."""

from pathlib import Path

from benchmarks.frame_by_frame import Size, contest
from benchmarks.runner import measure

TINY = Size(
    network="sononet3d-2-causal", frame=(160, 200), input=(32, 48), frames=24, turn=8, few=10, many=40
)


def test_ours_and_the_bare_model_are_timed_frame_by_frame(tmp_path: Path) -> None:
    toy = contest(tmp_path, "float32", TINY)
    measure(toy, turns=2, tell=print)
    facts = toy.facts()
    assert facts["same_labels_percent"] == 100
    assert facts["p99_over_bare_median"] >= facts["median_over_bare_median"] > 0.5
    assert facts["largest_probability_difference"] < 1e-4
    if Path("/proc/self/status").exists():  # memory is told on Linux only, and by a process of its own
        told = toy.long_facts()
        assert list(told) == ["memory_after_10_mb", "memory_after_40_mb", "memory_growth_percent"]
        assert 50 < told["memory_after_10_mb"] < 1000
