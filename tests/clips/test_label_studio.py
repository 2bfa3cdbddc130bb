"""Label Studio's JSON: frames from 1 and inclusive become frames from 0 and exclusive."""

import json
from pathlib import Path
from typing import Any

import pytest

from sonoplane.clips.label_sources import read_label_source
from sonoplane.clips.labels import LabelTable
from sonoplane.errors import LabelError


def region(label: str, *ranges: tuple[int, int], name: str = "planes") -> dict[str, Any]:
    value = {"ranges": [{"start": a, "end": b} for a, b in ranges], "timelinelabels": [label]}
    return {"id": "x", "type": "timelinelabels", "from_name": name, "to_name": "video", "value": value}


def annotated(
    *results: dict[str, Any], video: str = "/data/upload/3/0a1b2c3d-sweep.mp4", **more: Any
) -> dict[str, Any]:
    return {
        "id": 9,
        "data": {"video": video},
        "annotations": [{"id": 1, "was_cancelled": False, "result": list(results), **more}],
        "predictions": [{"result": [region("guess", (1, 2))]}],
    }


def read(folder: Path, *tasks: Any, **how: Any) -> LabelTable:
    path = folder / "export.json"
    path.write_text(json.dumps(list(tasks)), encoding="utf-8")
    return read_label_source(path, **how)


def spans(table: LabelTable) -> list[tuple[str, int | None, int | None]]:
    return [(row.label, row.start, row.stop) for row in table.rows]


def test_frames_count_from_one_with_the_end_inclusive(tmp_path: Path) -> None:
    table = read(tmp_path, annotated(region("kidney", (1, 1)), region("liver", (2, 10), (20, 30))))
    assert spans(table) == [("kidney", 0, 1), ("liver", 1, 10), ("liver", 19, 30)]
    assert table.places[2] == "$[0].annotations[0].result[1].value.ranges[1]"
    assert {row.recording for row in table.rows} == {"sweep.mp4"}


def test_skipped_annotations_and_predictions_are_left_out(tmp_path: Path) -> None:
    table = read(tmp_path, annotated(region("kidney", (1, 5)), was_cancelled=True))
    assert table.rows == ()
    assert table.notes == ("Left out: skipped annotations (1).", "The file holds no label.")


def test_the_ground_truth_of_several_annotations_is_read_alone(tmp_path: Path) -> None:
    one = annotated(region("kidney", (1, 5)))
    one["annotations"].append({"ground_truth": True, "result": [region("liver", (1, 5))]})
    assert spans(read(tmp_path, one)) == [("liver", 0, 5)]
    one["annotations"][1]["ground_truth"] = False
    with pytest.raises(LabelError, match=r"overlaps .* a frame has one label(.|\n)*mark one as ground truth"):
        read(tmp_path, one)


def test_a_task_that_names_a_control_reads_it_alone(tmp_path: Path) -> None:
    choice = {"type": "choices", "from_name": "zone", "value": {"choices": ["left"]}}
    one = annotated(region("kidney", (1, 5)), region("good", (2, 3), name="quality"), choice)
    assert spans(read(tmp_path, one, task="planes")) == [("kidney", 0, 5)]
    assert spans(read(tmp_path, one, task="Quality")) == [("good", 1, 3)]
    assert spans(read(tmp_path, one, task="zone")) == [("left", None, None)]
    with pytest.raises(LabelError, match="overlaps"):
        read(tmp_path, one, task="export")


@pytest.mark.parametrize(
    ("video", "told"),
    [
        ("/data/local-files/?d=centre/exam%201/sweep.mp4", "centre/exam 1/sweep.mp4"),
        ("https://host/store/sweep.mp4?token=secret", "store/sweep.mp4"),
        ("s3://bucket/deep/sweep.mp4", "deep/sweep.mp4"),
        ("sweep.mp4", "sweep.mp4"),
    ],
)
def test_a_recording_is_named_by_its_path(tmp_path: Path, video: str, told: str) -> None:
    assert read(tmp_path, annotated(region("a", (1, 2)), video=video)).rows[0].recording == told


def test_seconds_become_frames_by_the_frame_times_or_are_refused(tmp_path: Path) -> None:
    value = {"start": 0.05, "end": 0.3, "labels": ["kidney"]}
    one = annotated({"type": "labels", "from_name": "planes", "value": value})
    assert spans(read(tmp_path, one, times_s={"sweep.mp4": [0, 0.04, 0.1, 0.29, 0.3]})) == [("kidney", 2, 4)]
    with pytest.raises(LabelError, match=r"in seconds.*label with TimelineLabels.*or give the recording's"):
        read(tmp_path, one)


def test_other_regions_are_left_out_and_counted(tmp_path: Path) -> None:
    other = {"type": "videorectangle", "value": {"framesCount": 40, "sequence": []}}
    table = read(tmp_path, annotated(region("kidney", (1, 40)), other))
    assert table.notes == ("Left out: regions of type 'videorectangle' (1).",)
    assert table.seen == {"sweep.mp4": (range(40),)}


def test_json_of_another_kind_is_refused(tmp_path: Path) -> None:
    for content in ([{"video": "a.mp4", "planes": []}], {"a": 1}, [1]):
        path = tmp_path / "a.json"
        path.write_text(json.dumps(content))
        with pytest.raises(LabelError, match=r"no export of Label Studio.*as 'JSON'"):
            read_label_source(path)


def test_no_message_names_a_recording(tmp_path: Path) -> None:
    with pytest.raises(LabelError) as caught:
        read(tmp_path, annotated(region("x", (0, 5)), region("", (1, 2)), video="Doe.mp4"))
    assert "Doe" not in str(caught.value)
