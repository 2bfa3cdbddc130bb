"""The audit finds classes that the files tell, and no others; no patient is on both sides."""

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.confound_verdict import judge_confounds
from sonoplane.metrics.confounds import ConfoundAudit, Fact, audit_confounds
from sonoplane.video.opening import open_recording

CLASSES = ("kidney", "liver", "spleen")


def study(*, confounded: bool, patients: int = 30, each: int = 3, seed: int = 0) -> dict[str, Any]:
    """Recordings of patients with one class each, from three scanners: one a class, or any."""
    rng = np.random.default_rng(seed)
    of_patient = np.arange(patients) % 3
    scanner = of_patient if confounded else rng.integers(0, 3, patients)
    scanner = np.where(rng.random(patients) < 0.15, rng.integers(0, 3, patients), scanner).repeat(each)
    n = patients * each
    facts: dict[str, list[Fact]] = {
        "scanner": [f"maker {s}" for s in scanner],
        "width": [float(w) for w in 400 + 120 * scanner + rng.normal(0, 20, n)],
        "frames": [None if rng.random() < 0.1 else int(f) for f in rng.integers(40, 200, n)],
        "color": [False] * n,
    }
    return {
        "facts": facts,
        "classes": CLASSES,
        "targets": of_patient.repeat(each),
        "recordings": [f"r{i:03d}" for i in range(n)],
        "patients": [f"p{i // each:02d}" for i in range(n)],
    }


def accuracy(audit: ConfoundAudit) -> float:
    return float((audit.answers.said == audit.answers.targets).mean())


def test_classes_that_the_files_tell_are_found() -> None:
    audit = audit_confounds(**study(confounded=True))
    assert accuracy(audit) > 0.75
    assert audit.chance == pytest.approx(1 / 3)
    assert {fact.name for fact in audit.telling} == {"scanner", "width"}
    sentence = next(fact.sentence for fact in audit.telling if fact.name == "scanner")
    assert re.search(r"scanner alone reaches 0\.\d\d: 'maker \d' goes with \w+ \(\d+ of \d+\)", sentence)


def test_classes_that_the_files_do_not_tell_are_not_found() -> None:
    assert accuracy(audit_confounds(**study(confounded=False, patients=120, each=1), folds=3)) < 0.45


def test_classes_that_every_patient_shows_are_judged_as_well() -> None:
    given = study(confounded=False, seed=2) | {"targets": np.tile([0, 1, 2], 30)}
    assert audit_confounds(**given, folds=3).p > 0.05
    given["facts"] = {"codec": ["h264", "mpeg4", "gif"] * 30}
    assert audit_confounds(**given, folds=3).p < 0.01


def test_every_labelled_recording_is_answered_once_and_in_its_turn() -> None:
    given = study(confounded=True)
    given["targets"] = np.where(np.arange(90) < 6, -1, given["targets"])
    audit = audit_confounds(**given, folds=4)
    assert audit.answers.recordings.tolist() == given["recordings"][6:]
    assert audit.way == "patients taking turns in 4 folds"
    assert np.allclose(audit.answers.probabilities.sum(axis=1), 1)


def test_a_split_is_kept() -> None:
    tested = np.arange(90) >= 60
    audit = audit_confounds(**study(confounded=True), tested=tested)
    assert audit.answers.n == 30
    assert audit.n_train == 60
    assert accuracy(audit) > 0.7


def test_a_patient_on_both_sides_is_refused() -> None:
    with pytest.raises(UsageError, match="1 patients are among the tested"):
        audit_confounds(**study(confounded=True), tested=np.arange(90) >= 61)


def test_the_same_call_answers_the_same() -> None:
    given = study(confounded=True)
    first, again = (audit_confounds(**given, folds=2).answers.probabilities for _ in range(2))
    assert (first == again).all()


def test_facts_that_are_the_same_everywhere_tell_nothing() -> None:
    given = study(confounded=True)
    given["facts"] = {"codec": ["h264"] * 90}
    audit = audit_confounds(**given)
    assert audit.facts == ()
    assert audit.telling == ()


def test_a_fact_that_training_never_saw_is_no_error() -> None:
    given = study(confounded=True)
    given["facts"] = {
        "codec": ["h264"] * 60 + ["gif"] * 30,
        "rate": [None] * 60 + [float(n) for n in range(30)],
    }
    assert audit_confounds(**given, tested=np.arange(90) >= 60).answers.n == 30


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"targets": np.zeros(90, int)}, "fewer than two classes"),
        ({"patients": ["p"] * 90}, "two patients"),
        ({"facts": {"codec": ["h264"]}}, "given for 1 of 90 rows"),
        ({"recordings": ["a"]}, "do not fit"),
    ],
)
def test_what_cannot_be_audited_is_refused(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        audit_confounds(**{**study(confounded=True), **changed})


def facts_of(paths: list[Path]) -> dict[str, list[Fact]]:
    recordings = [open_recording(path) for path in paths]
    return {
        "height": [recording.height for recording in recordings],
        "width": [recording.width for recording in recordings],
        "rate": [recording.fps for recording in recordings],
        "frames": [recording.n_frames or recording.n_claimed for recording in recordings],
        "container": [recording.facts.container for recording in recordings],
        "codec": [recording.facts.codec for recording in recordings],
    }


def test_a_collection_whose_classes_come_from_different_sources_is_flagged(shared_data: Path) -> None:
    with (shared_data / "pocus" / "LICENCES.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    patients = [re.search(r"patient=([^;]+)", row["notes"]) for row in rows]
    classes = sorted({row["class"] for row in rows})
    audit = audit_confounds(
        facts_of([shared_data / "pocus" / row["file"] for row in rows]),
        classes=classes,
        targets=[classes.index(row["class"]) for row in rows],
        recordings=[row["file"] for row in rows],
        patients=[found[1] if found else row["file"] for found, row in zip(patients, rows, strict=True)],
    )
    assert judge_confounds(audit, draws=200).flagged
    assert "container" in {fact.name for fact in audit.telling}


def test_a_prospective_study_with_one_scanner_is_not_flagged(shared_data: Path) -> None:
    with (shared_data / "covid-blues" / "severity.csv").open(encoding="utf-8") as file:
        labels = {row["video_file"].strip(): row["B-lines"].strip() for row in csv.DictReader(file)}
    paths = sorted((shared_data / "covid-blues" / "lus_videos").glob("*.mp4"))
    paths = [path for path in paths if path.stem in labels]
    audit = audit_confounds(
        facts_of(paths),
        classes=("no", "yes"),
        targets=[("no", "yes").index(labels[path.stem]) for path in paths],
        recordings=[path.stem for path in paths],
        patients=[path.stem.split("_")[1] for path in paths],
        folds=3,
    )
    assert not judge_confounds(audit, draws=200).flagged
