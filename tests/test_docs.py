"""Every example in the docs is run, or at least is a call that the program takes."""

import re
import shlex
from pathlib import Path

import pytest

from sonoplane.cli.main import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (page.name, code)
        for page in PAGES
        for code in re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    ]


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_python_examples_run(page: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, page, "exec"), {})


def test_commands_in_the_docs_are_commands_that_the_program_takes() -> None:
    commands = [
        line
        for _, code in blocks("sh")
        for line in code.replace("\\\n", " ").splitlines()
        if line.startswith("sonoplane ")
    ]
    assert len(commands) >= 7
    for command in commands:
        app.parse_args(shlex.split(command, comments=True)[1:], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_are_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
