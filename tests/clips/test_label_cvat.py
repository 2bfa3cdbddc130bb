"""CVAT's XML: frames are exact, tracks hold their label, and what is odd is told."""

from pathlib import Path

import pytest

from sonoplane.clips.label_sources import read_label_source
from sonoplane.clips.label_xml import parse_xml
from sonoplane.clips.labels import LabelTable
from sonoplane.errors import LabelError

LABELS = "<labels><label><name>kidney</name></label><label><name>liver</name></label></labels>"


def task(inner: str = "", *, id_: int = 1, source: str = "sweep.mp4", size: int = 100) -> str:
    return (
        f"<task><id>{id_}</id><name>a name</name><size>{size}</size><mode>interpolation</mode>"
        f"<start_frame>0</start_frame><stop_frame>{size - 1}</stop_frame>{inner}{LABELS}"
        f"<owner><username>Dr. Doe</username></owner><source>{source}</source></task>"
    )


def box(frame: int, *, outside: int = 0, inner: str = "") -> str:
    return f'<box frame="{frame}" keyframe="1" outside="{outside}" xtl="1" ytl="1">{inner}</box>\n'


def read(
    folder: Path, body: str, meta: str | None = None, name: str = "annotations.xml", **how: object
) -> LabelTable:
    text = '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>\n<meta>'
    path = folder / name
    path.write_text(
        f"{text}{task() if meta is None else meta}</meta>\n{body}</annotations>", encoding="utf-8"
    )
    return read_label_source(path, **how)  # type: ignore[arg-type]  # the options by name


def spans(table: LabelTable) -> list[tuple[str, int | None, int | None]]:
    return [(row.label, row.start, row.stop) for row in table.rows]


def test_a_track_holds_its_label_from_a_visible_box_to_the_next_outside(tmp_path: Path) -> None:
    boxes = box(3) + box(10) + box(20, outside=1) + box(40) + box(41) + box(42, outside=1)
    table = read(tmp_path, f'<track id="0" label="kidney">\n{boxes}</track>')
    assert spans(table) == [("kidney", 3, 20), ("kidney", 40, 42)]
    assert {row.recording for row in table.rows} == {"sweep.mp4"}
    assert table.places == ("line 5", "line 8")


def test_a_track_that_stays_open_ends_with_its_last_box(tmp_path: Path) -> None:
    track = f'<track id="0" label="kidney">{box(0)}{box(99)}</track>'
    assert spans(read(tmp_path, track)) == [("kidney", 0, 100)]
    early = read(tmp_path, f'<track id="0" label="kidney">\n{box(0)}{box(50)}</track>')
    assert spans(early) == [("kidney", 0, 51)]
    assert early.notes == (
        "Tracks without an outside shape were taken to end with their last one, before the task does (line 4).",
    )


def test_tags_of_frames_in_a_row_are_runs(tmp_path: Path) -> None:
    images = "".join(
        f'<image id="{i}" name="frame_{i:06d}"><tag label="{"kidney" if i < 3 else "liver"}"/></image>\n'
        for i in (0, 1, 2, 3, 4, 7)
    )
    table = read(tmp_path, images)
    assert spans(table) == [("kidney", 0, 3), ("liver", 3, 5), ("liver", 7, 8)]
    assert "1 gap between labels: 2 frames unlabelled" in table.notes[0]


def test_a_frame_filter_leaves_the_numbers_of_the_source(tmp_path: Path) -> None:
    meta = task("<frame_filter>step=5</frame_filter>")
    tracked = read(
        tmp_path, f'<track id="0" label="kidney">{box(10)}{box(20)}{box(25, outside=1)}</track>', meta
    )
    assert spans(tracked) == [("kidney", 10, 21)]
    assert "Only every 5th frame was shown" in tracked.notes[0]
    images = "".join(
        f'<image id="{i}" name="frame_{i:06d}"><tag label="liver"/></image>' for i in (10, 15, 20, 30)
    )
    assert spans(read(tmp_path, images, meta)) == [("liver", 10, 21), ("liver", 30, 31)]
    assert tracked.seen == {"sweep.mp4": (range(0, 100, 5),)}


def test_several_tasks_lie_in_one_file(tmp_path: Path) -> None:
    meta = f"<project><tasks>{task(id_=7)}{task(id_=8, source='other.mp4', size=5)}</tasks></project>"
    tracks = "".join(f'<track id="{i}" task_id="{i}" label="liver">{box(2)}</track>' for i in (7, 8))
    assert [row.recording for row in read(tmp_path, tracks, meta).rows] == ["sweep.mp4", "other.mp4"]


def test_a_job_tells_its_frames(tmp_path: Path) -> None:
    job = "<job><id>3</id><size>10</size><start_frame>50</start_frame><stop_frame>59</stop_frame></job>"
    table = read(tmp_path, f'<track id="0" label="x">{box(50)}{box(59)}</track>', job, name="sweep.xml")
    assert [(r.recording, r.start, r.stop) for r in table.rows] == [("sweep", 50, 60)]
    with pytest.raises(LabelError, match=r"line 4.*: frame 49 lies before frame 50"):
        read(tmp_path, f'<track id="0" label="x">{box(49)}</track>', job, name="sweep.xml")


def test_an_attribute_that_the_task_names_is_the_class(tmp_path: Path) -> None:
    first, second = ('<attribute name="Plane">long</attribute>', '<attribute name="Plane">short</attribute>')
    track = (
        f'<track id="0" label="kidney">{box(0, inner=first)}{box(4, inner=second)}{box(9, outside=1)}</track>'
    )
    assert spans(read(tmp_path, track, task="plane")) == [("long", 0, 4), ("short", 4, 9)]
    assert spans(read(tmp_path, track, task="annotations")) == [("kidney", 0, 9)]


def test_images_of_folders_are_counted_in_natural_order(tmp_path: Path) -> None:
    meta = "<task><id>1</id><mode>annotation</mode><size>3</size><name>sweeps</name></task>"
    names = ("a/f1.png", "a/f10.png", "a/f2.png")  # as CVAT sorts
    images = "".join(
        f'<image id="{i}" name="{name}"><tag label="{label}"/></image>'
        for i, (name, label) in enumerate(zip(names, ("x", "y", "x"), strict=True))
    )
    table = read(tmp_path, images, meta)
    assert spans(table) == [("x", 0, 2), ("y", 2, 3)]
    assert {row.recording for row in table.rows} == {"a"}


def test_shapes_of_one_class_in_a_frame_are_one_label(tmp_path: Path) -> None:
    image = '<image id="4" name="frame_000004"><box label="liver"/><polygon label="liver"/></image>'
    assert spans(read(tmp_path, image)) == [("liver", 4, 5)]


def test_blanks_and_case_of_classes_are_forgiven_and_told(tmp_path: Path) -> None:
    table = read(tmp_path, f'\n<track id="0" label="Kidney ">\n{box(0)}{box(5, outside=1)}</track>')
    assert spans(table) == [("kidney", 0, 5)]
    assert table.notes == (
        "Blanks around the names of 1 label were dropped (line 6).",
        "'Kidney' was read as 'kidney' in 1 label (line 6).",
    )


def test_places_are_told_apart_in_a_file_of_one_line(tmp_path: Path) -> None:
    text = "".join(f'<track id="{i}" label="liver">{box(5).strip()}</track>' for i in range(2))
    with pytest.raises(LabelError, match=r"line 5, column \d+: the same as line 5, column \d+; delete one"):
        read(tmp_path, f"\n{text}")


def test_entities_and_document_types_are_refused() -> None:
    for text in ('<!DOCTYPE a SYSTEM "x"><a/>', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'):
        with pytest.raises(LabelError, match=r"declares a document type.* Delete the DOCTYPE"):
            parse_xml(text.encode(), name="a.xml")
    with pytest.raises(LabelError, match="nests too deeply"):
        parse_xml(b"<a>" * 1000 + b"</a>" * 1000, name="a.xml")


def test_other_encodings_are_read(tmp_path: Path) -> None:
    text = f'<annotations><meta>{task()}</meta><track id="0" label="liver">{box(1)}</track></annotations>'
    (tmp_path / "a.xml").write_text(f'<?xml version="1.0" encoding="utf-16"?>{text}', encoding="utf-16")
    assert spans(read_label_source(tmp_path / "a.xml")) == [("liver", 1, 2)]


def test_no_message_names_people_or_recordings(tmp_path: Path) -> None:
    meta = task(source="Doe.mp4")
    with pytest.raises(LabelError) as caught:
        read(
            tmp_path,
            f'<track id="0" label="x">{box(500)}{box(400)}</track><track id="1" label="y"></track>',
            meta,
        )
    assert "Doe" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
