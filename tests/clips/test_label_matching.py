"""Rows find their recordings by id or by the end of a path; what finds none is told."""

from pathlib import Path

import pytest

from sonoplane.clips.label_matching import match_recordings
from sonoplane.clips.labels import LabelTable
from sonoplane.errors import LabelError
from sonoplane.records import Label

HERE = {
    "apex__r1": Path("apex/r1.dcm"),
    "mitral__r1": Path("mitral/r1.dcm"),
    "r2": Path("mitral/r2.AVI"),
    "e": Path("train/videos/e"),
}


def table(*names: str, start: int = 0) -> LabelTable:
    rows = (
        Label(recording=name, label="x", start=start + i, stop=start + i + 1) for i, name in enumerate(names)
    )
    return LabelTable(rows=tuple(rows), seen={names[0]: (range(9),)})


def test_a_name_is_an_id_or_the_end_of_a_path() -> None:
    matched = match_recordings(
        table("apex__r1", "apex/r1", "apex/r1.dcm", "r2.AVI", "r2", "e", "videos/e"), HERE
    )
    assert [row.recording for row in matched.table.rows] == [*["apex__r1"] * 3, "r2", "r2", "e", "e"]
    assert matched.table.notes == ()
    assert matched.table.seen == {"apex__r1": (range(9),)}


def test_case_and_folders_of_elsewhere_are_forgiven_and_told() -> None:
    matched = match_recordings(table("server/Mitral/R1.dcm", "c\\train\\videos\\e", "r2.avi"), HERE)
    assert [row.recording for row in matched.table.rows] == ["mitral__r1", "e", "r2"]
    assert (
        "letter case or folders of recordings' names were forgiven (row 2, row 3, row 4)"
        in matched.table.notes[0]
    )


def test_absent_recordings_are_told_by_row() -> None:
    matched = match_recordings(table("r2", "Doe", "Doe"), HERE, name="views.csv")
    assert matched.absent == (3, 4)
    assert matched.table.places == (2,)
    assert matched.table.notes[0].startswith(
        "views.csv: 2 rows are for recordings that are absent (row 3, row 4); name recordings by"
    )


def test_a_name_of_several_recordings_is_refused_by_row() -> None:
    with pytest.raises(LabelError, match=r"row 3: 2 recordings have this name; name it by more of its path"):
        match_recordings(table("r2", "r1"), HERE)


def test_two_names_of_one_recording_must_not_clash() -> None:
    rows = (Label(recording="r2", label="x"), Label(recording="r2.avi", label="y"))
    with pytest.raises(LabelError, match=r"row 3: 'y' for the whole recording: overlaps row 2"):
        match_recordings(LabelTable(rows=rows), HERE)


def test_a_recording_of_one_folder_is_not_taken_for_its_namesake_in_another() -> None:
    assert match_recordings(table("apex/r2.AVI", "test/e"), HERE).absent == (2, 3)
