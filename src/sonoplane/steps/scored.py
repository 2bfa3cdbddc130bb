"""Numbers become the rows of tables."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from sonoplane.metrics.answers import Answers
from sonoplane.metrics.confound_verdict import judge_confounds, verdict_words
from sonoplane.metrics.confounds import ConfoundAudit
from sonoplane.metrics.events_measure import EventsMeasured
from sonoplane.metrics.levels import to_recordings, to_segments
from sonoplane.metrics.measure import Measured, measure
from sonoplane.models.cost import cost
from sonoplane.report.cells import Cell
from sonoplane.report.evaluation import LevelScores, RecordingScores
from sonoplane.report.grid import Column, Row
from sonoplane.report.scope import Confound, Scope
from sonoplane.report.scoreboard import COLUMNS, ClassScores, Contender
from sonoplane.report.sections import Section
from sonoplane.steps.answering import Network
from sonoplane.steps.asked import Asked
from sonoplane.steps.floors import COMMONEST
from sonoplane.steps.measuring import Measurement, Variant

__all__ = [
    "aggregation_section",
    "class_rows",
    "confound_of",
    "event_rows",
    "floor_rows",
    "given_section",
    "level_rows",
    "provenance_of",
    "recording_rows",
    "scope_of",
    "score_cells",
    "variants_section",
]

_PLAIN = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "kappa")

_VARIANT_COLUMNS = (
    Column(key="way", head="Run", form="text"),
    *(column for column in COLUMNS if column.key in ("accuracy", "balanced_accuracy", "macro_f1")),
    Column(key="segment_f1_50", head="Runs F1, 50\u00a0%", told="F1 of runs of frames that overlap by half or more."),
    Column(key="ece", head="Calibration error", told="mean gap between probability and share that is right (ECE)."),
)  # fmt: skip

_POOLED_COLUMNS = (
    Column(key="how", head="Frames become one answer by", form="text"),
    Column(key="recording", head="Recordings right"),
    Column(key="patient", head="Patients right"),
    Column(key="tied", head="Recordings tied", form="count",
           told="two classes were equal first; the likelier by mean probability was taken."),
)  # fmt: skip

_HOW = {"mean": "mean probability, as predict does", "logits": "sum of logits", "vote": "majority vote",
        "max": "surest frame"}  # fmt: skip


def score_cells(measurement: Measurement) -> Row:
    """All figures of a network over frames, by the keys of the scoreboard."""
    last = list(measurement.beliefs.values())[-1]
    known = {column.key for column in COLUMNS}
    numbers = measurement.levels["frame"].numbers
    return {
        **{key: Cell.of(number) for key, number in numbers.items() if key in known},
        "recording_accuracy": Cell(value=measurement.recordings.mean, spread=measurement.recordings.sd),
        **{key: Cell(value=getattr(last, key)) for key in ("ece", "mce", "adaptive_ece", "classwise_ece")},
        "brier": Cell.of(measurement.brier),
        "nll": Cell.of(measurement.nll),
        **_cost(measurement.answered.network),
    }


def level_rows(measurement: Measurement) -> tuple[LevelScores, ...]:
    """A row for each level; none for segments where they are the recordings."""
    levels = dict(measurement.levels)
    whole = levels.get("recording")
    if whole is not None and whole.n == levels["segment"].n and not measurement.answered.asked.has_runs:
        del levels["segment"]
    return tuple(
        LevelScores(
            level=f"{level}s",
            network=measurement.name,
            cells={
                "n": Cell(value=measured.n),
                **{key: Cell.of(measured.numbers[key]) for key in (*_PLAIN, "auroc")},
            },
        )
        for level, measured in levels.items()
    )


def class_rows(measurement: Measurement) -> tuple[ClassScores, ...]:
    """A row for each class, over frames."""
    return tuple(
        ClassScores(
            name=one.name,
            network=measurement.name,
            cells={
                **{key: Cell.of(number) for key, number in one.numbers.items()},
                "support": Cell(value=one.n),
                "patients": Cell(value=one.n_patients),
            },
        )
        for one in measurement.levels["frame"].classes
    )


def event_rows(events: EventsMeasured | None) -> dict[str, Row]:
    """A row for each plane, then one for all."""
    if events is None:
        return {}
    shown = {
        plane: sum(one.present for sweep in events.sweeps for one in sweep.planes if one.plane == plane)
        for plane in events.planes
    }
    rows: dict[str, Row] = {
        plane: {
            "exams": Cell(value=shown[plane]),
            **{key: Cell.of(number) for key, number in numbers.items()},
        }
        for plane, numbers in events.planes.items()
    }
    rows["all planes"] = {
        "exams": Cell(value=events.n_recordings),
        **{key: Cell.of(number) for key, number in events.numbers.items()},
    }
    return rows


def recording_rows(measurements: Sequence[Measurement]) -> tuple[RecordingScores, ...]:
    """A row for each recording with a labelled frame."""
    asked = measurements[0].answered.asked
    wholes = to_recordings(measurements[0].frames, leave_out=asked.leave_out)
    target = dict(zip(wholes.recordings.tolist(), wholes.targets.tolist(), strict=True))
    return tuple(
        RecordingScores(
            recording=name,
            patient=asked.store.entry(name).patient,
            target=asked.classes[target[name]] if target[name] >= 0 else None,
            n_frames=int((asked.targets[name] >= 0).sum()),
            networks={m.name: Cell(value=m.recordings.values[name]) for m in measurements},
        )
        for name in measurements[0].recordings.values
    )


def floor_rows(floors: Mapping[str, Answers]) -> tuple[Contender, ...]:
    """Floors as rows of the scoreboard."""
    return tuple(
        Contender(name=name, cells=_floor_cells(measure(answers, top=()), ranks=name != COMMONEST))
        for name, answers in floors.items()
    )


def variants_section(variants: Sequence[Variant], why: Sequence[str] = ()) -> Section:
    """Ways of running and smoothing, beside each other."""
    lead = (
        "The same network, run and smoothed in other ways; the first row is how it answers on the rest of this"
        " page. Clip and dense are not equal where layers pad time with zeros."
    )
    return Section(
        title="Run and smoothed in other ways",
        lead=" ".join([lead, *why]),
        columns=_VARIANT_COLUMNS,
        rows=tuple(
            {
                "way": Cell(value=one.name),
                **{key: Cell.of(one.measured.numbers[key]) for key in _PLAIN[:3]},
                **({} if one.segment_f1 is None else {"segment_f1_50": Cell.of(one.segment_f1)}),
                "ece": Cell(value=one.ece),
            }
            for one in variants
        ),
    )


def aggregation_section(measurement: Measurement) -> Section:
    """How frames become one answer for a recording, and for a patient."""
    return Section(
        title="From frames to recordings",
        lead="Accuracy where the frames of a recording become one answer in different ways; a patient’s answer is"
        " gathered from those for the recordings.",
        columns=_POOLED_COLUMNS,
        rows=tuple(
            {
                "how": Cell(value=_HOW[how]),
                **{level: Cell.of(one.numbers["accuracy"]) for level, one in levels.items()},
                "tied": Cell(value=levels["recording"].n_tied),
            }
            for how, levels in measurement.pooled.items()
        ),
    )


def given_section(measurement: Measurement) -> Section:
    """What share of recordings is answered where it may be `unknown`."""
    given, settings = measurement.given, measurement.answered.network.recipe.findings
    rows: tuple[Row, ...] = ()
    if given is not None:
        accuracy = (
            Cell(value=None, why="None was given.") if given.accuracy is None else Cell.of(given.accuracy)
        )
        rows = (
            {
                "wished": Cell(value=settings.precision),
                "n": Cell(value=given.n),
                "given": Cell(value=given.n_given),
                "accuracy": accuracy,
            },
        )
    return Section(
        title="Answers and unknowns",
        lead="Recordings of which labels so sure are too seldom right are told to be unknown.",
        columns=(
            Column(key="wished", head="Precision wished for"),
            Column(key="n", head="Recordings", form="count"),
            Column(key="given", head="Answered", form="count"),
            Column(key="accuracy", head="Right, of those"),
        ),
        rows=rows,
    )


def scope_of(asked: Asked, frames: Answers, measured: Measured) -> Scope:
    """Whom the numbers speak for."""
    names = sorted(set(frames.recordings.tolist()))
    entries = [asked.store.entry(name) for name in names]
    centres = {entry.centre for entry in entries}
    return Scope(
        archive=asked.store.name,
        task=asked.task,
        part=asked.part,
        classes=asked.classes,
        n_patients=measured.n_patients,
        n_recordings=len(names),
        n_frames=frames.n,
        n_labelled=measured.n,
        n_centres=None if None in centres else len(centres),
        patients_known=all(entry.patient for entry in entries),
        unseen=asked.unseen,
        interval_caution=measured.numbers["accuracy"].caution,
        patients_of={one.name: one.n_patients for one in measured.classes},
    )


def confound_of(audit: ConfoundAudit | None, measurements: Sequence[Measurement]) -> Confound | None:
    """What the audit says of the networks."""
    if audit is None:
        return None
    skip = measurements[0].answered.asked.leave_out
    verdicts = [
        judge_confounds(
            audit,
            to_segments(m.frames) if audit.answers.level == "segment" else to_recordings(m.frames, leave_out=skip),
            name=m.name,
        )
        for m in measurements
    ]  # fmt: skip
    return Confound(
        flagged=any(one.flagged for one in verdicts),
        verdict=verdict_words(verdicts),
        telling=tuple(fact.sentence for fact in audit.telling),
    )


def provenance_of(measurement: Measurement, kind: str) -> dict[str, str]:
    """What it was made with, in the reader's words; `kind` is how it was smoothed."""
    network = measurement.answered.network
    bundle = network.bundle
    members = f", {len(bundle.members)} networks" if bundle.members else ""
    unlike = measurement.unlike
    return {
        "Model": f"{bundle.name} {bundle.version}: {bundle.spec.name}{members}",
        "SHA-256": bundle.sha256,
        "Backend": f"{network.backend.name}, {network.backend.precision}",
        "Run": network.told(),
        "Smoothing": kind,
        **({} if unlike is None else {"Unlike validation": f"{100 * unlike:.1f}\u00a0% of the frames"}),
        "Intervals": "bootstrap and jackknife over patients, 1,000 draws",
    }


def _floor_cells(measured: Measured, *, ranks: bool) -> Row:
    return {key: Cell.of(measured.numbers[key]) for key in (*_PLAIN, *(("auroc",) if ranks else ()))}


def _cost(network: Network) -> Row:
    """Parameters, and GFLOP a frame as it is run; nothing where torch is not installed."""
    if not find_spec("torch"):
        return {}
    each = [cost(bundle.spec) for bundle in network.bundle.networks]
    again = network.way.length if network.way.mode == "clip" else 1
    return {
        "parameters": Cell(value=sum(one.parameters for one in each)),
        "gflop_per_frame": Cell(
            value=again * sum(one.gflop_per_frame for one in each),
            why="For gray frames of 224 x 288"
            + (f"; a clip of {again} is computed for every frame." if again > 1 else "."),
        ),
    }
