"""One broken source of each foreign format, with ten kinds of mistakes: each is told by its place, with a remedy."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sonoplane.clips.label_sources import read_label_source
from sonoplane.errors import LabelError

#: Where a mistake is, how the message on it starts, and the remedy that it must hold.
Told = tuple[str, str, str]


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def cvat(folder: Path) -> tuple[Path, list[Told]]:
    text = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><id>1</id><size>100</size><mode>interpolation</mode><source>sweep.mp4</source>
<labels><label><name>kidney</name></label><label><name>liver</name></label></labels></task></meta>
<track id="0" label="kidney">
<box frame="0" outside="0"/>
<box frame="ten" outside="0"/>
<box frame="12" outside="2"/>
<box frame="8" outside="0"/>
<box frame="8" outside="0"/>
<box frame="6" outside="0"/>
<box frame="9" outside="1"/>
</track>
<track id="1" label="kidny">
<box frame="20" outside="0"/>
</track>
<track id="2" label="liver">
<box frame="5" outside="0"/>
<box frame="10" outside="1"/>
<box frame="100" outside="0"/>
</track>
<track id="3" label="">
<box frame="30" outside="0"/>
</track>
<track id="4" label="liver">
</track>
<track id="5" label="liver" task_id="2">
<box frame="40" outside="0"/>
</track>
<image id="50" name="frame_000050">
<tag label="liver"/>
<tag label="kidney"/>
</image>
</annotations>
"""
    write(folder / "annotations.xml", text)
    return folder / "annotations.xml", [
        ("line 7", "the frame is no whole number", "give the shape its frame"),
        ("line 8", "outside is neither 0 nor 1", "write 1 where the track is not seen"),
        ("line 10", "frame 8 has two shapes of one track", "delete one"),
        ("line 11", "frame 6 comes after frame 8", "put the track's shapes in order"),
        ("line 15", "there is no class 'kidny' (did you mean 'kidney'?)", "correct it"),
        ("line 18", "'liver' for frames 5 to 10: overlaps line 6", "a frame has one label"),
        ("line 20", "frame 100 lies past the end, which is frame 99", "correct it in CVAT"),
        ("line 23", "the class is empty", "name it"),
        ("line 25", "the track holds no shape", "delete it"),
        ("line 27", "has a task_id of no task", "export the task by itself"),
        ("line 32", "the frame has another class too, in line 31", "delete one of the two"),
    ]


def label_studio(folder: Path) -> tuple[Path, list[Told]]:
    def region(labels: object, ranges: object) -> dict[str, object]:
        return {"type": "timelinelabels", "value": {"ranges": ranges, "timelinelabels": labels}}

    def span(start: object, end: object) -> list[dict[str, object]]:
        return [{"start": start, "end": end}]

    results = [
        region(["kidney"], span(0, 4)),
        region(["kidney"], span(9, 6)),
        region(["kidney"], span(1.5, 6)),
        region(["kidney"], [{"start": 10}]),
        region(["kidney"], span(95, 101)),
        region(["kidney", "liver"], span(10, 12)),
        region([""], span(13, 14)),
        region(["livver"], span(15, 16)),
        region(["liver"], span(20, 30)),
        region(["liver"], span(20, 30)),
        region(["kidney"], span(30, 31)),
        region(["kidney"], []),
        {"type": "labels", "value": {"start": 0.5, "end": 1.0, "labels": ["liver"]}},
        {"type": "videorectangle", "value": {"framesCount": 100}},
        "nothing",
    ]
    tasks = [
        {"data": {"video": "sweep.mp4"}, "annotations": [{"result": results}]},
        {"data": {}, "annotations": [{"result": [region(["liver"], span(1, 2))]}]},
    ]
    write(folder / "export.json", json.dumps(tasks))
    at = "$[0].annotations[0].result[{}]"
    ranges = f"{at}.value.ranges[0]"
    return folder / "export.json", [
        (ranges.format(0), "start is 0, but Label Studio counts frames from 1", "correct it there"),
        (ranges.format(1), "end 6 is before start 9", "swap them"),
        (ranges.format(2), "start and end are not both whole numbers", "draw the range again"),
        (ranges.format(3), "start and end are not both whole numbers", "draw the range again"),
        (ranges.format(4), "end 101 is past the last frame, which is 100", "shorten the range"),
        (at.format(5), "a region needs one class", "choose one in Label Studio"),
        (ranges.format(6), "the class is empty", "name it"),
        (ranges.format(7), "there is no class 'livver' (did you mean 'liver'?)", "correct it"),
        (ranges.format(9), f"the same as {ranges.format(8)}", "delete one of them"),
        (ranges.format(10), f"'kidney' for frames 29 to 31: overlaps {ranges.format(8)}", "a frame has one"),
        (at.format(11), "the region has no ranges of frames", "draw it again"),
        (at.format(12), "the region is in seconds", "label with TimelineLabels"),
        (at.format(14), "the region has no value", "export the project again"),
        ("$[1]", "no video is named under data", "put its file name into data.video"),
    ]


def s1(folder: Path) -> tuple[Path, list[Told]]:
    words = {
        "a": ["kidney", "kidny", "", "liver\nliver", b"\xff"],
        "b": ["liver"],
        "d": ["liver"],
        "g": ["liver"],
    }
    for exam, mine in words.items():
        for number, word in enumerate(mine):
            write(folder / f"train/labels/{exam}/{exam}_{number:03d}.txt", word)
            write(folder / f"train/videos/{exam}/{exam}_{number:03d}.png", b"\x89PNG")
    write(folder / "train/labels/a/a_009.txt", "liver")
    write(folder / "train/labels/c/c_000.txt", "liver")
    write(folder / "train/videos/e/e_000.png", b"\x89PNG")
    write(folder / "test/labels/b/b_000.txt", "liver")
    write(folder / "test/videos/b/b_000.png", b"\x89PNG")
    write(folder / "classes.json", json.dumps({"kidney": 0, "liver": 1, "lung": 1, "heart": "2"}))
    write(folder / "exams.json", json.dumps([["a", "b"], ["a", "g"], "c"]))
    infos = "0,a,north-1,\n1,b,south,\n2,a,east-1,\n3,f,north-2,\n"
    write(folder / "train-infos.csv", f"id-video,name-video,name-cvat,date\n{infos}")
    return folder, [
        ("train: a_001.txt", "there is no class 'kidny' (did you mean 'kidney'?)", "correct it"),
        ("train: a_002.txt", "the file holds nothing", "write one class into it"),
        ("train: a_003.txt", "the file holds 2 lines", "write one class into it"),
        ("train: a_004.txt", "a_004.txt is not UTF-8 text", "Save it with UTF-8"),
        ("train: a_009.txt", "there is no frame of this name under videos", "or delete the label"),
        ("train: b", "the exam is in two parts", "keep it in one part"),
        (
            "Noted besides",
            "Labels of an exam that has no frames under videos",
            "copy the frames there (train: c)",
        ),
        ("train: d", "no patient in exams.json has this exam", "add it to its patient's list"),
        ("Noted besides", "An exam has frames but no text file", "add its labels (train: e)"),
        ("classes.json", "'lung' has the number of another class", "give it its own"),
        ("classes.json", "the number of 'heart' is no whole number", "give one"),
        ("exams.json[1][0]", "the exam is listed with a patient before", "delete one"),
        ("exams.json[2]", "no list of exams", "write the patient's exams as"),
        ("train-infos.csv row 3", "name-cvat has no centre before a '-'", "write it as centre-name"),
        ("train-infos.csv row 4", "the exam has another centre in an earlier row", "keep the right row"),
        (
            "Noted besides",
            "A row is of an exam that has neither frames nor labels",
            "(train-infos.csv row 5)",
        ),
    ]


def class_folders(folder: Path) -> tuple[Path, list[Told]]:
    for place, content in {
        "apex/a.dcm": "one",
        "apex/b.dcm": "two",
        "apex/b.avi": "three",
        "apex/none.dcm": "",
        "apex/v_1.jpg": "frame 1",
        "apex/v_01.jpg": "frame 01",
        "apex/w_1.jpg": "frame w1",
        "apex/w_2.jpg": "frame w2+",
        "apex/w_9.jpg": "frame w9++",
        "mitral/copy.dcm": "one",
        "mitral/w_3.jpg": "frame w3+++",
        "mitral/deep/deeper/c.dcm": "four..",
        "apx/d.dcm": "five...",
        "loose.dcm": "six.....",
    }.items():
        write(folder / place, content)
    (folder / "papillary").mkdir()
    (folder / "apex" / "gone.dcm").symlink_to(folder / "nowhere.dcm")
    return folder, [
        ("apex/gone.dcm", "the link leads nowhere", "copy the file here"),
        ("apex/none.dcm", "the file is empty", "copy it again"),
        ("apex/v_1.jpg", "frame 1 of its recording lies there twice", "delete one of the two"),
        ("apx/d.dcm", "there is no class 'apx' (did you mean 'apex'?)", "correct it"),
        ("loose.dcm", "the file lies in no class folder", "move it into one"),
        ("mitral/copy.dcm", "the same content as apex/a.dcm", "keep it in one folder"),
        ("mitral/deep", "the folder holds no frames", "put recordings right under their class"),
        (
            "mitral/w_3.jpg",
            "frames of this recording lie under another class too",
            "move them into one folder",
        ),
        ("papillary", "the class folder holds no recording", "delete it"),
        ("Noted besides", "Of the same name as b.avi; delete one if it is the same", "(apex/b.dcm)"),
        ("Noted besides", "6 of 9 frame numbers are missing; copy them again", "(apex/w_1.jpg)"),
    ]


def class_table(folder: Path) -> tuple[Path, list[Told]]:
    text = """folder,file,class
s1,a.dcm,apex
s1,b.dcm
s1,c,d.dcm,apex
s1,,apex
s1,e.dcm,
s1,a.dcm,apex
s1,A.dcm,mitral
s1,f.dcm,mitrl
folder,file,class
s1,g/,apex
../s1,h.dcm,apex
/s1,i.dcm,apex
s1,j\tj.dcm,apex
"""
    write(folder / "classes.csv", text)
    return folder / "classes.csv", [
        ("row 3", "2 cells where there should be 3", "give folder, file and class"),
        ("row 4", "4 cells where there should be 3", "put quotes around a name"),
        ("row 5", "file empty", "fill in or delete the row"),
        ("row 6", "class empty", "fill in or delete the row"),
        ("row 7", "the recording of row 2 again", "delete one of the two"),
        ("row 8", "the recording of row 2 again", "its class is another there, so keep the right one"),
        ("row 9", "there is no class 'mitrl' (did you mean 'mitral'?)", "correct it"),
        ("row 10", "the header is repeated", "delete the line"),
        ("row 11", "the file is a folder", "name the recording in it"),
        ("row 12", "the folder is not below the recordings", "give it as it lies below the source"),
        ("row 13", "the folder is not below the recordings", "give it as it lies below the source"),
        ("row 14", "the recording's name holds characters that cannot be shown", "rename it"),
    ]


FORMATS = [
    (cvat, None),
    (label_studio, ("kidney", "liver")),
    (s1, None),
    (class_folders, ("apex", "mitral")),
    (class_table, ("apex", "mitral")),
]


@pytest.mark.parametrize(("make", "classes"), FORMATS, ids=lambda value: getattr(value, "__name__", ""))
def test_every_mistake_is_told_by_its_place_with_a_remedy(
    make: Callable[[Path], tuple[Path, list[Told]]], classes: tuple[str, ...] | None, tmp_path: Path
) -> None:
    source, mistakes = make(tmp_path / "source")
    assert len({what for _, what, _ in mistakes}) >= 10
    with pytest.raises(LabelError) as caught:
        read_label_source(source, classes=classes)
    lines = str(caught.value).splitlines()
    for place, what, remedy in mistakes:
        start = f"{place}: {what}"
        assert any(line.strip().startswith(start) and remedy in line for line in lines), start
    faults = [line for line in lines if line.startswith("  ")]
    notes = [place for place, _, _ in mistakes if place == "Noted besides"]
    assert len(faults) == len(mistakes) - len(notes), "a fault that was not made"
    assert str(tmp_path) not in str(caught.value)
