"""What several tests share: the real recordings, where they are at hand."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OPENVINO_TELEMETRY", "0")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings; tests that need it skip, saying why, where it is missing."""
    named = os.environ.get("SONOPLANE_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real recordings are not here: set SONOPLANE_SHARED_DATA to their folder")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the table of real recordings that were opened, in parallel runs too."""
    from tests.video.opened_table import print_table

    print_table(terminalreporter)
