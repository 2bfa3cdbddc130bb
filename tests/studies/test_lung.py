"""The lung study runs through all its code on a few videos, does nothing twice, and its page is true."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sonoplane.errors import UsageError
from studies.lung.plan import FULL, SMOKE, VARIANTS, comparisons
from studies.lung.run import study
from studies.lung.table import RESULTS, put_into, tables

PAGE = Path(__file__).parents[2] / "docs" / "study-lung.md"


@pytest.fixture(scope="module")
def folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smoke study, done."""
    out = tmp_path_factory.mktemp("lung") / "study"
    study(shared_data / "covid-blues", out, SMOKE, shared_data / "sononet" / "SonoNet16.npz")
    return out


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def test_every_patient_is_held_out_once(results: dict[str, Any]) -> None:
    assert (results["recordings"], results["patients"]) == (13, 6)
    for task, names in SMOKE.variants.items():
        assert tuple(results["tasks"][task]["networks"]) == names
        for one in results["tasks"][task]["networks"].values():
            assert one["recording"]["n"] == 13
            assert one["frame"]["n"] == results["frames"]
            assert len(one["training_seconds"]) == SMOKE.n_folds
            assert one["all_seconds"] > sum(one["training_seconds"])


def test_floors_and_facts_answer_the_same_recordings(results: dict[str, Any]) -> None:
    for task in results["tasks"].values():
        assert len(task["floors"]) == 3
        assert all(one["recording"]["n"] == 13 for one in (*task["floors"].values(), task["facts"]))


def test_differences_are_those_that_were_asked_for(results: dict[str, Any]) -> None:
    made = results["tasks"]["blines"]["differences"]
    asked = comparisons(SMOKE.variants["blines"])
    assert {(one["first"], one["second"]) for one in made} == {(one.first, one.second) for one in asked}
    assert all(one["p_corrected"] >= one["p"] for one in made)


def test_the_results_name_nobody(folder: Path, results: dict[str, Any]) -> None:
    manifest = (folder / "archive-private" / "recordings.csv").read_text()
    names = set(re.findall(r"patient_\d+\w*|[0-9a-f]{16,}", manifest))
    assert len(names) >= 24
    text = json.dumps(results)
    assert not [name for name in names if name in text]
    assert "patient_" not in text
    assert str(folder) not in text


def test_what_is_done_is_not_done_again(
    folder: Path, shared_data: Path, results: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    fetal = shared_data / "sononet" / "SonoNet16.npz"
    study(shared_data / "covid-blues", folder, SMOKE, fetal)
    assert "Fold" not in capsys.readouterr().err
    assert json.loads((folder / "results.json").read_text()) == results


def test_a_folder_serves_one_plan(folder: Path, shared_data: Path) -> None:
    with pytest.raises(UsageError, match="other settings"):
        study(shared_data / "covid-blues", folder, FULL, shared_data / "sononet" / "SonoNet16.npz")


def test_the_tables_show_every_network_and_difference(folder: Path, results: dict[str, Any]) -> None:
    made = tables((folder / "results.json").read_text())
    assert made.count("| SonoNet-16 2D |") == 1 + 3
    assert "wrong: of them mirrored" in made
    assert "facts of the files" in made


def test_what_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no file 'weights\.npz'"):
        study(tmp_path, tmp_path / "out", SMOKE, tmp_path / "weights.npz")
    (tmp_path / "weights.npz").touch()
    with pytest.raises(UsageError, match="no videos"):
        study(tmp_path, tmp_path / "out", SMOKE, tmp_path / "weights.npz")


def test_the_questions_are_those_of_the_page() -> None:
    asked = comparisons(tuple(VARIANTS))
    assert [sum(one.question == question for one in asked) for question in ("motion", "start", "floors")] == [
        4,
        3,
        21,
    ]


def test_the_page_has_the_tables_of_the_results() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert put_into(page, tables(RESULTS.read_text(encoding="utf-8"))) == page
