"""What the tests of opening share: a table of what was opened, which the run ends with."""

from collections.abc import Generator

import pytest

from tests.video.opened_table import Opened, attach_rows, print_table

ROWS: list[Opened] = []


@pytest.fixture(scope="session")
def opened_table() -> list[Opened]:
    """Append an `Opened` for each recording; the rows are printed after all tests."""
    return ROWS


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        attach_rows(report, ROWS)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    print_table(terminalreporter)
