"""One table, four forms: the same rows and reasons in Markdown, CSV, JSON and HTML."""

import csv

import pytest

from sonoplane.errors import UsageError
from sonoplane.report.cells import Cell
from sonoplane.report.grid import Column, grid_csv, grid_html, grid_markdown, grid_of, grid_rows
from tests.report.test_html import Page

COLUMNS = (
    Column(key="name", head="Network", form="text"),
    Column(key="accuracy", head="Accuracy", told="share of right answers.", group="How right"),
    Column(key="auroc", head="AUROC", group="How right"),
    Column(key="ms", head="ms", form="decimal", group="What it costs"),
    Column(key="unused", head="Unused"),
)
NO_CLOCK = Cell(value=None, why="No clock.")
ROWS = (
    {"name": Cell(value="a | <b>"), "accuracy": Cell(value=0.8, low=0.7, high=0.9), "ms": NO_CLOCK},
    {"name": Cell(value="floor"), "accuracy": Cell(value=0.4, why="One patient."), "auroc": NO_CLOCK},
)
GRID = grid_of(COLUMNS, ROWS)


def test_columns_that_no_row_has_are_left_out():
    assert [column.key for column in GRID.columns] == ["name", "accuracy", "auroc", "ms"]


def test_a_cell_without_a_column_is_refused():
    with pytest.raises(UsageError, match="no column for acuracy"):
        grid_of(COLUMNS, [{"acuracy": Cell(value=1)}])


def test_markdown_escapes_and_says_each_reason_once():
    text = grid_markdown(GRID)
    assert "| a \\| <b> | 0.80 (0.70 to 0.90) |  |" in text
    assert "| floor | 0.40¹ | –² |" in text
    assert text.count("¹ One patient.") == 1
    assert "**What it costs**" in text


def test_a_row_without_a_figure_of_a_group_is_not_in_its_table():
    costs = grid_markdown(GRID).split("**What it costs**")[1]
    assert "floor" not in costs


def test_csv_has_numbers_in_full_and_their_ends():
    rows = list(csv.DictReader(grid_csv(GRID).splitlines()))
    assert list(rows[0]) == ["name", "accuracy", "accuracy_low", "accuracy_high", "auroc", "ms", "notes"]
    assert (rows[0]["accuracy_low"], rows[0]["ms"], rows[0]["notes"]) == ("0.7", "", "ms: No clock.")
    assert rows[1]["notes"] == "accuracy: One patient.; auroc: No clock."


def test_json_keeps_number_words_and_reason():
    assert grid_rows(GRID)[0] == {
        "name": "a | <b>",
        "accuracy": {"value": 0.8, "low": 0.7, "high": 0.9, "text": "0.80 (0.70 to 0.90)"},
        "ms": {"value": None, "why": "No clock.", "text": "–"},
    }


def test_html_is_escaped_and_explains_its_heads():
    text = grid_html(GRID)
    page = Page(str(text))
    assert "b" not in page.names
    assert "a | <b>" in page.words
    assert "share of right answers." in page.words
    assert "No clock." in page.words


def test_equal_neighbors_of_a_merged_grid_are_one_cell():
    rows = [{"name": Cell(value=name), "accuracy": Cell(value=0.5)} for name in ("a", "a", "b")]
    text = grid_html(grid_of(COLUMNS, rows, merged=True))
    assert text.count('rowspan="2"') == 1
    assert text.count(">a<") == 1
