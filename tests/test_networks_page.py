from pathlib import Path

import pytest

from sonoplane.cli.models import models
from sonoplane.steps.recipes import shipped

PAGE = (Path(__file__).parents[1] / "docs" / "networks.md").read_text(encoding="utf-8")


def test_the_page_of_the_networks_has_the_table_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    models()
    assert f"```\n{capsys.readouterr().out}```" in PAGE


def test_the_page_of_the_networks_has_every_recipe() -> None:
    assert all(f"`{name}`" in PAGE for name in shipped())
