"""Logits are scaled so that probabilities tell how often answers are right: fitted on validation patients.

Temperature and vector scaling as in Guo et al., On Calibration of Modern Neural Networks, ICML 2017, with two
differences, since validation sets here are small and frames of one patient are alike. Every patient counts alike,
however many frames are theirs: the probabilities are for frames of new patients. And vector scaling is drawn toward
temperature scaling: the factors' logarithms and the terms have a normal prior of standard deviation 1, against which a
patient weighs as four observations: near the best for new patients in simulations of 6 to 30, whether or not some
classes were said too often.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float64, Int64
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from sonoplane.errors import UsageError
from sonoplane.metrics.calibration import belief, patient_weights
from sonoplane.metrics.calibration_record import Calibration, Kind
from sonoplane.metrics.scores import class_numbers

__all__ = ["FEWEST_PATIENTS", "Scaled", "fit_scaling"]

#: Validation on fewer patients says too little of others.
FEWEST_PATIENTS = 3

#: Parts of the patients, of which each is left out in turn.
_FOLDS = 5

#: Observations that a patient is worth beside the prior of vector scaling.
_WORTH = 4

#: Temperatures that are looked at; a network whose best one is at an end of them has not been validated properly.
_LOWEST, _HIGHEST = 0.05, 50.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaled:
    """A calibration, and what it would have said of each patient had they not been there."""

    calibration: Calibration
    probabilities: Float64[np.ndarray, "labelled classes"]
    """Of the labelled frames, each patient's by a calibration fitted without them: what a new patient can expect."""
    raw: Float64[np.ndarray, "labelled classes"]
    """Of the same frames, not calibrated."""
    targets: Int64[np.ndarray, "labelled"]
    weights: Float64[np.ndarray, "labelled"]
    """Every patient counts alike."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Frames:
    """Labelled frames of some patients."""

    logits: Float64[np.ndarray, "n classes"]
    targets: Int64[np.ndarray, "n"]
    whose: Int64[np.ndarray, "n"]
    weights: Float64[np.ndarray, "n"]

    def where(self, chosen: Bool[np.ndarray, "n"]) -> "_Frames":
        whose = self.whose[chosen]
        return _Frames(
            logits=self.logits[chosen],
            targets=self.targets[chosen],
            whose=whose,
            weights=patient_weights(whose.astype(str).tolist()),
        )

    @property
    def n_patients(self) -> int:
        return len(np.unique(self.whose))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fit:
    """What scaling has to be found; None for the temperature where the best is at an end of what is looked at."""

    temperature: float | None = 1.0
    scale: tuple[float, ...] = ()
    bias: tuple[float, ...] = ()

    def logits(self, logits: Float64[np.ndarray, "n classes"]) -> Float64[np.ndarray, "n classes"]:
        scaled = logits / (self.temperature or 1.0)
        return scaled * np.array(self.scale) + np.array(self.bias) if self.scale else scaled


def fit_scaling(
    logits: npt.ArrayLike,
    targets: npt.ArrayLike,
    patients: Sequence[str],
    classes: tuple[str, ...],
    *,
    kind: Kind = "temperature",
) -> Scaled:
    """Fit on the labelled frames of validation (a target of -1 is no label); `patients` says whose each frame is.

    Something simpler than `kind` is taken where the fit does not help patients who were left out of it, or where there
    is too little to fit on (fewer than 3 patients, one class alone, no mistake at all); the calibration's `why` then
    says so. A class without validation frames keeps factor 1 and term 0. Where the same patients chose the best epoch,
    what is found here is a little too good for new ones.

    >>> logits = np.tile([2.0, -2.0], (40, 1))  # says 98 %
    >>> targets, patients = np.tile([0, 0, 0, 1], 10), list("aabbccddee") * 4  # is right 75 % of the time
    >>> round(fit_scaling(logits, targets, patients, ("kidney", "liver")).calibration.temperature, 2)
    3.64

    Raises:
        UsageError: a logit is NaN, nothing is labelled, or the three do not belong together.
    """
    frames = _labelled(logits, targets, patients, len(classes))
    raw = softmax(frames.logits, axis=1)
    why, chosen, found, left_out = _chosen(frames, kind)
    after = softmax(left_out, axis=1)
    before = belief(raw, frames.targets, weights=frames.weights)
    calibration = Calibration(
        classes=classes,
        kind=chosen,
        temperature=found.temperature or 1.0,
        scale=found.scale,
        bias=found.bias,
        why=why,
        n_frames=len(frames.targets),
        n_patients=frames.n_patients,
        before=before,
        after=belief(after, frames.targets, weights=frames.weights) if chosen != "identity" else None,
    )
    return Scaled(
        calibration=calibration, probabilities=after, raw=raw, targets=frames.targets, weights=frames.weights
    )


def _labelled(
    logits: npt.ArrayLike, targets: npt.ArrayLike, patients: Sequence[str], n_classes: int
) -> _Frames:
    values = np.asarray(logits, dtype=np.float64)
    numbers = class_numbers(targets, n_classes, what="targets")
    if values.shape != (len(numbers), n_classes) or len(patients) != len(numbers):
        raise UsageError(
            f"Logits of shape {values.shape} do not belong to {len(numbers)} targets and {len(patients)} patients.",
            advice=f"Give {n_classes} logits, a target and a patient for each frame.",
        )
    labelled = numbers >= 0
    if not labelled.any():
        raise UsageError("No frame is labelled, so nothing can be fitted.", advice="Check the label table.")
    if n_bad := int((~np.isfinite(values[labelled])).any(axis=1).sum()):
        raise UsageError(
            f"{n_bad} of {int(labelled.sum())} labelled frames have a logit that is NaN or infinite.",
            advice="Find where the network's answers turn NaN.",
        )
    whose = np.unique(np.asarray(patients, dtype=str)[labelled], return_inverse=True)[1].astype(np.int64)
    return _Frames(
        logits=values[labelled],
        targets=numbers[labelled],
        whose=whose,
        weights=patient_weights(whose.astype(str).tolist()),
    )


def _chosen(frames: _Frames, kind: Kind) -> tuple[str, Kind, _Fit, Float64[np.ndarray, "n classes"]]:
    """Why it is simpler than `kind`, what is taken, its fit, and each patient's logits by a fit without them."""
    best: Kind = "identity"
    why, fit, logits, least = "", _Fit(), frames.logits, _nll(frames.logits, frames)
    wanted: list[Kind] = ["temperature", "vector"]
    wanted = wanted[: ("identity", "temperature", "vector").index(kind)]
    if wanted and (why := _too_little(frames)):
        wanted = []
    for more in wanted:
        found, left_out = _FITS[more](frames), _left_out(frames, _FITS[more])
        if found.temperature is None or left_out is None or _nll(left_out, frames) >= least:
            simpler = "the network's own probabilities" if best == "identity" else f"{best} scaling"
            why = f"{more.capitalize()} scaling did not help patients left out of its fit beyond {simpler}."
        else:
            why, best, fit, logits, least = "", more, found, left_out, _nll(left_out, frames)
    return why, best, fit, logits


def _too_little(frames: _Frames) -> str:
    """Why nothing can be fitted; empty where it can."""
    if frames.n_patients < FEWEST_PATIENTS:
        n = "1 patient" if frames.n_patients == 1 else f"{frames.n_patients} patients"
        return f"Validation has {n} with labels; a calibration needs {FEWEST_PATIENTS}."
    if len(np.unique(frames.targets)) < 2:
        return "Validation shows one class alone."
    right = frames.logits.argmax(axis=1) == frames.targets
    if right.all():
        return "The network makes no mistake on validation, so how sure it may be is not known."
    return ""


def _left_out(frames: _Frames, fit: Callable[[_Frames], _Fit]) -> Float64[np.ndarray, "n classes"] | None:
    """Each patient's logits by a fit without them; None where one of the fits finds no temperature."""
    fold = frames.whose % min(_FOLDS, frames.n_patients)
    scaled = np.empty_like(frames.logits)
    for number in np.unique(fold):
        out = fold == number
        found = fit(frames.where(~out))
        if found.temperature is None:
            return None
        scaled[out] = found.logits(frames.logits[out])
    return scaled


def _nll(logits: Float64[np.ndarray, "n classes"], frames: _Frames) -> float:
    """The mean over patients of the mean over their frames."""
    told = log_softmax(logits, axis=1)[np.arange(len(logits)), frames.targets]
    return float(-told @ frames.weights)


def _temperature(frames: _Frames) -> _Fit:
    """The one number that makes the truth likeliest; the likelihood has one top."""
    low, high = np.log(_LOWEST), np.log(_HIGHEST)
    found = minimize_scalar(
        lambda x: _nll(frames.logits / np.exp(x), frames), bounds=(low, high), method="bounded",
        options={"xatol": 1e-4},
    )  # fmt: skip
    at_end = min(found.x - low, high - found.x) < 1e-2
    return _Fit(temperature=None if at_end else float(np.exp(found.x)))


def _vector(frames: _Frames) -> _Fit:
    """Temperature, factors and terms that together are likeliest after the fact; of classes that are there alone."""
    start = _temperature(frames).temperature
    if start is None:
        return _Fit(temperature=None)
    n_classes = frames.logits.shape[1]
    there = np.bincount(frames.targets, minlength=n_classes) > 0
    centred = (np.eye(n_classes) - 1 / there.sum()) * np.outer(there, there)
    worth = _WORTH * frames.n_patients
    truth, rows = np.eye(n_classes)[frames.targets], np.arange(len(frames.targets))

    def cost(x: Float64[np.ndarray, "parameters"]) -> tuple[float, Float64[np.ndarray, "parameters"]]:
        logs, terms = centred @ x[1 : n_classes + 1], centred @ x[n_classes + 1 :]
        factors = np.exp(logs - x[0])
        told = log_softmax(frames.logits * factors + terms, axis=1)
        off = (np.exp(told) - truth) * frames.weights[:, None]
        by_factor = (off * frames.logits).sum(axis=0) * factors
        prior = (logs @ logs + terms @ terms) / (2 * worth)
        slope = np.concatenate([
            [-by_factor.sum()],
            centred @ (by_factor + logs / worth),
            centred @ (off.sum(axis=0) + terms / worth),
        ])  # fmt: skip
        return float(prior - told[rows, frames.targets] @ frames.weights), slope

    first = np.zeros(2 * n_classes + 1)
    first[0] = np.log(start)
    x = minimize(cost, first, jac=True, method="L-BFGS-B").x
    return _Fit(
        temperature=float(np.exp(x[0])),
        scale=tuple(np.exp(centred @ x[1 : n_classes + 1]).tolist()),
        bias=tuple((centred @ x[n_classes + 1 :]).tolist()),
    )


_FITS: dict[Kind, Callable[[_Frames], _Fit]] = {"temperature": _temperature, "vector": _vector}
