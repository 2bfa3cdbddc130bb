"""Numbers become the rows of tables."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from sonoplane.metrics.answers import Answers, Level
from sonoplane.metrics.confound_verdict import judge_confounds, verdict_words
from sonoplane.metrics.confounds import ConfoundAudit
from sonoplane.metrics.events_measure import EventsMeasured
from sonoplane.metrics.levels import to_recordings, to_segments
from sonoplane.metrics.measure import Measured, measure
from sonoplane.models.cost import cost
from sonoplane.report.cells import Cell
from sonoplane.report.grid import Row
from sonoplane.report.measured import ALL_PLANES, LevelScores, RecordingScores
from sonoplane.report.scope import Confound, Scope
from sonoplane.report.scoreboard import COLUMNS, ClassScores, Contender
from sonoplane.steps.answering import Network
from sonoplane.steps.asked import Asked
from sonoplane.steps.floors import COMMONEST
from sonoplane.steps.measuring import Measurement
from sonoplane.steps.pace import ONE_MEMBER

__all__ = [
    "class_rows",
    "confound_of",
    "cost_cells",
    "event_rows",
    "floor_rows",
    "level_rows",
    "provenance_of",
    "recording_rows",
    "scope_of",
    "score_cells",
]

_PLAIN = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "kappa")


def score_cells(measurement: Measurement, unit: Level) -> Row:
    """All figures of a network over frames or recordings, by the keys of the scoreboard; what it costs stands once."""
    known = {column.key for column in COLUMNS}
    numbers = measurement.levels[unit].numbers
    return {
        **{key: Cell.of(number) for key, number in numbers.items() if key in known},
        **(_by_frame(measurement) if unit == "frame" else {}),
        **(cost_cells(measurement.answered.network) if unit == measurement.units[0] else {}),
    }


def _by_frame(measurement: Measurement) -> Row:
    """What is told of frames alone: how recordings differ, and belief."""
    last = list(measurement.beliefs.values())[-1]
    return {
        "recording_accuracy": Cell(value=measurement.recordings.mean, spread=measurement.recordings.sd),
        **{key: Cell(value=getattr(last, key)) for key in ("ece", "mce", "adaptive_ece", "classwise_ece")},
        "brier": Cell.of(measurement.brier),
        "nll": Cell.of(measurement.nll),
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


def class_rows(measurement: Measurement, unit: Level) -> tuple[ClassScores, ...]:
    """A row for each class, over frames or recordings."""
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
        for one in measurement.levels[unit].classes
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
    rows[ALL_PLANES] = {
        "exams": Cell(value=events.n_recordings),
        **{key: Cell.of(number) for key, number in events.numbers.items()},
    }
    return rows


def recording_rows(measurements: Sequence[Measurement]) -> tuple[RecordingScores, ...]:
    """A row for each recording with a labelled frame; what each was named, where each has one label."""
    asked = measurements[0].answered.asked
    wholes = measurements[0].counted("recording")
    one_label = measurements[0].units[0] == "recording"
    target = dict(zip(wholes.recordings.tolist(), wholes.targets.tolist(), strict=True))
    return tuple(
        RecordingScores(
            recording=name,
            patient=asked.store.entry(name).patient,
            target=asked.classes[target[name]] if target[name] >= 0 else None,
            n_frames=int((asked.targets[name] >= 0).sum()),
            networks={m.name: Cell(value=m.recordings.values[name]) for m in measurements},
            answered={m.name: m.answered.watched[name].findings.label for m in measurements if one_label},
        )
        for name in measurements[0].recordings.values
    )


def floor_rows(floors: Mapping[str, Answers], unit: Level, leave_out: str | None) -> tuple[Contender, ...]:
    """Floors as rows of the scoreboard of frames or recordings; `leave_out` is no answer for a recording."""
    counted = {
        name: answers if unit == "frame" else to_recordings(answers, leave_out=leave_out)
        for name, answers in floors.items()
    }
    return tuple(
        Contender(name=name, cells=_floor_cells(measure(answers, top=()), ranks=name != COMMONEST))
        for name, answers in counted.items()
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


def cost_cells(network: Network) -> Row:
    """Parameters, and GFLOP a frame as it is run; nothing where torch is not installed."""
    if not find_spec("torch"):
        return {}
    one = ONE_MEMBER if network.members else ""
    height, width = network.bundle.card.size
    each = [cost(bundle.spec, (height, width)) for bundle in network.bundle.networks[: 1 if one else None]]
    again = network.way.length if network.way.mode == "clip" else 1
    told = f"For the network’s input, {height} x {width}" + (
        f"; a clip of {again} is computed for every frame." if again > 1 else "."
    )
    return {
        "parameters": Cell(value=sum(one.parameters for one in each), why=one),
        "gflop_per_frame": Cell(
            value=again * sum(one.gflop_per_frame for one in each), why=f"{told} {one}".rstrip()
        ),
    }


def _floor_cells(measured: Measured, *, ranks: bool) -> Row:
    return {key: Cell.of(measured.numbers[key]) for key in (*_PLAIN, *(("auroc",) if ranks else ()))}
