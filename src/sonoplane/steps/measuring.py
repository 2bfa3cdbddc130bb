"""One network's answers become its numbers: at every level, of events, of belief, raw and smoothed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sonoplane.errors import UsageError
from sonoplane.inference.timeline import UNKNOWN, segments
from sonoplane.metrics.aggregation import How
from sonoplane.metrics.answers import Answers, Level
from sonoplane.metrics.calibration import Belief, belief, sums_over_patients
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.metrics.events import sweep_events
from sonoplane.metrics.events_measure import EventsMeasured, measure_events
from sonoplane.metrics.intervals import Estimate, accuracy_over_patients, interval
from sonoplane.metrics.levels import to_patients, to_recordings, to_segments
from sonoplane.metrics.measure import Measured, measure
from sonoplane.metrics.recordings import ByRecording, by_recording
from sonoplane.report.words import percent
from sonoplane.steps.answering import Answered

__all__ = ["AGGREGATIONS", "Given", "Measurement", "Variant", "levels_of", "measure_network", "variants_of"]

#: How frames become one answer, side by side.
AGGREGATIONS: tuple[How, ...] = ("mean", "logits", "vote", "max")


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """The same network, run or smoothed in one way."""

    name: str
    measured: Measured
    ece: float
    segment_f1: Estimate | None
    """At half overlap; None where recordings have one class."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        found = None if self.segment_f1 is None else self.segment_f1.to_json()
        return {"way": self.name, **self.measured.to_json(), "ece": self.ece, "segment_f1_50": found}


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What share of recordings got an answer where it may be `unknown`, and how right those are."""

    n: int
    n_given: int
    accuracy: Estimate | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """All numbers of one network."""

    answered: Answered
    frames: Answers = field(repr=False)
    levels: Mapping[Level, Measured]
    pooled: Mapping[How, Mapping[Level, Measured]]
    """How frames were made one answer -> level -> numbers."""
    beliefs: Mapping[str, Belief]
    """Of frames: `own`, `calibrated`, `smoothed`; those that are the same stand once."""
    brier: Estimate
    nll: Estimate
    recordings: ByRecording
    events: EventsMeasured | None
    given: Given | None
    unlike: float | None
    """Share of frames unlike those of validation; None where that is not known."""
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The network's."""
        return self.answered.network.name

    @property
    def units(self) -> tuple[Level, ...]:
        """What is told of in full, the headline first: recordings, where each has one label, and frames."""
        whole = self.levels.get("recording")
        scored = whole is not None and whole.n == len(self.answered.watched)
        return ("recording", "frame") if scored and not self.answered.asked.has_runs else ("frame",)

    def counted(self, unit: Level) -> Answers:
        """Its answers for frames, or for recordings."""
        if unit == "frame":
            return self.frames
        return to_recordings(self.frames, leave_out=self.answered.asked.leave_out)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "unit": self.units[0],
            "levels": {level: measured.to_json() for level, measured in self.levels.items()},
            "pooled": {
                how: {level: measured.numbers["accuracy"].to_json() for level, measured in mine.items()}
                for how, mine in self.pooled.items()
            },
            "belief": {name: one.to_dict() for name, one in self.beliefs.items()},
            "brier": self.brier.to_json(),
            "nll": self.nll.to_json(),
            "recordings": self.recordings.to_json(),
            "events": None if self.events is None else self.events.to_json(),
            "unlike_validation": self.unlike,
        }


def measure_network(answered: Answered, *, draws: int = 1000) -> Measurement:
    """Every number of what a network said, as it is told: calibrated and smoothed.

    Raises:
        UsageError: an answer is NaN.
    """
    frames = answered.frames()
    skip = answered.asked.leave_out
    levels = levels_of(frames, leave_out=skip, draws=draws)
    own = answered.own_frames()  # smoothed probabilities are no sum of the network's logits
    pooled = {how: _wholes(own if how == "logits" else frames, how, skip, draws) for how in AGGREGATIONS}
    pooled["mean"] = {level: levels[level] for level in ("recording", "patient") if level in levels}
    notes = list(answered.asked.notes)
    for level in ("recording", "patient"):
        notes += [note for note in levels[level].notes if "not scored as" in note] if level in levels else []
    if "recording" not in levels:
        notes.append("No recording has one class throughout: nothing is counted by recording or patient.")
    notes += _no_threshold(answered)
    notes += _calibrated_elsewhere(answered)
    if answered.network.way.mode == "clip":
        notes.append(
            "Each frame’s answer is that of the clip which ends with it, so clips and frames are counted alike."
        )
    return Measurement(
        answered=answered,
        frames=frames,
        levels=levels,
        pooled=pooled if "recording" in levels else {},
        beliefs=_beliefs(answered, frames),
        brier=_over_patients("brier", frames),
        nll=_over_patients("nll", frames),
        recordings=by_recording(frames),
        events=_events(answered, draws) if answered.asked.has_runs else None,
        given=_given(answered, frames),
        unlike=_unlike(answered),
        notes=tuple(dict.fromkeys(notes)),
    )


def levels_of(frames: Answers, *, leave_out: str | None, draws: int = 1000) -> dict[Level, Measured]:
    """The numbers of frames, segments, recordings and patients; those without labels are left out."""
    made: dict[Level, Answers] = {
        "frame": frames,
        "segment": to_segments(frames),
        "recording": to_recordings(frames, leave_out=leave_out),
        "patient": to_patients(frames, leave_out=leave_out),
    }
    return {level: measure(answers, draws=draws) for level, answers in made.items() if answers.labelled.any()}


def variants_of(answered: Sequence[Answered], *, draws: int = 300) -> list[Variant]:
    """Each way of running the network, smoothed and raw."""
    made = []
    for one in answered:
        mode = one.network.way.mode
        smoothed = any(watched.timeline is not watched.raw for watched in one.watched.values())
        told = f"{mode}, smoothed" if smoothed else mode
        made.append(_variant(told, one, one.frames(), draws))
        if smoothed:
            made.append(_variant(f"{mode}, not smoothed", _unsmoothed(one), one.raw_frames(), draws))
    return made


def _variant(name: str, answered: Answered, frames: Answers, draws: int) -> Variant:
    events = _events(answered, draws) if answered.asked.has_runs else None
    return Variant(
        name=name,
        measured=measure(frames, draws=draws),
        ece=belief(frames.probabilities, frames.targets).ece,
        segment_f1=None if events is None else events.numbers["segment_f1_50"],
    )


def _unsmoothed(answered: Answered) -> Answered:
    """What would have been said without smoothing; key frames stay those of the smoothed timeline."""
    return replace(
        answered,
        watched={
            name: replace(one, timeline=one.raw, findings=replace(one.findings, segments=segments(one.raw)))
            for name, one in answered.watched.items()
        },
    )


def _wholes(frames: Answers, how: How, skip: str | None, draws: int) -> dict[Level, Measured]:
    if how == "mean":  # is measured already
        return {}
    made: dict[Level, Answers] = {
        "recording": to_recordings(frames, how, leave_out=skip),
        "patient": to_patients(frames, how, leave_out=skip),
    }
    return {level: measure(answers, draws=draws) for level, answers in made.items() if answers.labelled.any()}


def _beliefs(answered: Answered, frames: Answers) -> dict[str, Belief]:
    rows = {"own": answered.own_frames(), "calibrated": answered.raw_frames(), "smoothed": frames}
    made: dict[str, Belief] = {}
    before: Answers | None = None
    for name, answers in rows.items():
        if before is None or not np.array_equal(before.probabilities, answers.probabilities):
            made[name] = belief(answers.probabilities, answers.targets)
        before = answers
    return made


def _over_patients(score: Any, frames: Answers) -> Estimate:
    sums = sums_over_patients(score, frames.probabilities, frames.targets, frames.patients.tolist())
    return interval(sums.parts, sums.wholes, positive=True)


def _events(answered: Answered, draws: int) -> EventsMeasured | None:
    asked = answered.asked
    sweeps = [
        sweep_events(
            watched.findings, asked.targets[name], watched.timeline.times_s, patient=asked.patient(name)
        )
        for name, watched in answered.watched.items()
    ]
    try:
        return measure_events(sweeps, draws=draws)
    except UsageError:
        return None


def _given(answered: Answered, frames: Answers) -> Given | None:
    """None where every recording gets an answer by the settings."""
    if answered.network.recipe.findings.precision is None:
        return None
    wholes = to_recordings(frames, leave_out=answered.asked.leave_out)
    wholes = wholes.only(wholes.labelled)
    if not wholes.n:
        return None
    said = np.array([answered.watched[name].findings.label for name in wholes.recordings.tolist()])
    given = said != UNKNOWN
    right = said == np.array(wholes.classes)[wholes.targets]
    return Given(
        n=wholes.n,
        n_given=int(given.sum()),
        accuracy=accuracy_over_patients(right[given], wholes.patients[given].tolist())
        if given.any()
        else None,
    )


def _no_threshold(answered: Answered) -> list[str]:
    """Why labels are given although a precision was wished for that may not be kept."""
    network = answered.network
    wished = network.recipe.findings
    if wished.precision is None:
        return []
    reasons = []
    for bundle in network.bundle.members if network.members else (network.bundle,):
        known = Calibration.from_dict(bundle.calibration, bundle.card.classes)
        threshold = known.threshold(wished.precision, cautious=wished.cautious)
        if threshold is None or threshold.value is None:
            reasons.append((threshold.why if threshold else known.why_no_thresholds) or "none was fitted")
    return [
        f"Labels of recordings are given without knowing whether {percent(wished.precision)} of such are right: the"
        f" network has no threshold for that ({reason})."
        for reason in dict.fromkeys(reasons)
    ]


def _calibrated_elsewhere(answered: Answered) -> list[str]:
    """That a calibration is used in another mode than it was fitted in."""
    network = answered.network
    bundles = network.bundle.members if network.members else (network.bundle,)
    known = [Calibration.from_dict(bundle.calibration, bundle.card.classes) for bundle in bundles]
    return [told for each in known if (told := each.elsewhere(network.way.mode))][:1]


def _unlike(answered: Answered) -> float | None:
    bundle = answered.network.bundle
    likeness = Calibration.from_dict(bundle.calibration, bundle.card.classes).likeness
    if likeness is None:
        return None
    return float(
        np.concatenate([likeness.unlike(watched.raw.logits) for watched in answered.watched.values()]).mean()
    )
