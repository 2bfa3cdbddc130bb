"""The statistics page, CSV and JSON: the same numbers, one file each, nothing let through."""

import csv
import json
import re
from dataclasses import replace

from sonoplane.report.statistics import (
    ArchiveStatistics,
    TaskStatistics,
    statistics_csv,
    statistics_html,
    statistics_json,
)
from tests.report.test_html import Page

PATIENTS = (
    ("train", "p1", "liver", 2, 1200),
    ("train", "p2", "kidney <b>", 1, 300),
    ("train", "p2", "(unlabelled)", 1, 45),
    ("test", "p3", "liver", 1, 100),
)


def by_patient() -> list[dict[str, str | int]]:
    return [
        {"split": split, "centre": "", "patient": patient, "class": name,
         "recordings": n, "frames": frames, "subsampled": frames // 5}
        for split, patient, name, n, frames in PATIENTS
    ]  # fmt: skip


def by_class() -> list[dict[str, str | int]]:
    rows: list[dict[str, str | int]] = []
    for split in ("train", "test", "all"):
        for name in ("kidney <b>", "liver", "(unlabelled)"):
            mine = [row for row in PATIENTS if split in (row[0], "all") and row[2] == name]
            n_frames = sum(row[4] for row in mine)
            numbers = {
                "recordings": sum(row[3] for row in mine),
                "frames": n_frames,
                "subsampled": n_frames // 5,
            }
            rows.append({"split": split, "class": name, "patients": len(mine), **numbers})
    return rows


def clips(split: str, name: str, kept: int, mixed: int) -> dict[str, str | int]:
    return {
        "split": split,
        "class": name,
        "kept": kept,
        "mixed": mixed,
        "unlabelled": 0,
        "tie": 0,
        "short": 0,
    }


VIEW = TaskStatistics(
    name="view",
    classes=("kidney <b>", "liver"),
    by_class=by_class(),
    by_patient=by_patient(),
    imbalance={"train": 4.0, "test": None, "all": 4.333},
    clips=[
        clips(split, name, kept, 7 * (split != "test"))
        for split, kept in (("train", 20), ("test", 10), ("all", 30))
        for name in ("kidney <b>", "liver", "all")
    ],
    windows={"kind": "continuous", "length": 10, "tile": False},
    n_unused=11,
    warnings=("'kidney <b>' has no patient in 'test'.",),
    notes=("Blanks around the cells of 2 rows were dropped.",),
)


def part(split: str, patients: int, recordings: int, frames: int) -> dict[str, str | int | float | None]:
    counts = {"patients": patients, "recordings": recordings, "centres": 0}
    return {"split": split, **counts, "frames": frames, "subsampled": frames // 5, "duration_s": frames / 20}


FULL = ArchiveStatistics(
    name="sweeps <1>",
    parts=[part("train", 2, 3, 1545), part("test", 1, 1, 100), part("all", 3, 4, 1645)],
    tasks=(VIEW,),
    gray=[
        {"split": split, "recordings": 4, "pixels": 1000, "mean": 0.213303, "std": 0.21379}
        for split in ("train", "test", "all")
    ],
    mismatches=[{"recording": "a1", "expected": 60, "found": 58, "from": "file", "note": "60 claimed."}],
    duplicates=("'a1' and 'b2' are the same.",),
    short=[{"recording": "c3", "n_frames": 8, "note": "Too short: skipped."}],
)
EMPTY = ArchiveStatistics(name="empty", parts=[part("all", 0, 0, 0)])


def test_the_page_needs_no_other_file() -> None:
    text = statistics_html(FULL)
    parsed = Page(text)
    assert not parsed.addresses
    assert not parsed.names & {"script", "link", "img", "b"}
    assert not re.search(r"https?://|url\(|@import|@font-face", text)


def test_the_page_tells_all_that_was_counted() -> None:
    words = " ".join(Page(statistics_html(FULL)).words.split())
    for said in (
        "1,645",
        "of 3 patients",
        "1:22 of video; 329 chosen",
        "'kidney <b>' has no patient in 'test'.",
        "45 frames (3\xa0%), in 1 recording, have no label.",
        "30 clips kept, 7 left out (7 of several labels); 11 frames in no clip.",
        "kind continuous · length 10 · tile false",
        "mean 0.213303, standard deviation 0.213790",
        "60 claimed.",
        "'a1' and 'b2' are the same.",
        "Too short: skipped.",
        "Blanks around the cells of 2 rows were dropped.",
        "kidney <b> 300 in 1 · (unlabelled) 45 in 1",
    ):
        assert " ".join(said.split()) in words, said


def test_an_archive_without_labels_has_a_page() -> None:
    words = Page(statistics_html(EMPTY)).words
    assert "Nothing is odd." in words
    assert "classes" not in words
    assert statistics_csv(EMPTY).count("\n") == 1


def test_each_task_has_its_block_and_a_shared_warning_is_told_once() -> None:
    other = replace(VIEW, name="organ", clips=())
    words = Page(statistics_html(replace(FULL, tasks=(VIEW, other)))).words
    assert words.count("view: classes") == words.count("organ: classes") == 1
    assert "organ: clips" not in words
    assert words.count("has no patient") == 1


def test_a_warning_of_one_task_among_several_names_it() -> None:
    tasks = (VIEW, replace(VIEW, name="organ", warnings=()))
    assert "view: 'kidney <b>' has no patient" in Page(statistics_html(replace(FULL, tasks=tasks))).words


def test_many_rows_are_folded() -> None:
    many = replace(FULL, mismatches=[FULL.mismatches[0]] * 13, duplicates=FULL.duplicates * 13)
    text = statistics_html(many)
    assert "<summary>13 mismatches</summary>" in text
    assert "<summary>1 more</summary>" in text
    assert "<summary>" not in statistics_html(FULL)


def test_the_table_has_a_row_for_each_patient_and_class() -> None:
    rows = list(csv.DictReader(statistics_csv(FULL).splitlines()))
    assert len(rows) == len(PATIENTS)
    assert rows[1] == {
        "task": "view", "split": "train", "centre": "", "patient": "p2", "class": "kidney <b>",
        "recordings": "1", "frames": "300", "subsampled": "60",
    }  # fmt: skip


def test_the_document_holds_all_and_is_the_same_each_time() -> None:
    text = statistics_json(FULL)
    assert text == statistics_json(FULL)
    document = json.loads(text)
    assert document["tasks"][0]["by_patient"] == by_patient()
    assert document["gray"][0]["std"] == 0.21379
    assert document["parts"][-1]["frames"] == 1645
