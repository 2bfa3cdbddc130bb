"""The table of every recording that the tests opened, printed after the tests."""

from typing import NamedTuple

import pytest

PROPERTY = "opened"


class Opened(NamedTuple):
    """One recording: what opening it gave."""

    name: str
    frames: int | str
    second_tool: str
    """How many frames a full decode by another tool gave, and by which one."""
    size: str
    fps: float | str
    outcome: str


def attach_rows(report: pytest.TestReport, rows: list[Opened]) -> None:
    """Let a test's report carry its rows, so that they come home from another process too."""
    report.user_properties.extend((PROPERTY, [str(cell) for cell in row]) for row in rows)
    rows.clear()


def print_table(reporter: pytest.TerminalReporter) -> None:
    """Print the rows of all reports, once however often it is called."""
    if getattr(reporter, "opened_table_printed", False):
        return
    rows = [
        value
        for reports in reporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == PROPERTY
    ]
    if not rows:
        return
    reporter.opened_table_printed = True  # type: ignore[attr-defined] # a note to ourselves
    titles = ("recording", "frames", "second tool", "size", "fps", "outcome")
    table = [titles, *sorted(set(map(tuple, rows)), key=lambda row: (row[5] != "opened", row))]
    widths = [min(max(len(row[column]) for row in table), 44) for column in range(5)]
    reporter.section("every recording that was opened")
    for row in table:
        cells = [_fit(cell, width) for cell, width in zip(row, widths, strict=False)]
        reporter.write_line("  ".join([*cells, row[5]]))


def _fit(cell: str, width: int) -> str:
    return (cell if len(cell) <= width else cell[: width - 1] + "…").ljust(width)
