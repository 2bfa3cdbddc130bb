"""Folders and tables of classes: one label for each whole recording."""

from pathlib import Path

import pytest

from sonoplane.clips.label_sources import read_label_source
from sonoplane.clips.labels import LabelTable
from sonoplane.errors import LabelError
from sonoplane.records import Label


def tree(root: Path, *places: str) -> Path:
    for number, place in enumerate(places, start=1):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(b"x" * number)
    return root


def table(folder: Path, text: str, name: str = "classes.txt") -> LabelTable:
    (folder / name).write_text(text, encoding="utf-8")
    return read_label_source(folder / name)


def test_files_and_folders_of_frames_are_recordings(tmp_path: Path) -> None:
    frames = [f"apex/r2/f_{n}.png" for n in (1, 2)]
    tree(tmp_path, "apex/r1.dcm", *frames, "mitral/r3.avi", "mitral/readme.txt", "notes.txt")
    assert read_label_source(tmp_path).rows == (
        Label(recording="apex/r1.dcm", label="apex"),
        Label(recording="apex/r2", label="apex"),
        Label(recording="mitral/r3.avi", label="mitral"),
    )


def test_numbered_frames_side_by_side_are_one_recording(tmp_path: Path) -> None:
    tree(
        tmp_path,
        *(f"apex/v1_{n}.jpg" for n in (9, 10, 12)),
        "apex/v2_1.jpg",
        "apex/v2_2.jpg",
        "apex/one_4.jpg",
    )
    read = read_label_source(tmp_path)
    assert {row.recording for row in read.rows} == {"apex/v1", "apex/v2", "apex/one_4.jpg"}
    assert read.notes == (
        "1 of 4 frame numbers are missing; copy them again, unless the frames were thinned out (apex/v1_9.jpg).",
    )


def test_one_video_in_a_class_is_called_as_those_of_the_other_classes_are(tmp_path: Path) -> None:
    videos = {"apex": ("v1", "v2"), "mitral": ("v3",), "2CH": ("2CH",)}
    tree(
        tmp_path,
        *(f"{view}/{name}_{n}.jpg" for view, names in videos.items() for name in names for n in range(3)),
    )
    assert [row.recording for row in read_label_source(tmp_path).rows] == [
        "2CH",
        "apex/v1",
        "apex/v2",
        "mitral/v3",
    ]


def test_where_each_class_holds_one_video_it_is_called_as_its_folder(tmp_path: Path) -> None:
    tree(tmp_path, *(f"{place}_{n}.jpg" for place in ("apex/v1", "mitral/v2") for n in range(3)))
    assert [row.recording for row in read_label_source(tmp_path).rows] == ["apex", "mitral"]


def test_an_image_that_is_no_frame_gets_no_label(tmp_path: Path) -> None:
    tree(tmp_path, *(f"apex/v1_{n}.jpg" for n in range(3)), "apex/logo.png")
    read = read_label_source(tmp_path)
    assert [row.recording for row in read.rows] == ["apex"]
    assert read.notes == (
        "Images without a number beside numbered frames are no recordings (apex/logo.png).",
    )


def test_a_frame_may_repeat_but_not_a_whole_recording(tmp_path: Path) -> None:
    places = [f"{video}_{n}.jpg" for video in ("apex/v1", "apex/v2", "mitral/v3") for n in range(3)]
    tree(tmp_path, *places)
    for video in ("apex/v2", "mitral/v3"):
        (tmp_path / f"{video}_0.jpg").write_bytes((tmp_path / "apex/v1_0.jpg").read_bytes())
    assert len(read_label_source(tmp_path).rows) == 3
    for n in range(3):
        (tmp_path / f"mitral/v3_{n}.jpg").write_bytes((tmp_path / f"apex/v1_{n}.jpg").read_bytes())
    with pytest.raises(LabelError, match=r"mitral/v3_0\.jpg: the same content as apex/v1_0\.jpg"):
        read_label_source(tmp_path)


def test_class_folders_may_lie_in_parts(tmp_path: Path) -> None:
    tree(tmp_path, "train/apex/r1.dcm", "val/apex/r2.dcm")
    assert [(row.recording, row.split) for row in read_label_source(tmp_path).rows] == [
        ("train/apex/r1.dcm", "train"),
        ("val/apex/r2.dcm", "validation"),
    ]


def test_recordings_of_one_name_in_two_classes_are_two(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "apex/v_1.jpg",
        "apex/v_2.jpg",
        "mitral/v_1.jpg",
        "mitral/v_2.jpg",
        "apex/a.dcm",
        "mitral/a.dcm",
    )
    assert len(read_label_source(tmp_path).rows) == 4


@pytest.mark.parametrize(
    "text",
    [
        "s1 a.dcm apex\ns1   b.dcm mitral\n",
        "folder\tfile\tclass\ns1\ta.dcm\tapex\n\ns1\tb.dcm\tmitral\n",
        "Class,File,Folder\napex,a.dcm,s1\nmitral,b.dcm,s1\n",
        "\ufeffs1;a.dcm;apex\r\ns1/;b.dcm;mitral\r\n",
        "folder,file,class,reader\ns1,a.dcm,apex,me\ns1,b.dcm,mitral,you\n",
        'folder file class\ns1 "a.dcm" apex\n./s1 b.dcm mitral\n',
    ],
)
def test_a_class_table_is_read_however_it_is_written(tmp_path: Path, text: str) -> None:
    assert table(tmp_path, text).rows == (
        Label(recording="s1/a.dcm", label="apex"),
        Label(recording="s1/b.dcm", label="mitral"),
    )


def test_a_class_table_knows_its_rows(tmp_path: Path) -> None:
    read = table(tmp_path, "folder,file,class\ns1,a.dcm,Apex \ns1,b.dcm,Apex\ns1,c.dcm,apex\n")
    assert read.places == (2, 3, 4)
    assert read.notes == (
        "Blanks around the names of 1 label were dropped (row 2).",
        "'apex' was read as 'Apex' in 1 label (row 4).",
    )


def test_a_table_that_is_neither_is_told_what_a_label_table_has(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="column 'start' is missing"):
        table(tmp_path, "recording,label,patient\na,x,p\n")
    with pytest.raises(LabelError, match=r"has no header|does not fit"):
        table(tmp_path, "some words\n")
