"""The page of a comparison: what may be concluded, and no more."""

import csv
import json
import re
from dataclasses import replace

from sonoplane.report.comparison import comparison_html, write_comparison
from tests.report.measured import BOARD, COMPARISON
from tests.report.test_html import Page


def test_the_page_needs_no_other_file():
    text = comparison_html(COMPARISON)
    page = Page(text)
    assert all(address.startswith("data:image/") for address in page.addresses)
    assert not page.names & {"script", "link", "b"}
    assert not re.search(r"https?://|url\(|@import|@font-face", text)


def test_the_page_tells_all_of_it():
    words = " ".join(Page(comparison_html(COMPARISON)).words.split()).replace("\xa0", " ")
    for said in (
        "2D · 3D · (2+1)D",
        "Whether 3D is better than 2D cannot be said from these patients: +0.03 (−0.02 to +0.08), p = 0.21.",
        "(2+1)D is worse than 2D: −0.13 (−0.18 to −0.08), p <0.001.",
        "Differences are in accuracy, frame by frame, against 2D.",
        "The files alone nearly tell.",
        "commonest class",
        "Both wrong",
        "Against 2D",
        "3DAccuracy0.860.83+0.03",
        "0.110.21exact",
        "Planes found in sweeps",
        "(2+1)D120.90",
        "2D, exam <1>",
        "sononet3d-16 1",
    ):
        assert said in words, said


def test_its_files_are_all_there(tmp_path):
    names = {path.name for path in write_comparison(tmp_path, COMPARISON)}
    assert names == {
        "comparison.html", "comparison.md", "comparison.json", "differences.csv", "levels.csv", "events.csv",
        "agreement.csv", "by-recording.csv", "mistakes.csv", "mistakes.png", "scoreboard.md", "scoreboard.csv",
        "scoreboard.json", "scoreboard.html", "scoreboard-classes.csv",
    }  # fmt: skip
    document = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    assert [row["network"] for row in document["networks"]] == ["2D", "3D", "(2+1)D"]
    assert [row["network"] for row in document["floors"]] == ["commonest class"]
    assert document["confound"]["flagged"] is True


def test_every_figure_has_its_test_and_every_network_its_planes_in_all_files(tmp_path):
    write_comparison(tmp_path, COMPARISON)
    document = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    markdown = (tmp_path / "comparison.md").read_text(encoding="utf-8")
    assert [row["p_corrected"]["value"] for row in document["differences"]] == [0.21, 0.21]
    assert document["events"]["2D"][1]["keyframe_precision"]["text"] == "0.70 (0.65 to 0.75)"
    assert "| 3D | AUROC | 0.86 | 0.83 | +0.03¹ | 0.11 | 0.21 | exact |" in markdown
    assert "| (2+1)D | 12 | 0.70 (0.65 to 0.75) |" in markdown
    rows = list(csv.DictReader((tmp_path / "differences.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0]["unit"] == "frames"
    assert (rows[0]["difference"], rows[0]["difference_low"], rows[0]["p"]) == ("0.03", "", "0.11")
    planes = list(csv.DictReader((tmp_path / "events.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["network"], row["plane"]) for row in planes][1:3] == [
        ("2D", "all planes"),
        ("(2+1)D", "liver <b>"),
    ]


def test_frames_stand_below_recordings_in_files_of_their_own(tmp_path):
    both = replace(COMPARISON, boards=(replace(BOARD, unit="recording"), BOARD))
    words = " ".join(Page(comparison_html(both)).words.split())
    assert "Differences are in accuracy, recording by recording, against 2D." in words
    assert words.index("The same, frame by frame") < words.index("Against 2D")
    names = {path.name for path in write_comparison(tmp_path, both)}
    assert {"scoreboard.csv", "scoreboard-frames.csv", "scoreboard-frames-classes.csv"} < names
    document = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    assert (document["unit"], document["below"][0]["unit"]) == ("recording", "frame")
    assert "## Scoreboard, frame by frame" in (tmp_path / "comparison.md").read_text(encoding="utf-8")
