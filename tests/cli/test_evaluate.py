"""`sonoplane evaluate` and `predict`: cross-validations on whom each fold never saw, and answers that are `unknown`."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.frames.archive import open_archive
from sonoplane.metrics.abstention import Threshold
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.models.bundle import Bundle, add_files
from sonoplane.report.findings_json import read
from tests.cli.conftest import Command

KNOWN = {
    "wished": 0.9,
    "cautious": True,
    "precision": 0.95,
    "low": 0.9,
    "coverage": 0.8,
    "n": 60,
    "n_patients": 40,
}
WISHED = ("--findings.precision", 0.9)
WHY = "2 patients are too few to warrant 0.9: it takes 29"


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def answers_from(bundle: Path, folder: Path, value: float | None, why: str = "") -> Path:
    """The network with a threshold for labels that are right 90 % of the time."""
    shutil.copytree(bundle, folder)
    made = Calibration(
        classes=Bundle.load(bundle).card.classes, thresholds=(Threshold(**KNOWN, value=value, why=why),)
    )
    add_files(Bundle.load(folder), {"calibration.json": json.dumps(made.to_dict()).encode()})
    return folder


def test_out_of_fold_each_recording_is_answered_by_the_network_that_never_saw_it(
    command: Command, archive: Path, ensemble: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "e"
    words = ("--bundle", ensemble, "--split", "out-of-fold", "--timelines", 0, "--json")
    assert command("evaluate", archive, *words, "--out", out) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["part"], told["unseen"]) == ("out-of-fold", True)
    there = {entry.id for entry in open_archive(archive).entries if entry.split != "test"}
    for table in ("frames.csv", "recordings.csv"):
        mine, theirs = (
            rows_of(out / table),
            rows_of(
                ensemble / ("out_of_fold.csv" if table == "frames.csv" else "out_of_fold_recordings.csv")
            ),
        )
        key = [name for name in ("recording", "frame") if name in mine[0]]
        by_place = {tuple(row[name] for name in key): row for row in theirs}
        assert {row["recording"] for row in mine} == there
        assert len(mine) == len(theirs)
        for row in mine:
            other = by_place[tuple(row[name] for name in key)]
            assert (row["fold"], row["target"], row["label"]) == (
                other["fold"],
                other["target"],
                other["label"],
            )
            assert float(row["left"]) == pytest.approx(float(other["left"]), abs=1e-4)


def test_out_of_fold_of_one_network_or_of_another_archive_is_refused(
    command: Command, archive: Path, ensemble: Path, tmp_path: Path
) -> None:
    words = ("--split", "out-of-fold", "--out", tmp_path / "e")
    with pytest.raises(UsageError, match="no cross-validation"):
        command("evaluate", archive, "--bundle", ensemble / "fold-1", *words)
    few = tmp_path / "few"
    shutil.copytree(ensemble, few)
    table = (few / "out_of_fold_recordings.csv").read_text(encoding="utf-8")
    strange = table.replace(rows_of(few / "out_of_fold_recordings.csv")[0]["recording"], "somebody-else")
    add_files(Bundle.load(few), {"out_of_fold_recordings.csv": strange.encode()})
    with pytest.raises(UsageError, match="on another archive"):
        command("evaluate", archive, "--bundle", few, *words)


@pytest.fixture(scope="module")
def given(
    command: Command, archive: Path, ensemble: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, str]]:
    """What is said of recordings without a threshold, and that the page says so."""
    folder = tmp_path_factory.mktemp("given")
    none = answers_from(ensemble / "fold-1", folder / "b", None, WHY)
    words = ("--bundle", none, "--split", "all", "--timelines", 0, *WISHED, "--out", folder / "e")
    assert command("evaluate", archive, *words) == 0
    page = json.loads((folder / "e" / "evaluation.json").read_text(encoding="utf-8"))
    told = [caution.replace("\xa0", " ") for caution in page["cautions"]]
    assert any(
        caution.endswith(f"whether 90 % of such are right: the network has no threshold for that ({WHY}).")
        for caution in told
    )
    return rows_of(folder / "e" / "recordings.csv")


def test_without_a_threshold_labels_are_given(given: list[dict[str, str]]) -> None:
    assert {row["label"] for row in given} <= {"left", "right"}


def test_labels_below_the_threshold_are_unknown_and_the_rest_is_measured(
    command: Command, archive: Path, ensemble: Path, given: list[dict[str, str]], tmp_path: Path
) -> None:
    sure = sorted(float(row["probability"]) for row in given)
    strict = answers_from(ensemble / "fold-1", tmp_path / "strict", float(np.mean(sure[1:3])))
    words = ("--bundle", strict, "--split", "all", "--timelines", 0, *WISHED, "--out", tmp_path / "e")
    assert command("evaluate", archive, *words) == 0
    rows = rows_of(tmp_path / "e" / "recordings.csv")
    assert [row["label"] == "unknown" for row in rows] == [
        float(row["probability"]) <= sure[1] for row in given
    ]
    page = json.loads((tmp_path / "e" / "evaluation.json").read_text(encoding="utf-8"))
    (told,) = page["sections"]["Answers and unknowns"]
    assert (told["n"]["value"], told["given"]["value"]) == (6, 4)
    right = [row["label"] == row["target"] for row in rows if row["label"] != "unknown"]
    assert told["accuracy"]["value"] == pytest.approx(np.mean(right))


@pytest.mark.parametrize(("value", "label"), [(0.9999, "unknown"), (0.0, None)])
def test_predict_says_unknown_where_evaluate_does(
    command: Command, ensemble: Path, sweeps: Path, tmp_path: Path, value: float, label: str | None
) -> None:
    bundle = answers_from(ensemble / "fold-1", tmp_path / "b", value)
    out = tmp_path / "out"
    assert command("predict", sorted(sweeps.iterdir())[0], "--bundle", bundle, "--out", out, *WISHED) == 0
    (found,) = out.glob("*/findings.json")
    said = read(found)["recording_label"]["label"]
    assert said == label if label else said in Bundle.load(bundle).card.classes


def test_calibrating_needs_the_validation_part_and_no_place_for_results(
    command: Command, archive: Path, ensemble: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "b"
    shutil.copytree(ensemble / "fold-1", bundle)
    before = Bundle.load(bundle)
    words = ("evaluate", archive, "--bundle", bundle)
    with pytest.raises(UsageError, match="--out"):
        command(*words)
    with pytest.raises(UsageError, match="Say `--split validation`"):
        command(*words, "--calibrate")
    capsys.readouterr()
    assert command(*words, "--split", "validation", "--calibrate", "--json") == 0
    told = json.loads(capsys.readouterr().out)["calibration"]
    kept = Bundle.load(bundle)
    assert kept.sha256 != before.sha256
    assert kept.hashes["weights.safetensors"] == before.hashes["weights.safetensors"]
    assert kept.calibration is not None
    assert kept.calibration == {key: told[key] for key in kept.calibration}
    assert kept.calibration["mode"] == "frame"
