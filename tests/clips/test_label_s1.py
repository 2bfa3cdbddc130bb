"""The layout of exams with a text file per frame, and the split by class numbers made from it."""

import json
from pathlib import Path

import pytest

from sonoplane.clips.label_sources import read_label_source
from sonoplane.clips.labels import classes_of, frame_labels
from sonoplane.errors import LabelError
from sonoplane.video.phantom import PhantomExam
from sonoplane.video.phantom_datasets import split_patients, write_s1_layout


def exam(root: Path, name: str, words: list[str], *, part: str = "train", first: int = 0) -> None:
    for kind in ("labels", "videos"):
        (root / part / kind / name).mkdir(parents=True, exist_ok=True)
    for number, word in enumerate(words, start=first):
        (root / part / "labels" / name / f"{name}_{number:03d}.txt").write_text(word)
        (root / part / "videos" / name / f"{name}_{number:03d}.png").write_bytes(b"\x89PNG")


def write(root: Path, classes: object, patients: object, infos: str) -> None:
    (root / "classes.json").write_text(json.dumps(classes))
    (root / "exams.json").write_text(json.dumps(patients))
    (root / "train-infos.csv").write_text(f"id-video,name-video,name-cvat,date\n{infos}")


def test_the_phantoms_layout_gives_its_labels_patients_centres_and_split(
    exams: list[PhantomExam], tmp_path: Path
) -> None:
    table = read_label_source(write_s1_layout(exams[:3], tmp_path / "s1"))
    assert table.notes == ()
    classes, parts = classes_of(table.rows), split_patients(exams[:3])
    for one in exams[:3]:
        rows = [row for row in table.rows if row.recording == one.id]
        n_frames = one.recording.n_frames or 0
        assert [classes[i] for i in frame_labels(rows, one.id, n_frames, classes)] == [
            one.label(frame) for frame in range(n_frames)
        ]
        assert {(row.centre, row.split) for row in rows} == {(one.centre, parts[one.patient])}
    assert len({row.patient for row in table.rows}) == 3


def test_any_number_of_exams_and_classes_will_do(tmp_path: Path) -> None:
    exam(tmp_path, "a", ["x"])
    exam(tmp_path, "b", ["y", "y"])
    exam(tmp_path, "c", ["z"], part="test")
    write(tmp_path, {"x": 0, "y": 1, "z": 7}, [["a", "b"], ["c"]], "0,a,one-1,\n1,b,one-2,\n2,c,two-x-y,\n")
    rows = read_label_source(tmp_path).rows
    assert [(row.recording, row.patient, row.centre, row.split) for row in rows] == [
        ("c", "patient-2", "two", "test"),
        ("a", "patient-1", "one", "train"),
        ("b", "patient-1", "one", "train"),
    ]


def test_a_frame_is_counted_among_the_images_whatever_its_number(tmp_path: Path) -> None:
    exam(tmp_path, "a", ["x", "x", "y"], first=998)  # 998, 999, 1000: not in the order of text
    (tmp_path / "train" / "labels" / "a" / "a_999.txt").unlink()
    table = read_label_source(tmp_path)
    assert [(row.label, row.start, row.stop) for row in table.rows] == [("x", 0, 1), ("y", 2, 3)]
    assert "1 of 3 frames have no text file and stay unlabelled (train: a)." in table.notes


def test_missing_tables_are_noted(tmp_path: Path) -> None:
    exam(tmp_path, "a", ["x"])
    assert read_label_source(tmp_path).notes == (
        "There is no classes.json: any class is taken.",
        "There is no exams.json: patients must be told in another way.",
        "There is no *-infos.csv: the centres are not known.",
    )


def test_blanks_and_case_in_text_files_are_forgiven_and_told(tmp_path: Path) -> None:
    exam(tmp_path, "a", ["Kidney \r\n", "kidney"])
    write(tmp_path, {"kidney": 0}, [["a"]], "0,a,one-1,\n")
    table = read_label_source(tmp_path)
    assert [(row.label, row.start, row.stop) for row in table.rows] == [("kidney", 0, 2)]
    assert table.notes[1] == "'Kidney' was read as 'kidney' in 1 label (train: a_000.txt)."


def test_broken_tables_beside_the_frames_are_told_together(tmp_path: Path) -> None:
    exam(tmp_path, "a", ["x"])
    (tmp_path / "classes.json").write_text('{"x": 0')
    (tmp_path / "exams.json").write_text('{"a": 3}')
    (tmp_path / "train-infos.csv").write_text("name\na\n")
    with pytest.raises(LabelError) as caught:
        read_label_source(tmp_path)
    for told in (
        "classes.json: not whole JSON, line 1",
        "exams.json[0]: no list of exams",
        "infos.csv: columns are",
    ):
        assert told in str(caught.value)


def prepared(root: Path, *places: str) -> Path:
    for place in places:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(b"\x89PNG")
    return root


def test_a_prepared_split_labels_every_frame_of_an_exam(tmp_path: Path) -> None:
    frames = ("train/0/a_9.png", "train/1/a_10.png", "train/1/a_12.png", "train/0/a_30.png")
    root = prepared(tmp_path / "split", *frames, "test/1/b_000.png", "test/1/still.png", "test/1/note.txt")
    (tmp_path / "classes.json").write_text('{"background": 0, "kidney": 1}')
    (tmp_path / "exams.json").write_text('[["a"], ["b", "still"]]')
    (tmp_path / "test-infos.csv").write_text("id-video,name-video,name-cvat,date\n0,b,north-1,2020-01-01\n")
    rows = read_label_source(root).rows
    assert {(r.recording, r.label, r.start, r.stop) for r in rows} == {
        ("train/a", "background", 0, 1),
        ("train/a", "kidney", 1, 3),
        ("train/a", "background", 3, 4),
        ("test/b", "kidney", 0, 1),
        ("test/1/still.png", "kidney", None, None),
    }
    assert {(r.recording, r.patient, r.centre, r.split) for r in rows} == {
        ("train/a", "patient-1", None, "train"),
        ("test/b", "patient-2", "north", "test"),
        ("test/1/still.png", "patient-2", None, "test"),
    }


def test_a_frame_in_two_classes_of_a_prepared_split_is_told(tmp_path: Path) -> None:
    prepared(tmp_path, "train/0/a_1.png", "train/1/a_1.png", "train/1/a_2.png")
    with pytest.raises(LabelError, match=r"train/1/a_1\.png: .* lies at train/0/a_1\.png too; delete one"):
        read_label_source(tmp_path)


def test_a_class_number_without_a_name_is_told(tmp_path: Path) -> None:
    prepared(tmp_path, "train/0/a_1.png", "train/3/a_2.png")
    (tmp_path / "classes.json").write_text('{"background": 0}')
    with pytest.raises(LabelError, match=r"train/3: there is no class 3; add it to classes\.json"):
        read_label_source(tmp_path)


def test_class_numbers_are_classes_where_nothing_names_them(tmp_path: Path) -> None:
    prepared(tmp_path, "train/0/a_1.png", "train/3/a_2.png")
    assert [row.label for row in read_label_source(tmp_path).rows] == ["0", "3"]
