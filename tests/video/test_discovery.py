"""Every recording below the named folders is found once, under a name that is safe and its own."""

import re
import time
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sonoplane.errors import DamagedRecording
from sonoplane.video.discovery import find_recordings, safe_id, without_suffix
from sonoplane.video.opening import open_recording


def fill(folder: Path, *names: str) -> Path:
    """Put files there: real images where the name says so, else some bytes."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
        else:
            path.write_bytes(b"\x01\x02")
    return folder


def ids(*paths: Path) -> list[str]:
    return [found.id for found in find_recordings(paths)]


def test_a_file_is_named_after_itself(tmp_path):
    fill(tmp_path, "a b.mp4", "labels.csv")
    assert ids(tmp_path / "a b.mp4", tmp_path / "labels.csv") == ["a_b", "labels"]


def test_folders_are_searched_all_the_way_down(tmp_path):
    fill(tmp_path / "data", "p2/x.MP4", "p10/y.dcm", "p10/deep/IM0001", "z.avi")
    assert ids(tmp_path / "data") == ["z", "p2__x", "p10__y", "p10__deep__IM0001"]


def test_what_is_plainly_no_recording_is_passed_over(tmp_path):
    fill(
        tmp_path, "a.mp4", "labels.csv", "x.JSON", "README", "readme.md", "LICENSE", "DICOMDIR", ".hidden.mp4"
    )
    fill(tmp_path / ".cache", "b.mp4")
    assert ids(tmp_path) == ["a"]


def test_a_numbered_sequence_of_images_is_one_recording(tmp_path):
    fill(tmp_path / "set", *(f"videos/exam{e}/exam{e}_{n:03}.png" for e in (1, 2) for n in range(4)))
    fill(tmp_path / "set", "videos/exam1/notes.txt")
    found = find_recordings([tmp_path / "set"])
    assert [(f.path.name, f.id) for f in found] == [("exam1", "videos__exam1"), ("exam2", "videos__exam2")]
    assert ids(tmp_path / "set" / "videos" / "exam1") == ["exam1"]


def test_images_with_different_names_are_recordings_of_their_own(tmp_path):
    fill(tmp_path, "LIPS.png", "3VV.png", "FEMUR.png", "one/only.png")
    assert ids(tmp_path) == ["3VV", "FEMUR", "LIPS", "one__only"]


def test_a_video_beside_a_sequence_is_found_too(tmp_path):
    fill(tmp_path / "exam", "f1.png", "f2.png", "whole.mp4")
    assert [found.path.name for found in find_recordings([tmp_path / "exam"])] == ["exam", "whole.mp4"]


def test_frames_side_by_side_are_grouped_by_the_name_before_the_number(tmp_path):
    fill(tmp_path / "d", *(f"apex/{v}_{n}.png" for v in ("v1", "v2") for n in (10, 9, 0)), "apex/one_4.png")
    fill(
        tmp_path / "d", "apex/v3.avi", "mitral/v4_1.png", "mitral/v4_2.png", "2CH/2ch_1.png", "2CH/2ch_2.png"
    )
    found = {item.id: item for item in find_recordings([tmp_path / "d"])}
    assert list(found) == ["2CH__2ch", "apex__v1", "apex__v2", "apex__one_4", "apex__v3", "mitral__v4"]
    assert [frame.name for frame in found["apex__v1"].frames] == ["v1_0.png", "v1_9.png", "v1_10.png"]
    assert found["apex__v2"].below == "apex/v2"
    assert found["apex__one_4"].frames == found["apex__v3"].frames == ()


def test_names_of_loose_frames_stay_when_more_recordings_come(tmp_path):
    fill(tmp_path / "d", *(f"{place}_{n}.png" for place in ("a/v1", "a/v2", "b/v3") for n in range(3)))
    before = {item.id: item.path for item in find_recordings([tmp_path / "d"])}
    fill(tmp_path / "d", *(f"{place}_{n}.png" for place in ("a/v4", "b/v5") for n in range(3)), "a/logo.png")
    after = {item.id: item.path for item in find_recordings([tmp_path / "d"])}
    assert before.items() < after.items()
    assert after.keys() - before.keys() == {"a__v4", "b__v5", "a__logo"}


def test_parts_of_a_data_set_name_loose_frames_alike(tmp_path):
    fill(tmp_path / "d", *(f"train/a/{v}_{n}.png" for v in ("v1", "v2") for n in range(2)))
    fill(tmp_path / "d", "test/a/v3_0.png", "test/a/v3_1.png")
    assert ids(tmp_path / "d") == ["test__a__v3", "train__a__v1", "train__a__v2"]


def test_an_image_without_a_number_leaves_a_sequence_whole(tmp_path):
    fill(tmp_path / "d", *(f"exam/f{n}.png" for n in range(5)), "exam/logo.png", "exam/Thumbs.png")
    assert ids(tmp_path / "d") == ["exam"]
    assert open_recording(tmp_path / "d" / "exam").warnings == ("2 images without a number left aside.",)


def test_the_frames_of_an_exam_come_together_from_the_folders_of_their_classes(tmp_path):
    fill(tmp_path / "s", "train/0/e1_9.png", "train/1/e1_10.png", "train/1/e1_2.png", "train/1/still.png")
    fill(tmp_path / "s", "test/1/e2_1.png", "test/0/rec.avi")
    found = {item.below: item for item in find_recordings([tmp_path / "s"])}
    assert list(found) == ["test/e2", "test/0/rec.avi", "train/e1", "train/1/still.png"]
    frames = [frame.relative_to(tmp_path).as_posix() for frame in found["train/e1"].frames]
    assert frames == ["s/train/1/e1_2.png", "s/train/0/e1_9.png", "s/train/1/e1_10.png"]


def test_a_damaged_frame_stays_with_its_recording(tmp_path):
    fill(tmp_path / "d", *(f"{place}_{n}.png" for place in ("a/v1", "a/v2", "exam/f") for n in range(3)))
    (tmp_path / "d" / "a" / "v1_1.png").write_bytes(b"")
    (tmp_path / "d" / "exam" / "f_1.png").write_text("no picture")
    for item in find_recordings([tmp_path / "d"]):
        if item.id == "a__v2":
            assert open_recording(item.path, frames=item.frames).n_frames == 3
            continue
        with pytest.raises(DamagedRecording, match=r"_1\.png in the folder (a|exam) is not an image"):
            open_recording(item.path, frames=item.frames)


def test_a_long_sequence_is_found_in_no_time(tmp_path):
    first = fill(tmp_path / "exam", "f0.png") / "f0.png"
    for number in range(1, 6000):
        (tmp_path / "exam" / f"f{number}.png").hardlink_to(first)
    start = time.process_time()
    assert ids(tmp_path / "exam") == ["exam"]
    assert time.process_time() - start < 1.5


@pytest.mark.parametrize(
    "marks",
    [
        ["out/findings.json"],
        ["out/archive.json"],
        ["out/bundle.json"],
        ["out-private/key"],
    ],
    ids=" ".join,
)
def test_outputs_are_no_inputs_unless_they_are_named(tmp_path, marks):
    out = fill(tmp_path, "a.mp4", *marks) / Path(marks[0]).parent
    fill(out, "b.mp4", "keyframes/1.png", "keyframes/2.png")
    assert ids(tmp_path) == ["a"]
    assert {"b", "keyframes"} <= set(ids(out))


@pytest.mark.parametrize("mark", ["p/index.html", "p/failures.csv", "p-private/notes.txt", "p/key.txt"])
def test_a_folder_that_only_resembles_an_output_is_searched(tmp_path, mark):
    fill(fill(tmp_path, mark) / Path(mark).parent, "a.mp4")
    assert [found.path.name for found in find_recordings([tmp_path])] == ["a.mp4"]


def test_findings_beside_recordings_are_not_predicted_again(tmp_path):
    fill(tmp_path, "a.mp4", "index.html", "failures.csv", "a/findings.json", "a/keyframes/f1.png", "p/b.mp4")
    assert ids(tmp_path) == ["a", "p__b"]


def test_dangling_links_stay_and_circles_end(tmp_path):
    fill(tmp_path / "d", "a.mp4")
    (tmp_path / "d" / "gone.mp4").symlink_to(tmp_path / "nowhere")
    (tmp_path / "d" / "again").symlink_to(tmp_path / "d", target_is_directory=True)
    assert ids(tmp_path / "d") == ["a", "gone"]


def test_nothing_is_listed_twice(tmp_path, monkeypatch):
    fill(tmp_path / "d", "a.mp4", "b.mp4")
    monkeypatch.chdir(tmp_path)
    paths = [Path("d/a.mp4"), tmp_path / "d" / "a.mp4", Path("d/../d/a.mp4"), Path("d"), tmp_path / "d"]
    assert ids(*paths) == ["a", "b"]


def test_a_path_that_does_not_exist_stays_to_fail_by_name(tmp_path):
    assert ids(tmp_path / "typo.mp4") == ["typo"]


def test_colliding_names_all_get_a_digest_whatever_the_order(tmp_path):
    fill(tmp_path, "x/a.mp4", "x/a.avi", "x/A.mkv", "x/b.mp4", "y/a.mp4", "x/a_.mp4")
    sources = [tmp_path / "x", tmp_path / "y" / "a.mp4"]
    names = {found.path: found.id for found in find_recordings(sources)}
    assert names[tmp_path / "x" / "b.mp4"] == "b"
    assert all(re.fullmatch(r"[aA]-[0-9a-f]{8}", name) for name in names.values() if name != "b")
    assert len({name.casefold() for name in names.values()}) == len(names) == 6
    for paths in permutations(names, 6):
        again = {found.path: found.id for found in find_recordings(list(paths))}
        assert len({name.casefold() for name in again.values()}) == 6
    assert {f.path: f.id for f in find_recordings(sources[::-1])} == names


def test_equal_paths_below_two_sources_are_told_apart(tmp_path):
    fill(tmp_path, "one/p/a.mp4", "two/p/a.mp4")
    first, second = ids(tmp_path / "one", tmp_path / "two")
    assert first != second
    assert ids(tmp_path / "two", tmp_path / "one") == [second, first]


def test_the_path_below_a_source_stays_whatever_else_is_found(tmp_path):
    fill(tmp_path, "one/p 1/a.v2.mp4", "one/p 1/b.avi", "one/s/1.png", "one/s/2.png", "two/p 1/a.v2.mp4")
    alone = {found.path: found.below for found in find_recordings([tmp_path / "one"])}
    both = {found.path: found.below for found in find_recordings([tmp_path / "two", tmp_path / "one"])}
    assert list(alone.values()) == ["p 1/a.v2.mp4", "p 1/b.avi", "s"]
    assert both == {**alone, tmp_path / "two" / "p 1" / "a.v2.mp4": "p 1/a.v2.mp4"}


def test_a_source_that_is_the_recording_is_below_itself(tmp_path):
    fill(tmp_path, "s/1.png", "s/2.png", "a b.mp4")
    assert [f.below for f in find_recordings([tmp_path / "s", tmp_path / "a b.mp4"])] == ["s", "a b.mp4"]


@given(st.text(max_size=300))
def test_any_text_becomes_a_safe_name(text):
    name = safe_id(text)
    assert re.fullmatch(r"[0-9A-Za-z_][0-9A-Za-z._-]{0,140}", name)
    assert name[-1] != "."
    assert not re.match(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", name, re.IGNORECASE)
    assert safe_id(name) == name


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.tar.mp4", "a.tar"),
        (".mp4", ".mp4"),
        ("a.", "a."),
        ("v1.2", "v1.2"),
        ("x.3gp", "x"),
        ("a.b c", "a.b c"),
    ],
)
def test_only_a_format_is_a_suffix(name, stem):
    assert without_suffix(name) == stem
