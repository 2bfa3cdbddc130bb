"""The recordings that discovery finds in a layout of classes are those that its labels are for, frame by frame."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sonoplane.clips.label_frames import lies_loose as lies_loose_for_labels
from sonoplane.clips.label_frames import recordings_among as recordings_for_labels
from sonoplane.clips.label_matching import match_recordings
from sonoplane.clips.label_sources import read_label_source
from sonoplane.clips.labels import LabelTable, classes_of, frame_labels
from sonoplane.errors import LabelError
from sonoplane.video.discovery import Found, find_recordings
from sonoplane.video.numbering import lies_loose, recordings_among
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomExam, PhantomSettings, simulate
from sonoplane.video.phantom_datasets import write_e1_layout, write_s1_frames_layout, write_s1_layout

VIDEOS = st.sampled_from(["v1", "v2", "apex", "p0-e1", "1.2.840"])
FRAMES = st.builds("{}{}{}.{}".format, VIDEOS, st.sampled_from("_-"), st.integers(0, 12), st.just("jpg"))
OTHERS = st.sampled_from(["logo.png", "f2.png", "f10.png", "r1.dcm", "r2.avi", "note.txt", "f1_x.png"])
NAMES = st.lists(st.one_of(FRAMES, FRAMES, FRAMES, OTHERS), min_size=1, max_size=9, unique=True)
QUICK = settings(max_examples=50, deadline=None)


def fill(root: Path, tree: dict[str, list[str]]) -> None:
    for folder, names in tree.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            (root / folder / name).write_text(f"{folder}/{name}")


@QUICK
@given(NAMES, st.booleans())
def test_both_rooms_name_the_recordings_of_a_folder_alike(names: list[str], loose: bool) -> None:
    for folder in ("v1", "apex"):
        found = recordings_among(names, folder=folder, loose=loose)
        assert found == recordings_for_labels(names, folder=folder, loose=loose)
        assert all(frames for frames in found.values())
    assert lies_loose(names) == lies_loose_for_labels(names)


@QUICK
@example({"apex": ["v1_0.jpg", "v1_1.jpg"], "mitral": ["apex_1.jpg", "apex-0.jpg"]}, ("",))
@given(
    st.dictionaries(st.sampled_from(["apex", "mitral", "2CH", "apex/old", "apex/new"]), NAMES, min_size=1),
    st.sampled_from([("",), ("train/", "test/")]),
)
def test_labels_of_class_folders_are_for_all_recordings_that_are_found(
    tree: dict[str, list[str]], parts: tuple[str, ...]
) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        fill(root, {f"{part}{place}": names for part in parts for place, names in tree.items()})
        found = {item.id: item for item in find_recordings([root])}
        try:
            table = read_label_source(root)
        except LabelError:
            return  # torn recordings, folders without any, the same number twice
        matched = match_recordings(table, {id_: Path(item.below) for id_, item in found.items()})
        labels = {row.recording: row.label for row in matched.table.rows}
        assert not matched.absent
        assert labels.keys() == found.keys()
        for id_, label in labels.items():
            assert label == PurePosixPath(found[id_].below).parts[len(parts) > 1]


@QUICK
@given(st.lists(st.tuples(VIDEOS, st.integers(0, 999), st.integers(0, 3)), min_size=1, max_size=20))
def test_frames_of_a_prepared_split_have_the_class_of_their_folder(
    frames: list[tuple[str, int, int]],
) -> None:
    place = {(exam, number): class_ for exam, number, class_ in frames}
    with TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        tree: dict[str, list[str]] = {}
        for (exam, number), class_ in place.items():
            tree.setdefault(f"train/{class_}", []).append(f"{exam}_{number:02d}.png")
        fill(root, tree)
        found = {item.id: item for item in find_recordings([root])}
        matched = match_recordings(
            read_label_source(root), {id_: Path(item.below) for id_, item in found.items()}
        )
        assert not matched.absent
        classes = {
            (row.recording, frame): row.label
            for row in matched.table.rows
            for frame in range(row.start or 0, row.stop or 0)
        }
        assert classes == {
            (id_, index): frame.parent.name
            for id_, item in found.items()
            for index, frame in enumerate(item.frames)
        }
        for item in found.values():
            numbers = [int(frame.stem.rpartition("_")[2]) for frame in item.frames]
            assert numbers == sorted(numbers)


def labelled(root: Path) -> dict[str, tuple[Found, LabelTable]]:
    """By the last part of its path: what was found, and its labels."""
    found = find_recordings([root])
    table = match_recordings(read_label_source(root), {item.id: Path(item.below) for item in found}).table
    assert {row.recording for row in table.rows} == {item.id for item in found}
    return {Path(item.below).name.partition(".")[0]: (item, table) for item in found}


def truth(exam: PhantomExam) -> list[str]:
    return [exam.label(frame) for frame in range(exam.recording.n_frames or 0)]


def read(item: Found, table: LabelTable) -> tuple[list[np.ndarray], list[str]]:
    """The frames of a recording, and the class of each."""
    recording = open_recording(item.path, frames=item.frames)
    images = [frame.image for frame in recording.frames()]
    rows = [row for row in table.rows if row.recording == item.id]
    classes = classes_of(rows)
    return images, [classes[i] for i in frame_labels(rows, item.id, len(images), classes)]


@pytest.fixture(scope="module")
def sweeps() -> list[PhantomExam]:
    settings = PhantomSettings(height=161, width=203, frames=20)
    return list(simulate(patients=2, exams=(1, 2), seed=2, settings=settings))


@pytest.mark.parametrize("write", [write_s1_layout, write_s1_frames_layout])
def test_every_frame_of_a_sweep_has_its_own_class(
    sweeps: list[PhantomExam], tmp_path: Path, write: Callable[..., Path]
) -> None:
    found = labelled(write(sweeps, tmp_path / "data"))
    assert found.keys() == {exam.id for exam in sweeps}
    for exam in sweeps:
        images, labels = read(*found[exam.id])
        assert labels == truth(exam)
        for index in (0, 9, 10, 19):
            (frame,) = exam.recording.frames(index, index + 1)
            assert np.array_equal(images[index], frame.image)


@pytest.mark.parametrize("files", ["dicom", "avi", "jpeg"])
def test_every_heart_has_its_view(tmp_path: Path, files: Literal["dicom", "avi", "jpeg"]) -> None:
    settings = PhantomSettings(height=161, width=203, frames=20)
    hearts = list(simulate("echo-views", patients=2, exams=(3, 3), seed=2, settings=settings))
    found = labelled(write_e1_layout(hearts, tmp_path / "data", files=files))
    assert found.keys() == {exam.id for exam in hearts}
    for exam in hearts:
        images, labels = read(*found[exam.id])
        assert labels == truth(exam)
        (last,) = exam.recording.frames(19, 20)
        shown = images[19][:161, :203].astype(int).reshape(161, 203, -1)
        assert np.abs(shown - last.image[..., None]).mean() < 8
