"""The page of an evaluation: complete, self-contained, escaped; its files hold the same numbers."""

import csv
import json
import re
from dataclasses import replace

from sonoplane.report.evaluation import Counted, Evaluation, evaluation_html, write_evaluation
from tests.report.measured import BY_FRAME, BY_RECORDING, EVALUATION, SCOPE, scores
from tests.report.test_html import Page


def test_the_page_needs_no_other_file():
    text = evaluation_html(EVALUATION)
    page = Page(text)
    assert all(address.startswith("data:image/") for address in page.addresses)
    assert not page.names & {"script", "link", "b"}
    assert not re.search(r"https?://|url\(|@import|@font-face", text)


def test_the_page_tells_all_of_it():
    words = " ".join(Page(evaluation_html(EVALUATION)).words.split())
    for said in (
        "0.83 (0.78 to 0.88)",
        "Of 100 labelled frames, about 83 are named rightly; for patients like these in general, 78 to 88",
        "900 labelled frames in 12 recordings of 9 patients",
        "The files alone nearly tell.",
        "codec alone reaches 0.7.",
        "A caution of the caller.",
        "commonest class",
        "The class has no label here.",
        "all planes",
        "5 more recordings: see by-recording.csv.",
        "1 of 12 recordings; the others are files in timelines/.",
        "5 mistakes",
        "liver <b> → kidney | left 89\xa0%".replace("\xa0", " "),
        "sononet2d-16 1",
    ):
        assert said in words.replace("\xa0", " "), said


def test_what_is_missing_is_left_out():
    bare = Evaluation(network="2D", scope=SCOPE, counted=(Counted(unit="frame", scores=scores(0.5)),))
    words = Page(evaluation_html(bare)).words
    for head in (
        "Classes\n",
        "Planes found",
        "How far to believe",
        "Could the files",
        "Timelines",
        "Settings",
    ):
        assert head not in words
    assert "There is none." in words


def test_its_files_hold_the_same_numbers(tmp_path):
    names = [path.name for path in write_evaluation(tmp_path, EVALUATION)]
    assert names == [
        "evaluation.html", "evaluation.json", "levels.csv", "events.csv", "by-recording.csv", "classes.csv",
        "mistakes.csv", "mistakes.png", "confusion.png", "confusion.svg",
    ]  # fmt: skip
    document = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert document["scores"]["accuracy"]["text"] == "0.83 (0.78 to 0.88)"
    assert document["confusion"][0] == [400, 30, 20]
    assert document["scope"]["n_patients"] == 9
    assert document["events"][0]["found"]["value"] == 0.9
    assert document["measured"]["belief"]["calibrated"] == {"ece": 0.1}
    rows = list(csv.DictReader((tmp_path / "by-recording.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 25
    assert rows[0]["recording"] == "exam-00"
    classes = list(csv.DictReader((tmp_path / "classes.csv").read_text(encoding="utf-8").splitlines()))
    assert classes[2]["notes"] == "recall: The class has no label here."


def test_an_evaluation_without_a_headline_says_so():
    ranked = Counted(unit="frame", scores={"auroc": scores(0.5)["accuracy"]})
    words = Page(evaluation_html(replace(EVALUATION, counted=(ranked,)))).words
    assert "–" in words


def test_recordings_come_first_and_frames_below(tmp_path):
    both = replace(EVALUATION, counted=(BY_RECORDING, BY_FRAME))
    words = " ".join(Page(evaluation_html(both)).words.split())
    assert "Accuracy, recording by recording 0.75" in words
    assert "Of 100 labelled recordings, about 75 are named rightly" in words
    assert words.index("how its labelled recordings were answered") < words.index("The same, frame by frame")
    assert words.index("The same, frame by frame") < words.index("how its labelled frames were answered")
    names = {path.name for path in write_evaluation(tmp_path, both)}
    assert names > {"classes.csv", "classes-frames.csv", "confusion.png", "confusion-frames.png"}
    document = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert (document["unit"], document["confusion"][0]) == ("recording", [5, 0, 0])
    assert [(one["unit"], one["confusion"][0]) for one in document["below"]] == [("frame", [400, 30, 20])]
