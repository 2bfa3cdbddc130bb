"""What may be said of two networks, and how alike they are."""

from dataclasses import replace

from sonoplane.report.cells import Cell
from sonoplane.report.comparison_tables import AGREEMENT_COLUMNS, Agreement, agreement_grid, verdicts
from sonoplane.report.scoreboard import Contender
from tests.report.measured import BOARD, sure


def board(**cells):
    return replace(BOARD, contenders=(Contender(name="2D", cells={}), Contender(name="3D", cells=cells)))


def test_a_corrected_p_overrules_an_interval():
    assert verdicts(board(difference=sure(0.06), p=Cell(value=0.08)), 2)[0].startswith("Whether 3D is better")
    assert verdicts(board(difference=sure(0.06), p=Cell(value=0.01)), 2)[0].startswith("3D is better than 2D")


def test_a_difference_without_an_interval_proves_nothing():
    assert "cannot be said" in verdicts(board(difference=Cell(value=0.4, why="One patient.")), 2)[0]
    assert verdicts(board(difference=Cell(value=None, why="One patient.")), 2) == []


def test_what_is_counted_is_told_where_it_differs():
    cells = {"agreement": Cell(value=0.9)}
    frames = Agreement(first="2D", second="3D", cells=cells)
    recordings = replace(frames, unit="recording")
    assert "unit" not in agreement_grid([frames]).rows[0]
    assert [row["unit"].value for row in agreement_grid([recordings, frames]).rows] == [
        "recordings",
        "frames",
    ]
    assert len({column.key for column in AGREEMENT_COLUMNS}) == len(AGREEMENT_COLUMNS)
