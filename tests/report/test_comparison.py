"""The page of a comparison: what may be concluded, and no more."""

import json
import re
from dataclasses import replace

from sonoplane.report.cells import Cell
from sonoplane.report.comparison import comparison_html, verdicts, write_comparison
from sonoplane.report.scoreboard import Contender
from tests.report.measured import BOARD, COMPARISON, sure
from tests.report.test_html import Page


def board(**cells):
    return replace(BOARD, contenders=(Contender(name="2D", cells={}), Contender(name="3D", cells=cells)))


def test_the_page_needs_no_other_file():
    text = comparison_html(COMPARISON)
    page = Page(text)
    assert all(address.startswith("data:image/") for address in page.addresses)
    assert not page.names & {"script", "link", "b"}
    assert not re.search(r"https?://|url\(|@import|@font-face", text)


def test_the_page_tells_all_of_it():
    words = " ".join(Page(comparison_html(COMPARISON)).words.split()).replace("\xa0", " ")
    for said in (
        "2D · 3D · (2+1)D",
        "Whether 3D is better than 2D cannot be said from these patients: +0.03 (−0.02 to +0.08), p = 0.21.",
        "(2+1)D is worse than 2D: −0.13 (−0.18 to −0.08), p <0.001.",
        "Differences are in accuracy, frame by frame, against 2D.",
        "The files alone nearly tell.",
        "commonest class",
        "Both wrong",
        "2D, exam <1>",
        "sononet3d-16 1",
    ):
        assert said in words, said


def test_a_corrected_p_overrules_an_interval():
    assert verdicts(board(difference=sure(0.06), p=Cell(value=0.08)), 2)[0].startswith("Whether 3D is better")
    assert verdicts(board(difference=sure(0.06), p=Cell(value=0.01)), 2)[0].startswith("3D is better than 2D")


def test_a_difference_without_an_interval_proves_nothing():
    assert "cannot be said" in verdicts(board(difference=Cell(value=0.4, why="One patient.")), 2)[0]
    assert verdicts(board(difference=Cell(value=None, why="One patient.")), 2) == []


def test_its_files_are_all_there(tmp_path):
    names = {path.name for path in write_comparison(tmp_path, COMPARISON)}
    assert names == {
        "comparison.html", "comparison.json", "levels.csv", "agreement.csv", "by-recording.csv", "mistakes.csv",
        "mistakes.png", "scoreboard.md", "scoreboard.csv", "scoreboard.json", "scoreboard.html",
        "scoreboard-classes.csv",
    }  # fmt: skip
    document = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    assert [row["network"] for row in document["networks"]] == ["2D", "3D", "(2+1)D"]
    assert [row["network"] for row in document["floors"]] == ["commonest class"]
    assert document["confound"]["flagged"] is True
