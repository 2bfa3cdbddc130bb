"""Every recording below the named folders is found once, under a name that is safe and its own."""

import re
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sonoplane.video.discovery import find_recordings, safe_id, without_suffix


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
