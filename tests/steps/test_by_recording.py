"""Where each recording has one label, recordings are the headline of an evaluation and of a comparison."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoplane.clips.labels import write_labels
from sonoplane.metrics.aggregation import How
from sonoplane.metrics.answers import Answers
from sonoplane.metrics.levels import to_recordings
from sonoplane.metrics.measure import measure
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.registry import weights_of
from sonoplane.steps.compare import Compared, compare
from sonoplane.steps.evaluate import Evaluated, evaluate
from sonoplane.steps.input_card import input_card
from sonoplane.steps.measuring import measure_network
from sonoplane.steps.prepare import prepare
from sonoplane.steps.recipe import Recipe, layered
from sonoplane.video.phantom import PhantomSettings, classes_of, simulate
from sonoplane.video.phantom_files import write_avi
from tests.models.tiny_networks import tiny, tiny_spec

INPUT = {"input": {"height": 32, "width": 48}}
SMOOTHED = layered({"smoothing": {"kind": "average"}})


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four patients with two recordings of one view each."""
    folder = tmp_path_factory.mktemp("views")
    (folder / "videos").mkdir()
    settings = PhantomSettings(height=160, width=200, frames=20)
    exams = list(simulate("echo-views", patients=4, exams=(2, 2), seed=3, settings=settings))
    for exam in exams:
        write_avi(exam, folder / "videos" / f"{exam.id}.avi")
    write_labels(folder / "views.csv", [row for exam in exams for row in exam.labels])
    recipe = layered(
        INPUT, {"store": {"sheet": False}, "split": {"train": 0.5, "validation": 0.25, "test": 0.25}}
    )
    prepare([folder / "videos"], folder / "a", labels={"views": folder / "views.csv"}, recipe=recipe)
    return folder / "a"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    classes = classes_of("echo-views")
    return [
        save_bundle(
            tmp_path_factory.mktemp("bundles") / name,
            name=name,
            version="1",
            spec=tiny_spec(name, n_classes=len(classes)),
            card=input_card(layered(INPUT).input, classes),
            weights=weights_of(tiny(name, n_classes=len(classes))),
            recipe={},
        )
        for name in ("sononet2d-2", "sononet3d-2")
    ]


@pytest.fixture(scope="module")
def evaluated(
    archive: Path, bundles: list[Bundle], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Evaluated, Path]:
    out = tmp_path_factory.mktemp("evaluated") / "e"
    made = evaluate(
        archive,
        bundle=bundles[0],
        out=out,
        recipe=SMOOTHED,
        part="all",
        background="none",
        modes="one",
        timelines=0,
    )
    return made, out


@pytest.fixture(scope="module")
def compared(
    archive: Path, bundles: list[Bundle], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Compared, Path]:
    out = tmp_path_factory.mktemp("compared") / "c"
    recipes: list[Recipe] = [layered({})] * 2
    return compare(archive, bundles=bundles, recipes=recipes, out=out, part="all", rounds=1, timelines=0), out


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_an_evaluation_counts_recordings_first_and_frames_below(evaluated: tuple[Evaluated, Path]) -> None:
    measurement, out = evaluated[0].measurement, evaluated[1]
    page = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    rows = rows_of(out / "recordings.csv")
    right = np.mean([row["label"] == row["target"] for row in rows])
    assert (page["unit"], len(rows), np.sum(page["confusion"])) == ("recording", 8, 8)
    assert page["scores"]["accuracy"]["value"] == pytest.approx(right)
    assert [one["unit"] for one in page["below"]] == ["frame"]
    assert np.sum(page["below"][0]["confusion"]) == 160
    assert evaluated[0].lines()[0].startswith("recording accuracy")
    shown = {row["recording"]: row for row in rows_of(out / "by-recording.csv")}
    for row in rows:
        assert shown[row["recording"]][f"answered:{measurement.name}"] == row["label"]


def test_a_comparison_tests_every_figure_on_recordings_first(compared: tuple[Compared, Path]) -> None:
    page = json.loads((compared[1] / "comparison.json").read_text(encoding="utf-8"))
    assert (page["unit"], page["below"][0]["unit"]) == ("recording", "frame")
    assert list(compared[0].differences) == ["recording", "frame"]
    for unit, found in compared[0].differences.items():
        told = [row for row in page["differences"] if row["unit"] == f"{unit}s"]
        assert [row["p_corrected"]["value"] for row in told] == [one.p_corrected for one in found]
        assert {row["test"] for row in told} == {"exact"}
        accuracy = {m.name: m.levels[unit].numbers["accuracy"].value or 0.0 for m in compared[0].measurements}
        assert told[0]["difference"]["value"] == pytest.approx(
            accuracy["sononet3d-2"] - accuracy["sononet2d-2"]
        )
    assert page["networks"][1]["difference"] == told_first(page, "recordings")
    assert page["below"][0]["networks"][1]["difference"] == told_first(page, "frames")
    assert {row["unit"] for row in page["agreement"]} == {"recordings", "frames"}


def told_first(page: dict[str, list[dict[str, object]]], unit: str) -> object:
    return next(row["difference"] for row in page["differences"] if row["unit"] == unit)


def test_files_hold_every_number_that_is_printed(
    evaluated: tuple[Evaluated, Path], compared: tuple[Compared, Path]
) -> None:
    for (made, out), name in ((evaluated, "evaluation.json"), (compared, "comparison.json")):
        document = json.loads((out / name).read_text(encoding="utf-8"))
        assert document["measured"] == json.loads(json.dumps(made.to_json()))
    assert set(evaluated[0].to_json()["belief"]) == {"own", "smoothed"}  # nothing was fitted


def test_the_sum_of_logits_is_the_networks_own_whatever_smoothing_made_of_its_answers(
    evaluated: tuple[Evaluated, Path],
) -> None:
    answered = evaluated[0].measurement.answered
    turned = {
        name: replace(one, timeline=replace(one.raw, probabilities=one.raw.probabilities[:, ::-1]))
        for name, one in answered.watched.items()
    }
    smoothed = measure_network(replace(answered, watched=turned), draws=20).pooled
    own = answered.own_frames()
    turned_frames = replace(own, probabilities=own.probabilities[:, ::-1])
    ways: tuple[tuple[How, Answers], ...] = (("logits", own), ("max", turned_frames))
    for how, frames in ways:
        told = measure(to_recordings(frames, how), draws=20)
        assert np.array_equal(smoothed[how]["recording"].confusion, told.confusion)
    sums = np.array([one.raw.logits.sum(axis=0).argmax() for one in answered.watched.values()])
    right = smoothed["logits"]["recording"].numbers["accuracy"].value
    assert right == pytest.approx(np.mean(sums == to_recordings(own).targets))
