"""A network with drawn weights and two short simulated sweeps, for tests of whole steps."""

from pathlib import Path

import pytest

from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import build, network_spec, weights_of
from sonoplane.video.phantom import PhantomExam, PhantomSettings, classes_of, simulate
from sonoplane.video.phantom_files import write_dicom, write_mp4


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small SonoNet that has learned nothing."""
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
def exams() -> list[PhantomExam]:
    """Six patients, a sweep of 24 frames each."""
    settings = PhantomSettings(height=160, width=200, frames=24)
    return list(simulate("liver-sweep", patients=6, exams=(1, 1), seed=5, settings=settings))


@pytest.fixture(scope="session")
def sweeps(exams: list[PhantomExam], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the exams, DICOM and MP4 in turn."""
    folder = tmp_path_factory.mktemp("sweeps")
    for index, exam in enumerate(exams):
        if index % 2:
            write_mp4(exam, folder / f"{exam.id}.mp4")
        else:
            write_dicom(exam, folder / f"{exam.id}.dcm")
    return folder
