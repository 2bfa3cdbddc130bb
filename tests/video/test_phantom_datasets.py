"""Whole simulated data sets have the layouts of the research groups."""

import csv
import json

import pytest

from sonoplane.errors import UsageError
from sonoplane.video.phantom import PhantomSettings, classes_of, simulate
from sonoplane.video.phantom_datasets import (
    write_e1_layout,
    write_labels_csv,
    write_s1_frames_layout,
    write_s1_layout,
)

SHORT = PhantomSettings(frames=20)


@pytest.fixture(scope="module")
def sweeps():
    return list(simulate("liver-sweep", patients=3, seed=1, settings=SHORT))


@pytest.fixture(scope="module")
def s1(sweeps, tmp_path_factory):
    return write_s1_layout(sweeps, tmp_path_factory.mktemp("s1"))


def test_s1_has_a_label_beside_every_frame(s1, sweeps) -> None:
    for exam in sweeps:
        split = "test" if exam.patient == "p02" else "train"
        for frame in range(20):
            name = f"{exam.id}_{frame:03d}"
            assert (s1 / split / "videos" / exam.id / f"{name}.png").is_file()
            text = (s1 / split / "labels" / exam.id / f"{name}.txt").read_text().strip()
            assert text == exam.label(frame)


def test_s1_has_its_tables_and_nothing_else(s1, sweeps) -> None:
    names = {path.name for path in s1.iterdir()}
    assert names == {"train", "test", "classes.json", "exams.json", "train-infos.csv", "test-infos.csv"}
    classes = json.loads((s1 / "classes.json").read_text())
    assert classes == {name: i for i, name in enumerate(classes_of("liver-sweep"))}
    exams = json.loads((s1 / "exams.json").read_text())
    assert exams == [[e.id for e in sweeps if e.patient == p] for p in ("p00", "p01", "p02")]
    with (s1 / "test-infos.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    tested = [exam for exam in sweeps if exam.patient == "p02"]
    assert list(rows[0]) == ["id-video", "name-video", "name-cvat", "date"]
    assert [row["name-cvat"].split("-")[0] for row in rows] == [exam.centre for exam in tested]


def test_s1_needs_an_exam(tmp_path) -> None:
    with pytest.raises(UsageError, match="at least one patient"):
        write_s1_layout([], tmp_path)


@pytest.mark.parametrize(("files", "ending"), [("dicom", "dcm"), ("avi", "avi")])
def test_e1_is_one_folder_for_each_view(tmp_path, files, ending) -> None:
    hearts = list(simulate("echo-views", patients=1, exams=(6, 6), settings=SHORT))
    write_e1_layout(hearts, tmp_path, files=files)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert found == {f"{exam.label(0)}/{exam.id}.{ending}" for exam in hearts}
    assert {path.name for path in tmp_path.iterdir()} == set(classes_of("echo-views"))


def test_e1_frames_lie_side_by_side(tmp_path) -> None:
    hearts = list(simulate("echo-views", patients=2, exams=(2, 2), settings=SHORT))
    write_e1_layout(hearts, tmp_path, files="jpeg")
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert found == {f"{exam.label(0)}/{exam.id}_{n}.jpg" for exam in hearts for n in range(20)}


def test_the_frames_of_s1_lie_under_their_class_numbers(tmp_path, sweeps) -> None:
    write_s1_frames_layout(sweeps, tmp_path)
    numbers = json.loads((tmp_path / "classes.json").read_text())
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    assert found == {
        f"{'test' if exam.patient == 'p02' else 'train'}/{numbers[exam.label(n)]}/{exam.id}_{n:03d}.png"
        for exam in sweeps
        for n in range(20)
    }


def test_the_label_table_has_a_row_for_each_run(sweeps, tmp_path) -> None:
    path = write_labels_csv(sweeps, tmp_path / "labels.csv", splits={"p00": "train"})
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(exam.labels) for exam in sweeps)
    assert list(rows[0]) == ["recording", "start", "stop", "label", "patient", "centre", "split"]
    assert {row["split"] for row in rows if row["patient"] == "p00"} == {"train"}


def test_a_whole_recordings_label_has_no_frames(tmp_path) -> None:
    path = write_labels_csv(simulate("echo-views", patients=1, exams=(1, 1)), tmp_path / "labels.csv")
    with path.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["start"], row["stop"]) == ("", "")
