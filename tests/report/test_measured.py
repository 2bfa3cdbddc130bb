"""Tables that evaluation and comparison share."""

from sonoplane.report.cells import Cell
from sonoplane.report.grid import grid_csv
from sonoplane.report.measured import LevelScores, RecordingScores, events_csv, levels_csv, recordings_grid
from tests.report.measured import EVENTS, sure


def test_ends_of_intervals_have_their_columns_even_where_nobody_knows_them():
    known, lone = sure(0.8), Cell(value=0.8, why="One patient.")
    heads = [
        levels_csv([LevelScores(level="frames", network="2D", cells={"accuracy": cell})]).split("\n")[0]
        for cell in (known, lone)
    ]
    assert heads == [
        "level,accuracy,accuracy_low,accuracy_high",
        "level,accuracy,accuracy_low,accuracy_high,notes",
    ]
    assert events_csv({"2D": {"liver": {"found": lone}}}).startswith(
        "plane,found,found_low,found_high,notes\n"
    )


def test_events_of_several_networks_are_told_apart():
    assert events_csv({"2D": EVENTS}).startswith("plane,")
    assert events_csv({"2D": EVENTS, "3D": EVENTS}).startswith("network,plane,")
    assert events_csv({"2D": {}}) == ""


def test_what_a_recording_was_named_stands_beside_its_label_and_those_that_all_miss_come_first():
    rows = [
        RecordingScores(
            recording=name, target="a", networks={"2D": Cell(value=right)}, answered={"2D": answer}
        )
        for name, answer, right in (("named", "a", 0.4), ("missed", "b", 0.5))
    ]
    grid = recordings_grid(rows)
    assert [row["recording"].value for row in grid.rows] == ["missed", "named"]
    assert [column.head for column in grid.columns] == ["Recording", "Label", "Answered", "Frames right"]
    assert grid_csv(grid).split("\n")[1] == "missed,a,b,0.5"
