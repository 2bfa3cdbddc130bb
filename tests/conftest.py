"""What several tests share: real recordings where they are at hand, simulated ones, and a network to try."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # torch and OpenCV load when a test first asks for what needs them
    from sonoplane.models.bundle import Bundle
    from sonoplane.video.phantom import PhantomExam

# Compiled models that tests make do not belong in the user's cache.
os.environ["SONOPLANE_CACHE"] = tempfile.mkdtemp(prefix="sonoplane-cache-")

# Two test processes share the cores: threads that wait for each other would cost more than they bring.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings; tests that need it skip, saying why, where it is missing."""
    named = os.environ.get("SONOPLANE_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real recordings are not here: set SONOPLANE_SHARED_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> "Bundle":
    """A small SonoNet that has learned nothing."""
    from sonoplane.models.bundle import save_bundle
    from sonoplane.models.card import Card
    from sonoplane.models.registry import build, network_spec, weights_of
    from sonoplane.video.phantom import classes_of

    classes = classes_of("liver-sweep")
    spec = network_spec("sononet2d-4", n_classes=len(classes))
    return save_bundle(
        tmp_path_factory.mktemp("bundles") / "drawn",
        name="drawn",
        version="1",
        spec=spec,
        card=Card(classes=classes, background="background", size=(32, 48), fit="pad"),
        weights=weights_of(build(spec, seed=1)),
        recipe={},
    )


@pytest.fixture(scope="session")
def exams() -> "list[PhantomExam]":
    """Six patients, a sweep of 24 frames each."""
    from sonoplane.video.phantom import PhantomSettings, simulate

    settings = PhantomSettings(height=160, width=200, frames=24)
    return list(simulate("liver-sweep", patients=6, exams=(1, 1), seed=5, settings=settings))


@pytest.fixture(scope="session")
def sweeps(exams: "list[PhantomExam]", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the exams, DICOM and MP4 in turn."""
    from sonoplane.video.phantom_files import write_dicom, write_mp4

    folder = tmp_path_factory.mktemp("sweeps")
    for index, exam in enumerate(exams):
        if index % 2:
            write_mp4(exam, folder / f"{exam.id}.mp4")
        else:
            write_dicom(exam, folder / f"{exam.id}.dcm")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the table of real recordings that were opened, in parallel runs too."""
    from tests.video.opened_table import print_table

    print_table(terminalreporter)
