"""How far a network's probabilities may be believed, found out on its validation recordings and kept in its bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Float64, Int64
from scipy.special import softmax

from sonoplane.errors import UsageError
from sonoplane.metrics.abstention import RiskCoverage, Threshold, risk_coverage, threshold_for
from sonoplane.metrics.answers import Answers, answers_of
from sonoplane.metrics.calibration import reliability
from sonoplane.metrics.calibration_record import Calibration, Mode
from sonoplane.metrics.calibration_settings import CalibrationSettings
from sonoplane.metrics.levels import to_recordings
from sonoplane.metrics.ood import Likeness, fit_likeness
from sonoplane.metrics.temperature import Scaled, fit_scaling
from sonoplane.report.reliability import ReliabilityPanel, write_reliability
from sonoplane.report.risk_coverage import RiskCurve, RiskMark, write_risk_coverage
from sonoplane.report.words import percent

__all__ = ["Calibrated", "fit_calibration", "reliability_panel", "write_calibration"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibrated:
    """A calibration, and what plots of it are drawn from."""

    calibration: Calibration
    scaled: Scaled = field(repr=False)
    frames: RiskCoverage = field(repr=False)
    """Of frames, each patient's calibrated without them."""
    recordings: RiskCoverage | None = field(repr=False)
    """Of recordings that have one label; None where there are none."""
    unit: str
    """What a sample is: frames or clips."""

    def __str__(self) -> str:
        made = self.calibration
        before, after = made.before, made.after
        if before is None or after is None:
            return f"Probabilities stay as they are. {made.why}".rstrip()
        return (
            f"Calibrated by {made.kind} ({made.temperature:.2f}) on {made.n_patients} validation patients: "
            f"calibration error {before.ece:.3f} before, {after.ece:.3f} after, of patients left out of the fit."
            f" {made.why}"
        ).rstrip()


def fit_calibration(
    logits: Float[np.ndarray, "samples answers classes"],
    targets: Int64[np.ndarray, "samples answers"],
    *,
    recordings: Sequence[str],
    patients: Mapping[str, str],
    classes: tuple[str, ...],
    left_out: str | None = None,
    settings: CalibrationSettings | None = None,
    unit: str = "frames",
    mode: Mode | None = None,
) -> Calibrated:
    """Find out how far the answers to validation samples may be believed, and when it is better not to answer.

    `recordings` says of which recording each sample is, samples of one following each other; `patients` whose a
    recording is (one that is not there is a patient by itself). A target of -1 is no label. `left_out` is the class,
    such as the background, that is no answer for a recording. Thresholds are for a recording's mean probability, and so
    are fitted on recordings that have one label; what cannot be fitted is left out, and the calibration says why.
    All of it is about the way in which the samples were answered, which `mode` says: frame by frame, clips or dense.

    Raises:
        UsageError: nothing is labelled, a logit is NaN, or the arguments do not belong together.
    """
    settings = settings or CalibrationSettings()
    n_answers = logits.shape[1]
    rows = logits.reshape(-1, logits.shape[2]).astype(np.float64)
    true = targets.reshape(-1)
    names = np.repeat(np.asarray(recordings, dtype=str), n_answers).tolist()
    whose = [patients.get(name, name) for name in names]
    scaled = fit_scaling(rows, true, whose, classes, kind=settings.kind)
    answers = answers_of(
        level="frame",
        classes=classes,
        targets=true,
        probabilities=softmax(scaled.calibration.apply(rows).astype(np.float64), axis=1),
        recordings=names,
        patients=whose,
    )
    whole = to_recordings(answers, leave_out=left_out)
    whole = whole.only(whole.labelled)
    thresholds, why = _thresholds(whole, settings)
    calibration = replace(
        scaled.calibration,
        thresholds=thresholds,
        why_no_thresholds=why,
        likeness=_likeness(rows, whose, settings),
        mode=mode,
    )
    right = scaled.probabilities.argmax(axis=1) == scaled.targets
    return Calibrated(
        calibration=calibration,
        scaled=scaled,
        frames=risk_coverage(scaled.probabilities.max(axis=1), right),
        recordings=risk_coverage(whole.sure, whole.said == whole.targets) if whole.n else None,
        unit=unit,
    )


def write_calibration(folder: Path, calibrated: Calibrated) -> tuple[Path, ...]:
    """Write `reliability` (before and after) and `risk-coverage` as PNG and SVG into a folder that is there."""
    made, scaled = calibrated.calibration, calibrated.scaled
    shown = {"The network's own probabilities": scaled.raw}
    if made.kind != "identity":
        shown[f"Calibrated ({made.kind}), patients left out"] = scaled.probabilities
    panels = [
        reliability_panel(title, probabilities, scaled.targets, weights=scaled.weights)
        for title, probabilities in shown.items()
    ]
    curves = [_curve(calibrated.unit, calibrated.frames)]
    if calibrated.recordings is not None:
        curves.append(_curve("recordings", calibrated.recordings))
    return (
        *write_reliability(folder, panels, unit=calibrated.unit),
        *write_risk_coverage(folder, curves, _marks(made.thresholds)),
    )


def reliability_panel(
    title: str, probabilities: npt.ArrayLike, targets: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> ReliabilityPanel:
    """One diagram of `write_reliability`."""
    found = reliability(probabilities, targets, weights=weights)
    return ReliabilityPanel(
        title=title,
        edges=found.edges,
        count=found.count,
        confidence=found.confidence,
        accuracy=found.accuracy,
        ece=found.ece,
    )


def _thresholds(whole: Answers, settings: CalibrationSettings) -> tuple[tuple[Threshold, ...], str]:
    """For each precision, plain and with caution; or why there are none."""
    if not whole.n:
        return (), "no validation recording has one label for all of it"
    sure, right, patients = whole.sure, whole.said == whole.targets, whole.patients.tolist()
    found = [
        threshold_for(sure, right, patients, wished, cautious=cautious)
        for wished in sorted(settings.precisions)
        for cautious in (True, False)
    ]
    return tuple(found), ""


def _likeness(
    logits: Float64[np.ndarray, "rows classes"], patients: Sequence[str], settings: CalibrationSettings
) -> Likeness | None:
    """None where there is too little to fit it on, or the score is the same for all."""
    try:
        return fit_likeness(logits, patients, score=settings.likeness, accepted=settings.accepted)
    except UsageError:
        return None


def _marks(thresholds: Sequence[Threshold]) -> list[RiskMark]:
    """Where the thresholds with caution lie; those that are the same are one."""
    kept = [t for t in thresholds if t.cautious and t.value is not None]
    marks = []
    for value, same in groupby(kept, key=lambda threshold: threshold.value):
        mine = list(same)
        told = ", ".join(percent(threshold.wished) for threshold in mine)
        risk = 1 - (mine[0].precision or 0.0)
        marks.append(
            RiskMark(text=f"{told} right: from {value:.2f} on", coverage=mine[0].coverage, risk=risk)
        )
    return marks


def _curve(name: str, curve: RiskCoverage) -> RiskCurve:
    return RiskCurve(name=name, coverage=curve.coverage, risk=curve.risk, aurc=curve.aurc)
