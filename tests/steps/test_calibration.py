"""What is found out on validation recordings comes into the bundle and does in prediction what it says."""

import json
from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import BundleError
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.metrics.calibration_settings import CalibrationSettings
from sonoplane.models.bundle import Bundle, add_files
from sonoplane.steps.calibration import Calibrated, fit_calibration, write_calibration

CLASSES = ("background", "kidney", "liver", "spleen")


def fitted(
    n_patients: int = 40,
    *,
    answers: int = 1,
    classes: tuple[str, ...] = CLASSES,
    mixed: bool = False,
    left_out: str | None = None,
    settings: CalibrationSettings | None = None,
) -> Calibrated:
    """Two recordings a patient, ten samples each, of a network that is twice as sure as it may be."""
    rng = np.random.default_rng(0)
    n_recordings, n_classes = 2 * n_patients, len(classes)
    of = np.repeat(np.arange(n_recordings), 10)
    truth = rng.integers(0, n_classes, n_recordings)[of][:, None].repeat(answers, axis=1)
    if mixed:
        truth = rng.integers(0, n_classes, truth.shape)
    logits = rng.normal(size=(*truth.shape, n_classes)) + 2 * np.eye(n_classes)[truth]
    return fit_calibration(
        (4 * logits).astype(np.float32),  # 2 * logits would be right
        truth,
        recordings=[f"r{i}" for i in of],
        patients={f"r{i}": f"p{i // 2}" for i in range(n_recordings)},
        classes=classes,
        left_out=left_out,
        settings=settings,
    )


def test_temperature_thresholds_and_likeness_are_found() -> None:
    made = fitted().calibration
    assert made.temperature == pytest.approx(2, abs=0.25)
    assert (made.n_frames, made.n_patients) == (800, 40)
    assert [(t.wished, t.cautious) for t in made.thresholds[:3]] == [(0.8, True), (0.8, False), (0.9, True)]
    kept = made.threshold(0.85)
    assert kept is not None
    assert (kept.wished, kept.n, kept.n_patients) == (0.9, 80, 40)
    assert made.threshold(0.999) is None
    assert made.likeness is not None
    assert made.likeness.n_frames == 800
    assert "calibration error" in str(fitted())


def test_clips_with_an_answer_for_each_frame_are_taken_apart() -> None:
    made = fitted(answers=3).calibration
    assert made.n_frames == 2400
    assert made.temperature == pytest.approx(2, abs=0.2)


def test_recordings_of_several_planes_have_no_threshold_and_it_says_why() -> None:
    found = fitted(mixed=True)
    assert found.calibration.thresholds == ()
    assert found.calibration.why_no_thresholds == "no validation recording has one label for all of it"
    assert found.recordings is None
    assert found.calibration.likeness is not None


def test_a_class_that_is_no_answer_is_none() -> None:
    all_of_it, without = (fitted(left_out=left_out).calibration for left_out in (None, "background"))
    assert all_of_it.thresholds[0].n > without.thresholds[0].n


def test_few_patients_leave_the_network_as_it_is() -> None:
    found = fitted(2)
    assert found.calibration.kind == "identity"
    assert found.calibration.likeness is None
    assert "2 patients" in str(found)
    assert all(t.value is None for t in found.calibration.thresholds if t.cautious)


def test_settings_say_what_is_fitted() -> None:
    made = fitted(
        settings=CalibrationSettings(kind="identity", precisions=(0.7,), likeness="margin")
    ).calibration
    assert (made.kind, len(made.thresholds)) == ("identity", 2)
    assert made.likeness is not None
    assert made.likeness.score == "margin"


def test_plots_are_written_also_where_nothing_was_fitted(tmp_path: Path) -> None:
    names = {path.name for path in write_calibration(tmp_path, fitted(2, mixed=True))}
    assert names == {"reliability.png", "reliability.svg", "risk-coverage.png", "risk-coverage.svg"}


def test_a_bundle_keeps_it_whole_and_names_nobody(bundle: Bundle) -> None:
    found = fitted(classes=bundle.card.classes)
    text = json.dumps(found.calibration.to_dict(), allow_nan=False)
    assert Calibration.from_dict(json.loads(text), bundle.card.classes) == found.calibration
    assert '"p1"' not in text
    assert '"r1"' not in text


def test_that_of_another_network_is_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="other classes"):
        Calibration.from_dict(fitted().calibration.to_dict(), bundle.card.classes)


def test_an_altered_one_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in bundle.folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    broken = add_files(Bundle.load(copy), {"calibration.json": b'{"format": 1, "kind": "temperature"}'})
    with pytest.raises(BundleError, match="cannot be understood"):
        Calibration.from_dict(broken.calibration, broken.card.classes)
