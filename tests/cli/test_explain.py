"""`sonoplane explain`: what it prints, its exit statuses, and the filters of a network without a recording."""

import json
import shutil
from pathlib import Path
from typing import get_args

import pytest

from sonoplane.cli import explain
from sonoplane.errors import UsageError
from sonoplane.inference.explaining import METHODS
from sonoplane.models.bundle import Bundle
from tests.cli.conftest import Command


def test_the_methods_of_the_command_are_those_that_there_are() -> None:
    assert get_args(explain.explain.__annotations__["method"]) == METHODS


def test_it_prints_what_predict_prints(
    command: Command, bundle: Bundle, sweeps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (min(sweeps.iterdir()), "--bundle", bundle.folder, "--json")
    told = []
    for verb in ("predict", "explain"):
        assert command(verb, *words, "--out", tmp_path / verb) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert told[0] == told[1]


def test_bad_files_are_status_1_and_nothing_done_is_2(
    command: Command, bundle: Bundle, sweeps: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "empty.mp4").touch()
    words = ("--bundle", bundle.folder, "--frames", "keyframes", "--out", tmp_path / "out")
    assert command("explain", source, *words) == 2
    shutil.copy(min(sweeps.glob("*.mp4")), source / "good.mp4")
    assert command("explain", source, *words) == 1
    assert (tmp_path / "out" / "good" / "explanation.html").is_file()


def test_nothing_to_explain_is_a_mistake(command: Command, bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to explain"):
        command("explain", "--bundle", bundle.folder, "--out", tmp_path)


def test_filters_need_no_recording(
    command: Command, bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--bundle", bundle.folder, "--out", tmp_path, "--filters", "first")
    quick = ("--filters", "head.1.0:0,1", "--filters", "blocks.1.0.0", "--activation.steps", 1, "--json")
    assert command("explain", *words, *quick) == 0
    assert json.loads(capsys.readouterr().out) == {"filters": str(tmp_path / "filters.html")}
    page = (tmp_path / "filters.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 4 + 2 + 8
    assert all(name in page for name in ("First layer", *bundle.card.classes[:2]))


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("blocks.9", "has no layer 'blocks.9'"),
        ("head.1.0:0,99", "no filter 99"),
        ("head.1.0:x", "'x' is no number of a filter"),
    ],
)
def test_filters_that_are_not_there_are_told(
    word: str, told: str, command: Command, bundle: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=told):
        command("explain", "--bundle", bundle.folder, "--out", tmp_path, "--filters", word)
