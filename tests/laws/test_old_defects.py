"""What was wrong with the preparation of the two research systems stays right here, one test for each defect.

The sweeps are in the layout of S1 and the hearts in that of E1, written by the phantom, odd in size, with as many exams
as each patient happens to have. Defects of training, calibration and explanation are tested beside what does these.
Colors by photometric interpretation (E) have their tests, for every coding, in `tests/video/test_dicom_color.py`.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sonoplane.clips.labels import frame_labels
from sonoplane.clips.policies import cut
from sonoplane.clips.splits import audit, folds_by_patient, split_by_patient
from sonoplane.clips.windows_settings import WindowSettings
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.entries import Entry
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomExam, PhantomSettings, classes_of, simulate
from sonoplane.video.phantom_datasets import write_e1_layout, write_s1_layout
from sonoplane.video.phantom_files import write_dicom

ODD = PhantomSettings(height=161, width=203, frames=20)


def prepared(source: Path, *flags: str) -> Path:
    """Prepare a data set as its user would, without a GPU, and take the source away."""
    before = snapshot(source)
    out = source.with_name(f"{source.name}-archive")
    labels = ("--labels", f"planes={source}")
    hidden = {"CUDA_VISIBLE_DEVICES": "", "PYTHONWARNINGS": "ignore"}
    told = subprocess.run(
        [sys.executable, "-m", "sonoplane", "prepare", source, "--out", out, *labels, *flags],
        cwd=source.parent,
        env={**os.environ, **hidden},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert snapshot(source) == before, "the source was touched"
    beside = {path.name for path in source.parent.iterdir()}
    assert beside == {source.name, out.name, f"{out.name}-private"}
    for words in (told.stdout, told.stderr):
        assert str(source.parent) not in words
    source.rename(source.with_name("away"))
    return out


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def exams() -> list[PhantomExam]:
    return list(simulate(patients=4, exams=(1, 3), seed=3, settings=ODD))


@pytest.fixture(scope="module")
def sweeps_folder(exams: list[PhantomExam], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(write_s1_layout(exams, tmp_path_factory.mktemp("s") / "sweeps"))


@pytest.fixture(scope="module")
def hearts_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recordings = simulate("echo-views", patients=3, exams=(3, 3), seed=2, settings=ODD)
    folder = tmp_path_factory.mktemp("e") / "hearts"
    return prepared(
        write_e1_layout(recordings, folder, files="jpeg"), "--patient-pattern", "(p[0-9]+)-e[0-9]"
    )


@pytest.fixture(scope="module")
def sweeps(sweeps_folder: Path) -> Archive:
    return open_archive(sweeps_folder)


@pytest.fixture(scope="module")
def hearts(hearts_folder: Path) -> Archive:
    return open_archive(hearts_folder)


def test_s_the_preparation_script_starts(sweeps: Archive, hearts: Archive) -> None:
    """There, a wrong argument name stopped it. Here both layouts prepare, and nothing says how large they are."""
    assert len(sweeps) > 4
    assert len(hearts) == 9
    assert not sweeps.verify()
    assert not hearts.verify()


def test_s_no_patient_leaks_between_the_parts(sweeps: Archive, hearts: Archive) -> None:
    """There, a seeded split shuffled exams. For any seed: `test_no_patient_in_two_parts.py`."""
    for archive in (sweeps, hearts):
        audit(parts(archive.entries), patients(archive.entries))
    for seed in range(20):
        shares = {"train": 0.7, "validation": 0.3}
        audit(
            split_by_patient(patients(sweeps.entries), fractions=shares, seed=seed), patients(sweeps.entries)
        )


def test_s_patients_have_any_number_of_exams(sweeps: Archive, exams: list[PhantomExam]) -> None:
    """There, every patient had exactly five."""
    has = Counter(patients(sweeps.entries).values())
    assert sorted(has.values()) == sorted(Counter(exam.patient for exam in exams).values())
    assert len({*has.values()}) > 1


def test_s_frames_have_any_size_and_sets_any_number_of_classes(
    sweeps: Archive, hearts: Archive, exams: list[PhantomExam]
) -> None:
    """There, 7 classes and 1200 x 760 pixels."""
    assert {row.label for row in sweeps.labels("planes")} == {
        label.label for exam in exams for label in exam.labels
    }
    views = {row.label for row in hearts.labels("planes")}
    assert 1 < len(views) <= len(classes_of("echo-views"))
    assert views <= {*classes_of("echo-views")}


def test_s_clips_of_mixed_labels_do_not_vanish_silently(sweeps: Archive) -> None:
    """There, they did. Here every clip that is not kept is counted."""
    labels = sweeps.labels("planes")
    classes = sorted({row.label for row in labels})
    n_mixed = 0
    for entry in sweeps.entries:
        mine = [row for row in labels if row.recording == entry.id]
        numbers = frame_labels(mine, entry.id, entry.n_frames, classes)
        made = cut(numbers, windows=WindowSettings(length=5, stride=1))
        assert len(made) + made.n_dropped == entry.n_frames - 4
        n_mixed += sum(dropped.n_clips for dropped in made.dropped if dropped.reason == "mixed")
    assert n_mixed > 0


def test_s_frames_are_decoded_once(sweeps: Archive, hearts: Archive) -> None:
    """There, each epoch decoded every PNG again. Here the source is gone, and every frame is in the archive."""
    for archive in (sweeps, hearts):
        for entry in archive.entries:
            assert len(archive.read(entry.id)) == entry.n_frames == 20


def test_e_no_path_key_or_name_is_in_an_output(sweeps_folder: Path, exams: list[PhantomExam]) -> None:
    """There, paths and an account key stood in the source; S1 has names and dates in its tables besides."""
    folder = sweeps_folder
    private = folder.with_name(f"{folder.name}-private")
    key = (private / "key").read_bytes()
    secrets = {exam.id for exam in exams} | {exam.banner.name for exam in exams} | {"patient-1", "-infos"}
    secrets |= {f"{exam.date[:4]}-{exam.date[4:6]}-{exam.date[6:]}" for exam in exams}
    for path in folder.rglob("*"):
        content = path.name.encode() + (path.read_bytes() if path.is_file() else b"")
        assert key not in content
        assert not [secret for secret in secrets if secret.encode() in content], path.name
    for path in [*folder.rglob("*"), *private.rglob("*")]:
        assert path.is_dir() or str(folder.parent).encode() not in path.read_bytes(), path.name


def test_e_nothing_beside_the_data_is_deleted_or_left_there(sweeps_folder: Path, hearts_folder: Path) -> None:
    """There, temporary folders were deleted beside the data. `prepared` compares the source byte for byte."""
    for out in (sweeps_folder, hearts_folder):
        assert {path.name for path in out.parent.iterdir()} == {"away", out.name, f"{out.name}-private"}


def test_e_gray_is_not_converted_as_if_it_were_color(exams: list[PhantomExam], tmp_path: Path) -> None:
    """There, any DICOM went from YBR to RGB, whatever its photometric interpretation."""
    recording = open_recording(write_dicom(exams[0], tmp_path / "gray.dcm"))
    assert not recording.color
    for frame, true in zip(recording.frames(), exams[0].recording.frames(), strict=True):
        assert np.array_equal(frame.image, true.image)


def test_e_folds_are_of_patients(hearts: Archive) -> None:
    """There, folds were of videos, so that one heart was learned and tested. For any seed: as above."""
    views = {row.recording: row.label for row in hearts.labels("planes")}
    whose = patients(hearts.entries)
    for seed in range(10):
        folds = folds_by_patient(whose, k=3, seed=seed, strata=[views])
        audit({name: str(fold) for name, fold in folds.items()}, whose)
        assert {*folds.values()} == {0, 1, 2}


def parts(entries: tuple[Entry, ...]) -> dict[str, str]:
    return {entry.id: entry.split or "" for entry in entries}


def patients(entries: tuple[Entry, ...]) -> dict[str, str]:
    return {entry.id: entry.patient or "" for entry in entries}
