"""The label table: what is read, what is forgiven, what is refused and how."""

from pathlib import Path

import numpy as np
import polars
import pytest

from sonoplane.clips.labels import classes_of, frame_labels, read_labels, write_labels
from sonoplane.errors import LabelError
from sonoplane.records import Label

HEAD = "recording,start,stop,label\n"
ROWS = (
    Label(recording="a", label="kidney", start=0, stop=4, patient="p1", split="train"),
    Label(recording="a", label="background", start=4, stop=9, patient="p1", split="train"),
    Label(recording="ü, b", label="kidney", patient="p2", centre="x"),
)


def table(folder: Path, text: str, *, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(LabelError) as caught:
        read_labels(table(folder, text))
    return [line.strip() for line in str(caught.value).splitlines() if line.startswith("  ")]


@pytest.mark.parametrize("name", ["labels.csv", "labels.parquet"])
def test_a_written_table_reads_back(tmp_path: Path, name: str) -> None:
    write_labels(tmp_path / "new" / name, ROWS)
    read = read_labels(tmp_path / "new" / name)
    assert read.rows == ROWS
    assert read.notes == ()
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


def test_writing_an_empty_table_reads_back_empty(tmp_path: Path) -> None:
    for name in ("labels.csv", "labels.parquet"):
        write_labels(tmp_path / name, [])
        assert read_labels(tmp_path / name).rows == ()


def test_a_failed_write_leaves_the_old_table(tmp_path: Path) -> None:
    path = table(tmp_path, HEAD)
    with pytest.raises(UnicodeEncodeError):
        write_labels(path, [Label(recording="\ud800", label="x")])
    assert path.read_text() == HEAD
    assert list(tmp_path.iterdir()) == [path]


def test_blanks_and_case_are_forgiven_and_told(tmp_path: Path) -> None:
    text = "\ufeffRecording ,start,stop,label\r\na,0,5,Kidney \r\n\r\na, 5,9,kidney\r\nb,,,kidney\r\n"
    read = read_labels(table(tmp_path, text))
    assert [(row.label, row.start, row.stop) for row in read.rows] == [
        ("kidney", 0, 5),
        ("kidney", 5, 9),
        ("kidney", None, None),
    ]
    assert read.notes == (
        "The header's case or blanks were put right.",
        "Blanks around the cells of 2 rows were dropped.",
        "'Kidney' was read as label 'kidney' in 1 row.",
    )


def test_semicolons_and_whole_floats_are_read(tmp_path: Path) -> None:
    read = read_labels(table(tmp_path, "recording;start;stop;label\na;0.0;12.0;x, y\n"))
    assert read.rows == (Label(recording="a", label="x, y", start=0, stop=12),)


def test_parquet_of_floats_and_nulls_is_read(tmp_path: Path) -> None:
    columns = {"recording": ["a", "b"], "start": [0.0, None], "stop": [3.0, None], "label": ["x", "y"]}
    polars.DataFrame(columns).write_parquet(tmp_path / "labels.parquet")
    rows = read_labels(tmp_path / "labels.parquet").rows
    assert rows == (Label(recording="a", label="x", start=0, stop=3), Label(recording="b", label="y"))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a,5,5,x", "row 2: start 5 is not below stop 5; stop is exclusive, so give start < stop"),
        ("a,-1,5,x", "row 2: start -1 is negative; frames count from 0"),
        ("a,1.5,5,x", "row 2: start is no whole number; give a frame index, counted from 0"),
        ("a,0,Doe,x", "row 2: stop is no whole number; give a frame index, counted from 0"),
        (
            "a,3,,x",
            "row 2: only one of start and stop is given; give both, or neither for the whole recording",
        ),
        ("a,0,5, ", "row 2: label empty; fill in or delete the row"),
        (",0,5,x", "row 2: recording empty; fill in or delete the row"),
        ("a,0", "row 2: label empty; fill in or delete the row"),
        ("a,0,5,x,y", "row 2: 5 cells under 4 columns; put quotes around a cell that holds the separator"),
        ("a,0,5,x\n\na,0,5,X", "row 4: the same as row 2; delete one of them"),
        (
            "a,0,5,x\na,4,6,y",
            "row 3: 'y' for frames 4 to 6: overlaps row 2 ('x' for frames 0 to 5); a frame has one label",
        ),
        (
            "a,,,x\nb,,,x\na,4,6,y",
            "row 4: 'y' for frames 4 to 6: overlaps row 2 ('x' for the whole recording)",
        ),
        ("a,0,90,x\na,1,2,y\na,80,85,y", "row 4: 'y' for frames 80 to 85: overlaps row 2"),
    ],
)
def test_a_wrong_row_is_named_with_what_to_do(tmp_path: Path, row: str, told: str) -> None:
    assert faults(tmp_path, HEAD + row + "\n")[-1].startswith(told)


def test_a_recording_has_one_patient_spelt_one_way(tmp_path: Path) -> None:
    text = "recording,start,stop,label,patient\na,0,1,x,p1\na,1,2,x,p2\nb,0,1,x,P1\n"
    assert faults(tmp_path, text) == [
        "row 3: another patient than in row 2; a recording has one patient",
        "row 4: the patient of row 2 but for its case; spell a patient one way",
    ]


def test_all_wrong_rows_are_told_but_twenty_are_shown(tmp_path: Path) -> None:
    lines = faults(tmp_path, HEAD + "a,0,0,x\n" * 33)
    assert len(lines) == 21
    assert lines[-1] == "and 13 more"


def test_no_error_quotes_a_recording_or_a_patient(tmp_path: Path) -> None:
    text = (
        "recording,start,stop,label,patient\nDoe,0,9,x,Jane\nDoe,5,9,y,JANE\nDoe,Doe,1,y,Jim\nDoe,9,9,,Jim\n"
    )
    told = " ".join(faults(tmp_path, text)).lower()
    assert told
    assert not {"doe", "jane", "jim"} & set(told.replace("'", " ").split())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "labels.csv has no header."),
        ("recording,start,stop\n", "column 'label' is missing"),
        (HEAD.strip() + ",center\n", r"column 5 is unknown \(did you mean 'centre'\?\)"),
        ("recording,start,start,stop,label\n", "column 'start' occurs twice"),
    ],
)
def test_a_header_that_does_not_fit_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(LabelError, match=told):
        read_labels(table(tmp_path, text))


def test_a_file_that_is_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(HEAD.encode() + b"J\xfcrgen,0,1,x\n")
    with pytest.raises(LabelError, match=r"latin\.csv is not UTF-8"):
        read_labels(tmp_path / "latin.csv")
    with pytest.raises(LabelError, match=r"^gone\.csv cannot be read: No such file"):
        read_labels(tmp_path / "gone.csv")
    with pytest.raises(LabelError, match=r"not a readable Parquet"):
        read_labels(table(tmp_path, HEAD, name="text.parquet"))
    with pytest.raises(LabelError, match=r"^gone\.parquet cannot be read|not a readable Parquet"):
        read_labels(tmp_path / "gone.parquet")


def test_classes_are_sorted_with_the_background_first() -> None:
    assert classes_of(ROWS) == ("background", "kidney")
    assert classes_of(ROWS, background="kidney") == ("kidney", "background")


def test_frames_get_their_class_and_the_rest_minus_one() -> None:
    classes = ("background", "kidney")
    assert frame_labels(ROWS, "a", 11, classes).tolist() == [1] * 4 + [0] * 5 + [-1] * 2
    assert frame_labels(ROWS, "ü, b", 3, classes).tolist() == [1, 1, 1]
    assert frame_labels(ROWS, "none", 2, classes).tolist() == [-1, -1]
    assert frame_labels(ROWS, "a", 11, classes).dtype == np.int64


def test_labels_past_the_end_or_of_no_class_are_told_together() -> None:
    with pytest.raises(LabelError) as caught:
        frame_labels(ROWS, "a", 8, ("kidneys", "background"))
    assert "row 1: 'kidney' for frames 0 to 4: no such class (did you mean 'kidneys'?)" in str(caught.value)
    assert "row 2: 'background' for frames 4 to 9: the recording ends after 8 frames; give stop <= 8" in str(
        caught.value
    )
