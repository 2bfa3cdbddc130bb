import shutil
from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import DamagedRecording, SonoplaneError
from sonoplane.frames.archive import open_archive
from sonoplane.frames.archive_writer import create_archive
from sonoplane.frames.entries import EntryFacts
from sonoplane.records import Label
from tests.frames.archives import COLOR, SETTINGS, frames_of, write_archive

AGAIN = "Delete its folder and prepare it again."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_archive(tmp_path / "archive")
    return tmp_path / "archive"


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= 16
    path.write_bytes(content)


def test_a_sound_archive_has_no_problems(folder: Path):
    assert open_archive(folder).verify() == []


@pytest.mark.parametrize("array", ["pixels", "times_s", "subsample", "fingerprint"])
@pytest.mark.parametrize("harm", ["flip", "cut", "lose"])
def test_every_chunk_that_is_harmed_is_found(folder: Path, array: str, harm: str):
    for chunk in files_of(folder / "recordings" / "gray" / array / "c"):
        whole = chunk.read_bytes()
        if harm == "flip":
            flip(chunk, len(whole) // 2)
        elif harm == "cut":
            chunk.write_bytes(whole[:-3])
        else:
            chunk.unlink()
        (problem,) = open_archive(folder).verify()
        assert problem == f"Recording 'gray' of the archive is damaged. {AGAIN}"
        chunk.write_bytes(whole)


def test_a_lost_chunk_is_never_read_as_black(folder: Path):
    (folder / "recordings" / "gray" / "pixels" / "c" / "1" / "0" / "0").unlink()
    archive = open_archive(folder)
    archive.read("gray", 0, 16)
    with pytest.raises(DamagedRecording, match="'gray' of the archive is damaged"):
        archive.read("gray", 10, 20)
    with pytest.raises(DamagedRecording, match="'gray' of the archive is damaged"):
        archive.read_frames("gray", [16])


def test_lost_recordings_and_arrays_are_found(folder: Path):
    shutil.rmtree(folder / "recordings" / "color")
    shutil.rmtree(folder / "recordings" / "gray" / "subsample")
    assert open_archive(folder).verify() == [
        "Recording 'color' is in the manifest but not in the archive. Prepare it again.",
        f"The array 'subsample' of recording 'gray' is not the one that was written. {AGAIN}",
    ]


def test_what_another_recording_left_is_found(folder: Path, tmp_path: Path):
    for part in ("pixels", "times_s"):
        shutil.rmtree(folder / "recordings" / "gray" / part)
        shutil.copytree(folder / "recordings" / "color" / part, folder / "recordings" / "gray" / part)
    (problem,) = open_archive(folder).verify()
    assert (
        problem
        == f"Recording 'gray' of the archive is damaged: its array 'pixels' has the wrong length. {AGAIN}"
    )
    shutil.rmtree(folder / "recordings" / "gray")
    shutil.copytree(folder / "recordings" / "color", folder / "recordings" / "gray")
    (problem,) = open_archive(folder).verify()
    assert problem.startswith("Recording 'gray' of the archive is damaged.")


def test_a_recording_that_the_manifest_does_not_tell_is_found(folder: Path):
    writer = create_archive(folder, geometry="source", settings=SETTINGS)
    writer.add(EntryFacts(id="new"), frames_of(COLOR))
    assert open_archive(folder).verify() == [
        "Recording 'new' is not in the manifest. Run the same preparation again to finish it."
    ]
    writer.remove("color")
    writer.add(EntryFacts(id="color"), frames_of(COLOR))
    assert open_archive(folder).verify()[0] == (
        f"The manifest and the folder of recording 'color' say different things. {AGAIN}"
    )


def test_labels_without_recordings_and_past_the_end_are_found(folder: Path):
    writer = create_archive(folder, geometry="source", settings=SETTINGS)
    rows = [Label(recording="gone", label="liver"), Label(recording="gray", label="liver", start=30, stop=38)]
    writer.add_labels("plane", rows)
    absent, past = open_archive(folder).verify()
    assert absent.startswith(
        "The labels of 'plane' hold 1 rows of recording 'gone', which is not in the archive."
    )
    assert past.startswith("The labels of 'plane' hold 1 rows past the last frame of recording 'gray'.")
    (folder / "labels" / "plane.parquet").write_bytes(b"PAR1")
    assert open_archive(folder).verify() == [
        "The labels of the task 'plane' are damaged. Prepare the archive again with them."
    ]


def test_no_damage_crashes_the_check(folder: Path):
    draw = np.random.default_rng(0)
    for file in files_of(folder):
        whole = file.read_bytes()
        for at in draw.integers(len(whole), size=3):
            for harm in (whole[:at], whole[:at] + bytes([whole[at] ^ 32]) + whole[at + 1 :], b"{}", b"[1]"):
                file.write_bytes(harm)
                try:
                    told = " ".join(open_archive(folder).verify())
                except SonoplaneError as error:
                    told = str(error)
                assert str(folder) not in told
        file.write_bytes(whole)
