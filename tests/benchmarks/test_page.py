"""The page of speeds tells what was measured."""

import doctest
import json

import pytest

from benchmarks import page, runner
from benchmarks.page import PAGE, RESULTS, speed_page

ROW = {
    "name": "dense-3d-bf16",
    "baseline": "windows",
    "ratio": 61.234,
    "low": 58.0,
    "high": 63.0,
    "unit": "times as fast",
    "piece": "label",
    "turns": 15,
    "baseline_ms": 612.3,
    "ours_ms": 10.0,
    "machine": "a processor",
}


def test_the_page_is_what_its_generator_makes_of_the_results() -> None:
    assert PAGE.read_text(encoding="utf-8") == speed_page(json.loads(RESULTS.read_text(encoding="utf-8")))


def test_the_results_are_of_benchmarks_that_there_are() -> None:
    names = [row["name"] for row in json.loads(RESULTS.read_text(encoding="utf-8"))]
    assert names == sorted(set(names))
    assert set(names) <= set(runner.available(page.FOLDER))


def test_a_benchmark_is_a_row_with_its_spread_and_its_times() -> None:
    made = speed_page([ROW])
    assert "| `dense-3d-bf16` | 61.2 (58 to 63) | 10 ms a label | 612 ms a label |" in made
    assert "Against: windows." in made
    assert "- a processor\n" in made


def test_what_was_found_beside_is_a_table_for_benchmarks_that_found_the_same() -> None:
    facts = {"same_labels_percent": 99.5, "peak_memory_mb": 812.3}
    made = speed_page([ROW | facts, ROW | {"name": "ssim"}, ROW | facts | {"name": "dense-3d-int8"}])
    assert (
        "| benchmark | same labels, % | peak memory, MB |\n| --- | --- | --- |\n"
        "| `dense-3d-bf16` | 99.5 | 812 |\n| `dense-3d-int8` | 99.5 | 812 |\n"
    ) in made


@pytest.mark.parametrize("module", [page, runner])
def test_examples_run(module: object) -> None:
    assert doctest.testmod(module).failed == 0
