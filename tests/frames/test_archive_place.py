import os
from pathlib import Path

import pytest

from sonoplane.errors import UsageError
from sonoplane.frames.archive_place import place_of


def test_files_come_back_whole(tmp_path: Path):
    place = place_of(tmp_path / "new")
    assert place.name == "new"
    assert place.names("") == ()
    assert place.read("a/b.txt") is None
    place.write("a/b.txt", b"1")
    place.write("a/b.txt", b"2")
    place.write("a/c.txt", b"3")
    assert place.read("a/b.txt") == b"2"
    assert place.read("a/b.txt/c") is None
    assert place.names("a") == ("b.txt", "c.txt")
    assert place.read_each(["a/c.txt", "a/d.txt"]) == {"a/c.txt": b"3"}


def test_what_a_killed_writer_left_of_a_small_file_goes_in_time(tmp_path: Path):
    for name, age_s in (("old", 7200), ("new", 5)):
        part = tmp_path / f".b.txt.{name}.part"
        part.write_bytes(b"half")
        now = part.stat().st_mtime
        os.utime(part, (now - age_s, now - age_s))
    place = place_of(str(tmp_path))
    place.write("b.txt", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.txt.new.part", "b.txt"]
    assert place.names("") == ("b.txt",)


def test_a_file_is_no_place(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(UsageError, match=r"'a\.mp4' is a file"):
        place_of(tmp_path / "a.mp4").names("")


def test_a_file_url_is_a_folder(tmp_path: Path):
    assert type(place_of(f"file://{tmp_path}/a")) is type(place_of(tmp_path / "a"))
