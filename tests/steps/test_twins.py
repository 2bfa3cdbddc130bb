"""What becomes of recordings that look alike by their fingerprints."""

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sonoplane.clips.duplicates_settings import DuplicateSettings
from sonoplane.errors import SplitError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_writer import ArchiveWriter, create_archive
from sonoplane.frames.cleaning import clean
from sonoplane.frames.entries import EntryFacts
from sonoplane.frames.fingerprint import Fingerprint
from sonoplane.records import Frame, Image
from sonoplane.steps.private import open_private
from sonoplane.steps.twins import audit_twins, find_twins, review_twins
from sonoplane.steps.twins_speckle import SPECKLE
from sonoplane.video.phantom import PhantomExam

#: At this level fingerprints take most simulated patients for one.
BLIND = DuplicateSettings(alike=0.5, perhaps_alike=0.5, least_share=0.1)


def add(writer: ArchiveWriter, images: Iterable[Image], id: str) -> None:
    seen = Fingerprint(most=16)
    kept = list(images)
    for image in kept:
        seen.see(image)
    frames = [Frame(index=index, time_s=None, image=image) for index, image in enumerate(kept)]
    facts = EntryFacts(id=id, patient=f"patient of {id}", split="train")
    writer.add(facts, frames, arrays=lambda: {"fingerprint": seen.hashes})


def prepared(exam: PhantomExam) -> list[Image]:
    frames = clean(exam.recording)
    return [np.ascontiguousarray(frame.image[frames.region.box.slices]) for frame in frames]


def archive_of(recordings: dict[str, list[Image]], folder: Path) -> Archive:
    with create_archive(folder, geometry="source", settings={}) as writer:
        for id, images in recordings.items():
            add(writer, images, id)
    return open_archive(folder)


def resized(images: list[Image], width: int, height: int) -> list[Image]:
    return [cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in images]


@pytest.fixture(scope="module")
def originals(exams: list[PhantomExam]) -> dict[str, list[Image]]:
    return {exam.id: prepared(exam) for exam in exams[:4]}


def test_patients_who_look_alike_are_told_apart_by_their_speckle(
    originals: dict[str, list[Image]], tmp_path: Path
) -> None:
    archive = archive_of(originals, tmp_path / "a")
    never_looked = BLIND.model_copy(update={"least_speckle": 0.0})
    assert len(find_twins(archive, never_looked)) > 0
    assert find_twins(archive, BLIND) == ()
    audit_twins(archive, BLIND)


def test_a_changed_copy_is_found_by_the_frames_between_samples_too(
    originals: dict[str, list[Image]], tmp_path: Path
) -> None:
    """The archive keeps every second frame's fingerprint; the copy has only others."""
    name, images = next(iter(originals.items()))
    height, width = images[0].shape[:2]
    copy = resized([image[3:-3, 4:-4] for image in images[1::2]], width, height)
    archive = archive_of({**originals, "copy": copy}, tmp_path / "a")
    (pair,) = find_twins(archive, DuplicateSettings())
    assert set(pair.names) == {name, "copy"}
    assert pair.similarity > 0.5
    with pytest.raises(SplitError, match="are of two patients"):
        audit_twins(archive, DuplicateSettings())


def test_a_still_is_found_in_its_recording(originals: dict[str, list[Image]], tmp_path: Path) -> None:
    name, images = next(iter(originals.items()))
    archive = archive_of({**originals, "still": images[10:11]}, tmp_path / "a")
    (pair,) = find_twins(archive, DuplicateSettings())
    assert set(pair.names) == {name, "still"}
    assert pair.similarity > 0.9


def test_fingerprints_decide_where_frames_are_small(
    originals: dict[str, list[Image]], tmp_path: Path
) -> None:
    name, images = next(iter(originals.items()))
    with create_archive(tmp_path / "a", geometry="source", settings={}) as writer:
        add(writer, resized(images, 48, 32), name)
        add(writer, resized(images, 48, 32), "copy")
    pairs = find_twins(open_archive(tmp_path / "a"), DuplicateSettings())
    assert [replace(pair, similarity=round(pair.similarity)) for pair in pairs] == list(pairs)
    assert len(pairs) == 1


def review(folder: Path) -> None:
    private = open_private(folder, is_begun=folder.with_name(f"{folder.name}-private").exists())
    writer = create_archive(folder, geometry="source", settings={})
    review_twins(open_archive(folder), writer, private, BLIND)


@pytest.fixture(scope="module")
def measured(originals: dict[str, list[Image]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of recordings that look alike by their fingerprints, their speckle measured."""
    folder = tmp_path_factory.mktemp("measured") / "a"
    archive_of(originals, folder)
    review(folder)
    return folder


@pytest.fixture
def reviewed(measured: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(measured.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / measured.name


def claim(folder: Path, agreement: float) -> int:
    """Put another number into every row of the table, which shows who believes it; how many rows there are."""
    header, *rows = (folder / SPECKLE).read_text().splitlines()
    changed = [header, *(f"{row.partition(',')[0]},{agreement}" for row in rows)]
    (folder / SPECKLE).write_text("\n".join(changed))
    return len(rows)


def test_speckle_is_measured_once(reviewed: Path) -> None:
    assert find_twins(open_archive(reviewed), BLIND) == ()
    n_pairs = claim(reviewed, 0.9)
    assert n_pairs > 0
    believed = find_twins(open_archive(reviewed), BLIND)
    assert [pair.similarity for pair in believed] == [0.9] * n_pairs
    stricter = BLIND.model_copy(update={"least_speckle": 0.95})
    assert find_twins(open_archive(reviewed), stricter) == ()


def test_the_same_recordings_leave_the_same_table(reviewed: Path) -> None:
    before = (reviewed / SPECKLE).read_text()
    review(reviewed)
    assert (reviewed / SPECKLE).read_text() == before


def test_what_was_added_since_is_looked_at(reviewed: Path, originals: dict[str, list[Image]]) -> None:
    name, images = next(iter(originals.items()))
    with create_archive(reviewed, geometry="source", settings={}) as writer:
        add(writer, images[:20], "copy")
    (pair,) = find_twins(open_archive(reviewed), DuplicateSettings())
    assert set(pair.names) == {name, "copy"}


def test_a_recording_that_was_replaced_is_looked_at_again(
    reviewed: Path, originals: dict[str, list[Image]]
) -> None:
    """It takes the place of another, whose pairs were found to be of two patients."""
    first, second = list(originals)[:2]
    writer = create_archive(reviewed, geometry="source", settings={})
    writer.remove(second)
    with writer:
        add(writer, originals[first], second)
    (pair,) = find_twins(open_archive(reviewed), DuplicateSettings())
    assert set(pair.names) == {first, second}
    with pytest.raises(SplitError, match="are of two patients"):
        audit_twins(open_archive(reviewed), DuplicateSettings())


@pytest.mark.parametrize("text", [b"", b"\xff\x00", b'pair,agreement\nx,y\n,,,\n"'])
def test_a_damaged_table_is_passed_over(reviewed: Path, text: bytes) -> None:
    (reviewed / SPECKLE).write_bytes(text)
    assert find_twins(open_archive(reviewed), DuplicateSettings()) == ()
