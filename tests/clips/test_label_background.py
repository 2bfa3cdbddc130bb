"""Unlabelled frames of an exhaustive source become background; of others they stay unlabelled."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoplane.clips.label_sources import read_label_source
from sonoplane.clips.labels import LabelTable, fill_background, frame_labels
from sonoplane.errors import LabelError
from sonoplane.records import Label

ROW = Label(recording="a", label="kidney", start=2, stop=4, patient="p", centre="c", split="train")


def filled(
    n_frames: int, seen: dict[str, tuple[range, ...]] | None = None, *rows: Label
) -> list[tuple[int, ...]]:
    table = fill_background(LabelTable(rows=rows or (ROW,), seen=seen or {}), {"a": n_frames})
    return [(row.start or 0, row.stop or 0) for row in table.rows if row.label == "background"]


def test_what_is_not_labelled_is_background_of_the_same_patient() -> None:
    table = fill_background(LabelTable(rows=(ROW,)), {"a": 6})
    assert [(row.start, row.stop) for row in table.rows] == [(2, 4), (0, 2), (4, 6)]
    assert {(row.patient, row.centre, row.split) for row in table.rows} == {("p", "c", "train")}
    assert len(table.places) == 3


def test_only_frames_that_were_looked_at_are_filled() -> None:
    assert filled(20, {"a": (range(1, 10),)}) == [(1, 2), (4, 10)]
    assert filled(20, {"a": (range(0, 3), range(5, 7))}) == [(0, 2), (5, 7)]
    assert filled(20, {"a": (range(0, 20, 5),)}) == [(0, 1), (5, 16)]


def test_a_recording_seen_without_a_label_is_background_and_one_unheard_of_is_not() -> None:
    table = fill_background(LabelTable(rows=(), seen={"a": (range(5),)}), {"a": 5, "b": 5})
    assert [(row.recording, row.label, row.start, row.stop) for row in table.rows] == [
        ("a", "background", 0, 5)
    ]


def test_a_whole_label_leaves_nothing_and_the_spelling_is_the_tables() -> None:
    assert filled(5, None, Label(recording="a", label="apex")) == []
    rows = (Label(recording="a", label="Background", start=0, stop=1), ROW)
    table = fill_background(LabelTable(rows=rows), {"a": 4})
    assert table.rows[-1].label == "Background"


def test_labels_past_the_end_are_told_by_row() -> None:
    with pytest.raises(
        LabelError, match=r"row 2: 'kidney' for frames 2 to 4: the recording ends after 3 frames"
    ):
        fill_background(LabelTable(rows=(ROW,)), {"a": 3})


@given(st.integers(1, 40), st.sets(st.integers(0, 39)))
def test_afterwards_every_frame_has_one_label(n_frames: int, labelled: set[int]) -> None:
    rows = [Label(recording="a", label="x", start=i, stop=i + 1) for i in labelled if i < n_frames]
    table = fill_background(LabelTable(rows=tuple(rows), seen={"a": (range(n_frames),)}), {"a": n_frames})
    numbers = frame_labels(table.rows, "a", n_frames, ("background", "x"))
    assert [bool(number) for number in numbers] == [i in labelled for i in range(n_frames)]


def test_gaps_are_told_unless_the_source_is_exhaustive(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("recording,start,stop,label\na,0,3,x\na,5,9,y\nb,0,1,x\nb,9,10,x\n")
    assert read_label_source(path).notes == (
        "2 gaps between labels: 10 frames unlabelled, left out of training; label them, or declare the source "
        "exhaustive if they are background (before row 3, row 5).",
    )
    exhaustive = read_label_source(path, exhaustive=True)
    assert exhaustive.exhaustive
    assert exhaustive.notes == ()
