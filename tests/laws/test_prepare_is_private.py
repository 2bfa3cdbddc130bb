"""Nothing of a patient's name, id or dates, and no pixel of a banner, is in an archive, its pages or the output."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoplane.clips.labels import write_labels
from sonoplane.frames.archive import open_archive
from sonoplane.records import Frame
from sonoplane.steps.private import open_private
from sonoplane.video.phantom import PhantomExam, PhantomSettings, simulate
from sonoplane.video.phantom_files import write_dicom
from sonoplane.video.phantom_screen import Banner


@pytest.fixture(scope="module")
def exams() -> list[PhantomExam]:
    settings = PhantomSettings(height=240, width=320, frames=20)
    simulated = simulate("liver-sweep", patients=3, exams=(1, 1), seed=11, settings=settings)
    return [of_patient(exam, f"QUOXBERG{i}^ZYLPHA", f"4711-0815-{i}") for i, exam in enumerate(simulated)]


def of_patient(exam: PhantomExam, name: str, patient_id: str) -> PhantomExam:
    """The same sweep with another patient in its banner and header."""
    banner = Banner(name=name, patient_id=patient_id, date="19870623")
    source = replace(exam.source, banner=banner)
    recording = replace(exam.recording, source=source)
    # A patient's name long enough that no compressed bytes spell it by chance.
    return replace(
        exam,
        source=source,
        banner=banner,
        date=banner.date,
        recording=recording,
        patient=f"{patient_id}-woxly",
    )


def prepared(exams: list[PhantomExam], folder: Path) -> tuple[Path, str]:
    """The archive of these exams as DICOM, with files named alike whoever the patient is; and all that was printed."""
    for i, exam in enumerate(exams):
        write_dicom(exam, folder / "cines" / f"cine{i}.dcm")
    rows = [
        replace(row, recording=f"cine{i}", patient=None)
        for i, exam in enumerate(exams)
        for row in exam.labels
    ]
    write_labels(folder / "planes.csv", rows)
    done = subprocess.run(
        [sys.executable, "-m", "sonoplane", "prepare", "cines", "--out", "archive", "--labels", "planes.csv",
         "--resolution", "source", "--workers", "1", "--debug"],
        cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "300"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "archive", done.stdout + done.stderr


def test_no_name_id_date_or_path_is_written_or_printed(exams: list[PhantomExam], tmp_path: Path) -> None:
    archive, printed = prepared(exams, tmp_path)
    pages = [path for path in (tmp_path / "archive-private").rglob("*") if path.suffix in (".html", ".jpg")]
    assert len(pages) == 1 + len(exams)
    files = [*pages, *(path for path in archive.rglob("*") if path.is_file())]
    store = open_archive(archive)
    held = b"\n".join([printed.encode(), *(str(path).removeprefix(str(tmp_path)).encode() for path in files)])
    held += b"\n".join(path.read_bytes() for path in files)
    held += b"\n".join(store.read(entry.id).tobytes() for entry in store.entries)
    for exam in exams:
        banner = exam.banner
        day = f"{banner.date[:4]}-{banner.date[4:6]}-{banner.date[6:]}"
        for secret in (
            banner.name,
            *banner.name.split("^"),
            banner.patient_id,
            banner.date,
            day,
            exam.patient,
        ):
            for spelled in (secret, secret.lower(), secret.title()):
                assert spelled.encode() not in held, secret
    assert str(tmp_path).encode() not in held


def test_another_banner_leaves_the_same_pixels(exams: list[PhantomExam], tmp_path: Path) -> None:
    """The strongest form: were there anything of the banner in the archive, it would change with the banner."""
    twins = [of_patient(exam, f"MUELLER-{i}^JO", f"W{i}") for i, exam in enumerate(exams)]
    assert not np.array_equal(first(exams[0]).image, first(twins[0]).image)
    kept = []
    for name, who in (("a", exams), ("b", twins)):
        archive, _ = prepared(who, tmp_path / name)
        names = open_private(archive).sources
        store = open_archive(archive)
        kept.append({known.recording: store.read(known.archive_id) for known in names.values()})
    assert kept[0].keys() == kept[1].keys()
    for name, pixels in kept[0].items():
        assert np.array_equal(pixels, kept[1][name])


def first(exam: PhantomExam) -> Frame:
    return next(exam.recording.frames(0, 1))
