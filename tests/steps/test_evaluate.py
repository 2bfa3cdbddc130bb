"""What `evaluate` and `compare` leave: complete, on the path that `predict` takes, right where it can be checked."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonoplane.clips.labels import write_labels
from sonoplane.errors import UsageError
from sonoplane.frames.archive import open_archive
from sonoplane.inference.backends import open_backend
from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.registry import weights_of
from sonoplane.steps.archived import watch_archived
from sonoplane.steps.asked import Part, ask
from sonoplane.steps.compare import compare
from sonoplane.steps.evaluate import Evaluated, evaluate
from sonoplane.steps.input_card import input_card
from sonoplane.steps.prepare import prepare
from sonoplane.steps.recipe import layered
from sonoplane.steps.trained_on import trained_on
from sonoplane.video.phantom import PhantomExam
from tests.models.tiny_networks import tiny, tiny_spec

INPUT = {"input": {"height": 32, "width": 48}}
CLASSES = ("background", "aorta", "gallbladder", "hepatic-veins", "ivc", "liver-kidney", "portal-bifurcation")


@pytest.fixture(scope="module")
def archive(sweeps: Path, exams: list[PhantomExam], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured")
    write_labels(folder / "planes.csv", [row for exam in exams for row in exam.labels])
    recipe = layered(
        INPUT, {"store": {"sheet": False}, "split": {"train": 0.4, "validation": 0.2, "test": 0.4}}
    )
    prepare([sweeps], folder / "a", labels={"planes": folder / "planes.csv"}, recipe=recipe)
    return folder / "a"


def bundle_of(
    folder: Path, name: str, classes: tuple[str, ...] = CLASSES, card: Card | None = None, **more: Any
) -> Bundle:
    return save_bundle(
        folder,
        name=folder.name,
        version="1",
        spec=tiny_spec(name, n_classes=len(classes)),
        card=card or input_card(layered(INPUT).input, classes),
        weights=weights_of(tiny(name, n_classes=len(classes))),
        recipe={"run": {"clip_length": 5}},
        **more,
    )


@pytest.fixture(scope="module")
def bundles(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    metrics = trained_on(open_archive(archive), "planes")
    return [
        bundle_of(folder / "flat", "sononet2d-2", metrics=metrics),
        bundle_of(folder / "deep", "sononet3d-2", metrics=metrics),
    ]


@pytest.fixture(scope="module")
def evaluated(
    archive: Path, bundles: list[Bundle], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Evaluated, Path]:
    out = tmp_path_factory.mktemp("out") / "e"
    return evaluate(archive, bundle=bundles[1], out=out, recipe=layered(bundles[1].recipe), timelines=1), out


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_an_evaluation_is_counted_from_what_the_way_of_predict_says(
    evaluated: tuple[Evaluated, Path], archive: Path, bundles: list[Bundle]
) -> None:
    recipe, store = layered(bundles[1].recipe), open_archive(archive)
    rows = rows_of(evaluated[1] / "frames.csv")
    right = np.mean([row["label"] == row["target"] for row in rows if row["target"]])
    assert evaluated[0].measurement.levels["frame"].numbers["accuracy"].value == pytest.approx(right)
    backend = open_backend(bundles[1], "torch", recipe.run)
    for name in {row["recording"] for row in rows}:
        watched = watch_archived(store, name, bundle=bundles[1], backend=backend, recipe=recipe)
        assert [row["label"] for row in rows if row["recording"] == name] == list(watched.timeline.labels)


def test_clip_and_dense_are_both_stated(evaluated: tuple[Evaluated, Path]) -> None:
    assert [variant.name for variant in evaluated[0].variants] == ["clip", "dense"]
    page = json.loads((evaluated[1] / "evaluation.json").read_text(encoding="utf-8"))
    assert [row["way"] for row in page["sections"]["Run and smoothed in other ways"]] == ["clip", "dense"]


def test_an_evaluation_leaves_its_files(evaluated: tuple[Evaluated, Path]) -> None:
    out = evaluated[1]
    names = {path.name for path in out.iterdir()}
    assert names >= {
        "evaluation.html", "evaluation.json", "frames.csv", "recordings.csv", "by-recording.csv", "events.csv",
        "mistakes.csv", "mistakes.png", "confusion.png", "reliability.png", "risk-coverage.svg", "failures.csv",
    }  # fmt: skip
    assert len(list((out / "timelines").glob("*.png"))) == 1
    assert len(rows_of(out / "frames.csv")) == 24 * len(rows_of(out / "recordings.csv"))
    json.dumps(evaluated[0].to_json(), allow_nan=False)


def test_test_patients_of_the_archive_it_was_trained_on_are_unseen_and_others_are_not_known(
    evaluated: tuple[Evaluated, Path], archive: Path, bundles: list[Bundle], tmp_path: Path
) -> None:
    assert evaluated[0].measurement.answered.asked.unseen is True
    stranger = bundle_of(tmp_path / "stranger", "sononet2d-2")
    parts: dict[Part, tuple[Bundle, bool | None]] = {"train": (bundles[0], False), "test": (stranger, None)}
    for part, (bundle, known) in parts.items():
        assert ask(archive, [bundle], part=part, task=None, background_is_a_view=True).unseen is known


def test_labels_that_the_network_does_not_know_are_left_out_and_said(archive: Path, tmp_path: Path) -> None:
    few = bundle_of(tmp_path / "few", "sononet2d-2", CLASSES[:4])
    out = evaluate(archive, bundle=few, out=tmp_path / "o", recipe=layered({}), part="all", timelines=0)
    assert "does not know were left out" in out.measurement.notes[0]
    assert "portal-bifurcation (5)" in out.measurement.notes[0]


def test_results_are_replaced_only_when_told_and_nothing_else_ever(
    evaluated: tuple[Evaluated, Path], archive: Path, bundles: list[Bundle], tmp_path: Path
) -> None:
    recipe = layered({})
    with pytest.raises(UsageError, match="earlier results"):
        evaluate(archive, bundle=bundles[0], out=evaluated[1], recipe=recipe)
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        evaluate(archive, bundle=bundles[0], out=tmp_path, recipe=recipe, overwrite=True)


def test_a_damaged_recording_is_listed_and_the_others_are_measured(
    archive: Path, bundles: list[Bundle], tmp_path: Path
) -> None:
    shutil.copytree(archive, tmp_path / "a")
    name = next(entry.id for entry in open_archive(archive).entries if entry.split == "test")
    for path in (tmp_path / "a" / "recordings" / name / "pixels").rglob("*"):
        if path.is_file() and path.name != "zarr.json":
            path.write_bytes(b"rubbish")
    out = evaluate(tmp_path / "a", bundle=bundles[0], out=tmp_path / "o", recipe=layered({}), timelines=0)
    assert [failure.recording for failure in out.failures] == [name]
    assert [row["recording"] for row in rows_of(tmp_path / "o" / "failures.csv")] == [name]
    assert name not in {row["recording"] for row in rows_of(tmp_path / "o" / "frames.csv")}


def test_out_of_fold_needs_a_cross_validation(archive: Path, bundles: list[Bundle], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no cross-validation"):
        evaluate(archive, bundle=bundles[0], out=tmp_path / "o", recipe=layered({}), part="out-of-fold")


def test_a_comparison_is_of_the_same_frames_and_states_cost_and_difference(
    archive: Path, bundles: list[Bundle], tmp_path: Path
) -> None:
    compared = compare(
        archive,
        bundles=[*bundles, bundles[0]],
        recipes=[layered(bundle.recipe) for bundle in [*bundles, bundles[0]]],
        out=tmp_path / "c",
        rounds=1,
        timelines=1,
    )
    page = json.loads((tmp_path / "c" / "comparison.json").read_text(encoding="utf-8"))
    assert [row["network"] for row in page["networks"]] == ["flat", "deep", "flat (2)"]
    for row in page["networks"]:
        assert {"parameters", "gflop_per_frame", "ms_per_frame", "memory_mb", "accuracy"} <= set(row)
    assert list(compared.differences) == ["frame"]
    same = next(d for d in compared.differences["frame"] if (d.number, d.second) == ("accuracy", "flat (2)"))
    assert (same.difference.value, same.p) == (0.0, 1.0)
    assert page["agreement"][1]["agreement"]["value"] == 1
    for one in compared.measurements:
        told = page["events"][one.name][-1]
        assert one.events is not None
        assert told["keyframe_precision"]["value"] == one.events.numbers["keyframe_precision"].value
    planes = rows_of(tmp_path / "c" / "events.csv")
    assert [row["network"] for row in planes if row["plane"] == "all planes"] == ["flat", "deep", "flat (2)"]
    frames = [rows_of(path) for path in sorted((tmp_path / "c" / "answers").glob("*-frames.csv"))]
    assert len(frames) == 3
    assert {
        tuple((row["recording"], row["frame"], row["target"]) for row in rows) for rows in frames[1:]
    } == {tuple((row["recording"], row["frame"], row["target"]) for row in frames[0])}


def test_classes_in_another_order_are_the_same_classes(
    archive: Path, bundles: list[Bundle], tmp_path: Path
) -> None:
    card = bundles[0].card
    turned = (*card.classes[:1], *reversed(card.classes[1:]))
    weights = weights_of(tiny("sononet2d-2", n_classes=7))
    place = [card.classes.index(name) for name in turned]
    last = {
        name: array[place] if len(array.shape) and array.shape[0] == 7 else array
        for name, array in weights.items()
    }
    other = save_bundle(
        tmp_path / "turned", name="turned", version="1", spec=bundles[0].spec, recipe={}, weights=last,
        card=input_card(layered(INPUT).input, turned),
    )  # fmt: skip
    compared = compare(
        archive, bundles=[bundles[0], other], recipes=[layered({})] * 2, out=tmp_path / "c", rounds=1, timelines=0
    )  # fmt: skip
    first, second = (one.frames for one in compared.measurements)
    assert np.array_equal(first.said, second.said)


def test_networks_that_do_not_fit_are_refused_by_name(
    archive: Path, bundles: list[Bundle], tmp_path: Path
) -> None:
    recipes = [layered({})] * 2
    small = bundle_of(tmp_path / "small", "sononet2d-2", card=Card(classes=CLASSES, size=(48, 48)))
    few = bundle_of(tmp_path / "few", "sononet2d-2", CLASSES[:4])
    for other, told in ((few, "'few' answers other classes"), (small, "'small' cannot answer")):
        with pytest.raises(UsageError, match=told):
            compare(archive, bundles=[bundles[0], other], recipes=recipes, out=tmp_path / "c")
    with pytest.raises(UsageError, match="One network"):
        compare(archive, bundles=bundles[:1], recipes=recipes[:1], out=tmp_path / "c")
