"""A bundle is calibrated on the validation patients of an archive, its network being run as in prediction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.special import softmax

from sonoplane.errors import BundleError, UsageError
from sonoplane.inference.backends import BackendChoice
from sonoplane.inference.smoothing_transitions import TRANSITIONS, transitions_of
from sonoplane.metrics.calibration import Belief, belief
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.models.bundle import Bundle, add_files
from sonoplane.models.bundle_folder import CALIBRATION, INDEX, json_bytes, parse_index, read_index
from sonoplane.report.folder import Failure
from sonoplane.report.words import percent
from sonoplane.steps.answering import Answered, answer, networks_of
from sonoplane.steps.asked import Asked, Part, ask
from sonoplane.steps.calibration import Calibrated, fit_calibration, write_calibration
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.trained_on import is_its_archive

__all__ = ["Recalibrated", "calibrate"]

_MOVED = (
    "How classes follow each other was learned for probabilities that vector scaling had moved: where the bundle is"
    " smoothed by an HMM, train it anew, or take `vector` again."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recalibrated:
    """A bundle with its new calibration."""

    bundle: Bundle
    calibrated: Calibrated
    earlier: Belief | None
    """Of the calibration that it had, on the same frames; None where it had none."""
    failures: tuple[Failure, ...]
    cautions: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **self.calibrated.calibration.to_dict(),
            "earlier": None if self.earlier is None else self.earlier.to_dict(),
            "cautions": list(self.cautions),
            "failures": [{"recording": one.recording, "reason": one.reason} for one in self.failures],
        }

    def lines(self) -> list[str]:
        """What changed, in words."""
        made = self.calibrated.calibration
        told = [str(self.calibrated)]
        if made.before and made.after:
            told.append(
                f"Log loss {made.before.nll:.3f} before, {made.after.nll:.3f} after, of the same patients."
            )
        if self.earlier:
            told.append(
                f"With the calibration that it had: calibration error {self.earlier.ece:.3f},"
                f" log loss {self.earlier.nll:.3f}."
            )
        warranted = [
            percent(each.wished) for each in made.thresholds if each.cautious and each.value is not None
        ]
        why = made.why_no_thresholds or next((each.why for each in made.thresholds if each.why), "")
        told.append(
            f"Labels of recordings can be kept to {', '.join(warranted)} right ones (`--findings.precision`)."
            if warranted
            else f"No precision of labels of recordings can be warranted: {why}."
        )
        if made.likeness is None:
            told.append(
                "Frames unlike those of validation cannot be told: there are too few patients, or all score alike."
            )
        return [*told, *self.cautions]


def calibrate(
    archive: Path | str,
    *,
    bundle: Bundle,
    recipe: Recipe,
    part: Part = "validation",
    task: str | None = None,
    backend: BackendChoice = "auto",
) -> Recalibrated:
    """Answer the validation recordings as `predict` would, fit what training fits, and keep it in the bundle.

    That is scaling, thresholds and likeness, with the recipe's settings of `calibration`, and the plots of them. What
    the bundle had is replaced, also where it cannot be read any more. A recording that cannot be answered is left out.

    Raises:
        UsageError: `part` is another than validation; nothing there has a label; the network has learned from these
            patients, is part of an ensemble, or cannot answer here.
        LabelError: the archive has no such task.
    """
    if part != "validation":
        raise UsageError(
            f"A network cannot be calibrated on part '{part}'.",
            advice="Say `--split validation`: a network is too sure of patients that it learned from, and test patients"
            " are kept to measure on.",
        )
    _refuse_member(bundle)
    asked = ask(
        archive, [bundle], part=part, task=task, background_is_a_view=recipe.findings.background_is_a_view
    )
    _refuse_learned(bundle, asked)
    (network,) = networks_of([bundle], [recipe], backend, by_fold=False)
    bundle, earlier = _readable(bundle)
    answered = answer(replace(network, bundle=bundle), asked)
    calibrated, logits = _fit(answered)
    made, scaled = calibrated.calibration, calibrated.scaled
    files, cautions = _transitions(bundle, earlier, calibrated)
    files[CALIBRATION] = json_bytes(made.to_dict())
    with TemporaryDirectory() as folder:
        plots = write_calibration(Path(folder), calibrated)
        kept = add_files(bundle, {**files, **{plot.name: plot for plot in plots}})
    before = None
    if earlier is not None and earlier.kind != "identity":
        said = softmax(earlier.apply(logits).astype(np.float64), axis=1)
        before = belief(said, scaled.targets, weights=scaled.weights)
    return Recalibrated(
        bundle=kept,
        calibrated=calibrated,
        earlier=before,
        failures=answered.failures,
        cautions=(*asked.notes, *cautions),
    )


def _fit(answered: Answered) -> tuple[Calibrated, np.ndarray]:
    """The calibration, and the network's own logits of labelled frames."""
    asked, network = answered.asked, answered.network
    names = list(answered.watched)
    logits = np.concatenate([answered.watched[name].raw.logits for name in names])
    targets = np.concatenate([asked.targets[name] for name in names])
    calibrated = fit_calibration(
        logits[:, None],
        targets[:, None],
        recordings=np.repeat(names, [answered.watched[name].raw.n_frames for name in names]).tolist(),
        patients={name: asked.patient(name) for name in names},
        classes=asked.classes,
        left_out=asked.leave_out,
        settings=network.recipe.calibration,
        mode=network.way.mode,
    )
    return calibrated, logits[targets >= 0]


def _readable(bundle: Bundle) -> tuple[Bundle, Calibration | None]:
    """The bundle and its calibration; without it where that cannot be read, which would stop every answer."""
    try:
        return bundle, Calibration.from_dict(bundle.calibration, bundle.card.classes)
    except (BundleError, json.JSONDecodeError, UnicodeDecodeError):
        return add_files(bundle, {CALIBRATION: json_bytes(None)}), None


def _transitions(
    bundle: Bundle, earlier: Calibration | None, calibrated: Calibrated
) -> tuple[dict[str, Path | bytes], Sequence[str]]:
    """How classes follow each other, where what the network expects of them has changed; or what is to be known."""
    known = transitions_of(bundle)
    if known is None:
        return {}, ()
    if calibrated.calibration.kind == "vector":  # which moves the answers to the classes' shares
        counts = np.bincount(calibrated.scaled.targets, minlength=len(known.classes)) + 1.0
        return {TRANSITIONS: replace(known, prior=counts / counts.sum()).to_json()}, ()
    return {}, (_MOVED,) if earlier is not None and earlier.kind == "vector" else ()


def _refuse_member(bundle: Bundle) -> None:
    """Raise a UsageError where the bundle lies in an ensemble, which lists its hash."""
    try:
        members = parse_index(read_index(bundle.folder.resolve().parent)).get("members", {})
    except BundleError:
        return
    if bundle.folder.resolve().name in members:
        raise UsageError(
            f"'{bundle.name}' is one network of an ensemble, whose answers it would change.",
            advice=f"Calibrate the ensemble, or copy the bundle (with its {INDEX}) to a place of its own first.",
        )


def _refuse_learned(bundle: Bundle, asked: Asked) -> None:
    """Raise a UsageError where a cross-validation shared out these patients between its folds."""
    if bundle.members and any(is_its_archive(member, asked.store) for member in bundle.members):
        raise UsageError(
            "The networks of this ensemble learned from these patients, so they are surer of them than of new ones.",
            advice="Calibrate it on the validation part of another archive.",
        )
