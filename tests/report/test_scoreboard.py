"""The scoreboard: one structure, the same numbers in every file, differences against the first."""

import csv
import json

import pytest

from sonoplane.report.scoreboard import CLASS_COLUMNS, COLUMNS, classes_grid, write_scoreboard
from tests.report.measured import BOARD
from tests.report.test_html import Page


@pytest.mark.parametrize("columns", [COLUMNS, CLASS_COLUMNS])
def test_no_two_columns_share_a_name(columns):
    assert len({column.key for column in columns}) == len(columns)
    assert len({(column.group, column.head) for column in columns}) == len(columns)


def test_every_file_holds_the_same_words(tmp_path):
    paths = write_scoreboard(tmp_path, BOARD)
    assert [path.name for path in paths] == [
        "scoreboard.md", "scoreboard.csv", "scoreboard.json", "scoreboard.html", "scoreboard-classes.csv",
    ]  # fmt: skip
    markdown, table, document, page = (path.read_text(encoding="utf-8") for path in paths[:4])
    row = json.loads(document)["networks"][1]
    assert row["difference"]["text"] == "+0.03 (−0.02 to +0.08)"
    assert row["difference"]["text"] in markdown
    assert "(−0.02 to +0.08)" in Page(page).words
    assert next(r for r in csv.DictReader(table.splitlines()) if r["network"] == "3D")["p"] == "0.21"
    assert json.loads(document)["archive"] == "sweeps"


def test_what_differences_are_of_is_said(tmp_path):
    markdown = write_scoreboard(tmp_path, BOARD)[0].read_text(encoding="utf-8")
    assert "Differences are in accuracy, frame by frame, against 2D." in markdown


def test_rows_of_a_class_stand_together():
    rows = classes_grid(BOARD).rows
    assert [row["class"].value for row in rows][:2] == ["background"] * 2
    assert [row["network"].value for row in rows][:2] == ["2D", "3D"]
