"""A bundle is calibrated as it is run, on validation patients alone, and is better to believe then."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sonoplane.clips.labels import write_labels
from sonoplane.errors import BundleError, UsageError
from sonoplane.frames.archive import open_archive
from sonoplane.inference.smoothing_transitions import TRANSITIONS, Transitions, transitions_of
from sonoplane.inference.timeline import softmax
from sonoplane.metrics.calibration import belief
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.models.bundle import Bundle, add_files, save_bundle
from sonoplane.models.ensemble import save_ensemble
from sonoplane.models.registry import weights_of
from sonoplane.steps.answering import answer, networks_of
from sonoplane.steps.asked import Part, ask
from sonoplane.steps.calibrate import Recalibrated, calibrate
from sonoplane.steps.input_card import input_card
from sonoplane.steps.measuring import measure_network
from sonoplane.steps.prepare import prepare
from sonoplane.steps.recipe import layered
from sonoplane.steps.trained_on import trained_on
from sonoplane.video.phantom import PhantomExam, classes_of
from tests.models.tiny_networks import tiny, tiny_spec

CLASSES = classes_of("liver-sweep")
INPUT = {"input": {"height": 32, "width": 48}}


@pytest.fixture(scope="module")
def archive(sweeps: Path, exams: list[PhantomExam], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four of six patients in the validation part."""
    folder = tmp_path_factory.mktemp("calibrated")
    write_labels(folder / "planes.csv", [row for exam in exams for row in exam.labels])
    split = {"train": 0.2, "validation": 0.6, "test": 0.2}
    recipe = layered(INPUT, {"store": {"sheet": False}, "split": split})
    prepare([sweeps], folder / "a", labels={"planes": folder / "planes.csv"}, recipe=recipe)
    return folder / "a"


@pytest.fixture(scope="module")
def untold(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A network as imported weights are: with no calibration; far too sure that all is background."""
    weights = weights_of(tiny("sononet3d-2", n_classes=len(CLASSES)))
    leaning = np.eye(len(CLASSES), dtype=np.float32)[CLASSES.index("background")]
    sure = {"head.1.0.norm.weight": 0.1 * weights["head.1.0.norm.weight"], "head.1.0.norm.bias": 10 * leaning}
    return save_bundle(
        tmp_path_factory.mktemp("untold") / "untold",
        name="untold",
        version="1",
        spec=tiny_spec("sononet3d-2", n_classes=len(CLASSES)),
        card=input_card(layered(INPUT).input, CLASSES),
        weights={**weights, **sure},
        recipe={"run": {"clip_length": 5}},
    )


def copied(bundle: Bundle, folder: Path) -> Bundle:
    shutil.copytree(bundle.folder, folder)
    return Bundle.load(folder)


@pytest.fixture(scope="module")
def done(archive: Path, untold: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Recalibrated:
    bundle = copied(untold, tmp_path_factory.mktemp("done") / "b")
    return calibrate(archive, bundle=bundle, recipe=layered(bundle.recipe, {"run": {"mode": "dense"}}))


def test_what_is_kept_fits_the_validation_answers_of_that_mode(
    done: Recalibrated, archive: Path, untold: Bundle
) -> None:
    made = Calibration.from_dict(Bundle.load(done.bundle.folder).calibration, CLASSES)
    assert made == done.calibrated.calibration
    assert (made.kind, made.mode) == ("temperature", "dense")
    asked = ask(archive, [untold], part="validation", task=None, background_is_a_view=True)
    recipe = layered(untold.recipe, {"run": {"mode": "dense"}})
    (network,) = networks_of([untold], [recipe], "torch", by_fold=False)
    watched = answer(network, asked).watched
    logits = np.concatenate([watched[name].raw.logits for name in asked.names])
    targets = np.concatenate([asked.targets[name] for name in asked.names])
    assert made.n_frames == (targets >= 0).sum()
    assert made.n_patients == len({asked.patient(name) for name in asked.names}) == 4
    own, told = (belief(softmax(each), targets) for each in (logits, made.apply(logits)))
    assert told.nll < own.nll / 2
    assert {"reliability.png", "risk-coverage.svg"} <= set(done.bundle.hashes)


def test_it_says_what_changed(done: Recalibrated) -> None:
    lines = " ".join(done.lines())
    made = done.calibrated.calibration
    assert made.before is not None
    assert made.after is not None
    assert f"calibration error {made.before.ece:.3f} before, {made.after.ece:.3f} after" in lines
    assert f"Log loss {made.before.nll:.3f} before, {made.after.nll:.3f} after" in lines
    assert "there are too few patients" in lines
    assert done.earlier is None
    json.dumps(done.to_json(), allow_nan=False)


def test_a_calibration_used_in_another_mode_is_told_of(done: Recalibrated, archive: Path) -> None:
    asked = ask(archive, [done.bundle], part="test", task=None, background_is_a_view=True)
    for mode, told in (("dense", False), ("clip", True)):
        recipe = layered(done.bundle.recipe, {"run": {"mode": mode}})
        (network,) = networks_of([done.bundle], [recipe], "auto", by_fold=False)
        answered = answer(network, asked)
        for texts in (
            measure_network(answered, draws=20).notes,
            next(iter(answered.watched.values())).findings.warnings,
        ):
            assert (
                any("calibrated in one dense pass and answered clip by clip" in text for text in texts)
                is told
            )


def test_an_earlier_calibration_is_compared_and_one_that_cannot_be_read_is_replaced(
    done: Recalibrated, archive: Path, tmp_path: Path
) -> None:
    recipe = layered(done.bundle.recipe, {"run": {"mode": "dense"}})
    again = calibrate(archive, bundle=copied(done.bundle, tmp_path / "again"), recipe=recipe)
    assert again.calibrated.calibration == done.calibrated.calibration
    assert again.earlier is not None
    assert "With the calibration that it had" in " ".join(again.lines())
    broken = add_files(copied(done.bundle, tmp_path / "broken"), {"calibration.json": b'{"format": 9}'})
    with pytest.raises(BundleError, match="--split validation --calibrate"):
        Calibration.from_dict(broken.calibration, CLASSES)
    mended = calibrate(archive, bundle=broken, recipe=recipe)
    assert mended.earlier is None
    assert mended.calibrated.calibration == done.calibrated.calibration


@pytest.mark.parametrize("part", ["test", "train", "all", "out-of-fold"])
def test_other_parts_are_refused(archive: Path, untold: Bundle, part: Part) -> None:
    with pytest.raises(UsageError, match="Say `--split validation`"):
        calibrate(archive, bundle=untold, recipe=layered(untold.recipe), part=part)


def test_what_learned_from_these_patients_is_refused_and_so_is_a_member(
    archive: Path, untold: Bundle, tmp_path: Path
) -> None:
    metrics = json.dumps(trained_on(open_archive(archive), "planes")).encode()
    fold = add_files(copied(untold, tmp_path / "fold"), {"metrics.json": metrics})
    three = save_ensemble(tmp_path / "e", name="e", version="1", members={"a": fold, "b": fold}, recipe={})
    with pytest.raises(UsageError, match="learned from these patients"):
        calibrate(archive, bundle=three, recipe=layered(untold.recipe))
    with pytest.raises(UsageError, match="one network of an ensemble"):
        calibrate(archive, bundle=three.members[0], recipe=layered(untold.recipe))


def test_vector_scaling_changes_what_smoothing_expects_of_the_classes(
    done: Recalibrated, archive: Path, tmp_path: Path
) -> None:
    n = len(CLASSES)
    counts = np.ones((n, n), np.int64) - np.eye(n, dtype=np.int64)
    known = Transitions(
        classes=CLASSES, counts=counts, seconds=np.ones(n), prior=np.full(n, 1 / n), fps=25.0,
        n_recordings=1, n_patients=1,
    )  # fmt: skip
    bundle = add_files(copied(done.bundle, tmp_path / "b"), {TRANSITIONS: known.to_json()})
    recipe = layered(bundle.recipe, {"run": {"mode": "dense"}, "calibration": {"kind": "vector"}})
    made = calibrate(archive, bundle=bundle, recipe=recipe)
    kept = transitions_of(made.bundle)
    assert kept is not None
    assert np.allclose(kept.prior, known.prior) is (made.calibrated.calibration.kind != "vector")
    assert np.array_equal(kept.counts, counts)
