"""The folder of a recording: all of it, or what was there before."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sonoplane.errors import UsageError
from sonoplane.report import findings_json
from sonoplane.report.folder import Failure, IndexEntry, write_index, write_report
from tests.report.sweeps import findings, timeline

SEEN = timeline(60)
FOUND = findings(SEEN, per_plane=1)


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_holds_what_the_contract_says(tmp_path):
    folder = write_report(FOUND, SEEN, tmp_path / "new" / "out", logits=True)
    names = set(contents(folder))
    assert folder == tmp_path / "new" / "out" / "sweep-07"
    assert {"findings.json", "timeline.csv", "logits.csv", "report.html"} <= names
    for keyframe, told in zip(
        FOUND.keyframes, findings_json.read(folder / "findings.json")["keyframes"], strict=True
    ):
        with Image.open(folder / told["image"]) as saved:
            np.testing.assert_array_equal(np.asarray(saved), keyframe.image)
        assert told["image"] in names


def test_writing_again_gives_the_same_bytes(tmp_path):
    first = contents(write_report(FOUND, SEEN, tmp_path))
    assert contents(write_report(FOUND, SEEN, tmp_path)) == first


def test_an_earlier_result_is_replaced_whole(tmp_path):
    folder = write_report(FOUND, SEEN, tmp_path, logits=True)
    (folder / "stale.txt").write_text("old")
    write_report(replace(FOUND, keyframes=()), SEEN, tmp_path)
    assert set(contents(folder)) == {"findings.json", "timeline.csv", "report.html"}
    assert [path.name for path in tmp_path.iterdir()] == ["sweep-07"]


def test_a_failed_write_leaves_the_earlier_result_and_nothing_else(tmp_path):
    before = contents(write_report(FOUND, SEEN, tmp_path))
    with pytest.raises(UsageError):
        write_report(replace(FOUND, probability=2.0), SEEN, tmp_path)
    assert contents(tmp_path / "sweep-07") == before
    assert [path.name for path in tmp_path.iterdir()] == ["sweep-07"]


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a\\b", "c:d", "nul\0"])
def test_an_id_that_is_no_folder_name_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="name of a folder"):
        write_report(replace(FOUND, recording=name), replace(SEEN, recording=name), tmp_path)
    assert not list(tmp_path.iterdir())


def test_findings_of_another_timeline_are_refused(tmp_path):
    with pytest.raises(UsageError, match="The timeline is of 'sweep-07' with 60 frames"):
        write_report(replace(FOUND, recording="other"), SEEN, tmp_path)


def test_the_longest_name_that_a_file_system_takes_is_written(tmp_path):
    name = "x" * 255
    assert write_report(replace(FOUND, recording=name), replace(SEEN, recording=name), tmp_path).is_dir()


def test_index_and_failures_are_written_anew_each_time(tmp_path):
    failure = Failure(recording="a.dcm", reason="The file is empty.", what_to_do="Copy it again.")
    write_index(tmp_path / "out", [], [failure])
    page = write_index(tmp_path / "out", [IndexEntry.of(FOUND)], [])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["failures.csv", "index.html"]
    assert (tmp_path / "out" / "failures.csv").read_text() == "recording,reason,what_to_do\n"
    assert "sweep-07/report.html" in page.read_text(encoding="utf-8")
