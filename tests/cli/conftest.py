"""An archive whose recordings have a label each, and networks that the command line trained on it for an epoch."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from sonoplane.cli.main import app
from sonoplane.clips.labels import write_labels
from sonoplane.records import Label
from sonoplane.video.phantom import PhantomExam

Command: TypeAlias = Callable[..., int]

RECIPE = """
input = { height = 32, width = 48 }
store = { sheet = false }
split = { train = 0.6, validation = 0.2, test = 0.2 }
network = { name = "sononet2d-2" }
training = { epochs = 1, batch = 16, workers = 0, cache_gb = 0.1 }
tracking = { trackers = [] }
"""


@pytest.fixture(scope="session")
def command() -> Command:
    """Run a command as `sonoplane` does, in this process; it returns the exit status."""

    def run(*words: object) -> int:
        status: int = app([str(word) for word in words], result_action="return_value")
        return status

    return run


@pytest.fixture(scope="session")
def archive(
    command: Command, sweeps: Path, exams: list[PhantomExam], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Six patients, one of them in the test part; every recording is of the left or of the right."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "small.toml").write_text(RECIPE)
    write_labels(
        folder / "sides.csv",
        [
            Label(recording=exam.id, label="left" if index % 2 else "right", patient=exam.patient)
            for index, exam in enumerate(exams)
        ],
    )
    out, recipe = folder / "archive", folder / "small.toml"
    words = ("--labels", folder / "sides.csv", "--recipe", recipe, "--workers", 0)
    assert command("prepare", sweeps, "--out", out, *words) == 0
    return out


@pytest.fixture(scope="session")
def ensemble(command: Command, archive: Path) -> Path:
    """Three networks of a cross-validation; `fold-1` in it is one of them alone."""
    out, recipe = archive.with_name("three"), archive.with_name("small.toml")
    assert command("train", archive, "--task", "sides", "--folds", 3, "--out", out, "--recipe", recipe) == 0
    return out
