from pathlib import Path

import pytest

from sonoplane.errors import UsageError
from sonoplane.steps.demo import demo


@pytest.mark.slow
def test_the_demo_reaches_what_it_promises_and_names_reports_that_are_there(tmp_path: Path) -> None:
    result = demo(tmp_path / "demo")
    assert result.single_frame.value >= 0.9
    assert result.single_frame.n_patients == 8
    assert result.floor.value < 0.6
    assert result.report.is_file()
    assert result.index.is_file()


def test_a_folder_of_somebody_elses_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UsageError, match="not a demo's"):
        demo(tmp_path)
    assert (tmp_path / "thesis.txt").exists()
