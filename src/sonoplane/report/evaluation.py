"""The measurement of one network becomes a page, a JSON document and tables: the numbers, their doubt, the mistakes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from sonoplane import __version__
from sonoplane.report.cells import Cell, words
from sonoplane.report.confusion import confusion_png, write_confusion
from sonoplane.report.grid import Column, Grid, Row, grid_csv, grid_html, grid_of, grid_rows
from sonoplane.report.html import render
from sonoplane.report.mistakes import Mistake, mistake_figures, write_mistakes
from sonoplane.report.pictures import Picture
from sonoplane.report.scope import Confound, Scope, cautions
from sonoplane.report.scoreboard import (
    COLUMNS,
    ClassScores,
    Contender,
    Scoreboard,
    classes_grid,
    scoreboard_grid,
)
from sonoplane.report.sections import Section, sections_json, sections_shown

__all__ = [
    "EVENT_COLUMNS",
    "Evaluation",
    "LevelScores",
    "RecordingScores",
    "evaluation_html",
    "events_grid",
    "levels_grid",
    "recordings_grid",
    "write_evaluation",
]

#: Recordings, and timelines, on a page at most; files hold all.
MOST_RECORDINGS, MOST_TIMELINES = 20, 12

_PLANES, _KEYFRAMES = "Whether and when", "What a physician is shown"

#: What is told of the planes of a sweep; the row `all planes` sums them up.
EVENT_COLUMNS = (
    Column(key="plane", head="Plane", form="text"),
    Column(key="exams", head="Recordings with it", form="count"),
    Column(key="found", head="Found", group=_PLANES,
           told="share of the recordings with the plane in which it was found at all."),
    Column(key="segment_f1_10", head="Runs F1, 10\u00a0%", group=_PLANES,
           told="F1 of runs of frames; a run counts as found where it overlaps the labelled one by that share (IoU)."),
    Column(key="segment_f1_25", head="25\u00a0%", group=_PLANES),
    Column(key="segment_f1_50", head="50\u00a0%", group=_PLANES),
    Column(key="first_hit_s", head="First hit, s", form="decimal", group=_PLANES,
           told="seconds from the plane’s first labelled frame to the first hit, where there is one (mean)."),
    Column(key="false_alarms_per_minute", head="False alarms a minute", form="decimal", group=_PLANES,
           told="runs named so where the plane is not."),
    Column(key="completeness", head="Complete", group=_PLANES, told="share of all labelled planes that were found."),
    Column(key="retrieval", head="Best key frame right", group=_KEYFRAMES,
           told="share of the planes whose surest key frame carries their label."),
    Column(key="keyframe_precision", head="Key frames right", group=_KEYFRAMES,
           told="the same for all proposed key frames."),
)  # fmt: skip

_LEVEL_COLUMNS = (
    Column(key="level", head="Counted by", form="text"),
    Column(key="network", head="Network", form="text"),
    Column(key="n", head="Number", form="count"),
    *(replace(column, group="", told="") for column in COLUMNS[1:]),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelScores:
    """The scores where frames, clips, segments, recordings or patients are counted."""

    level: str
    network: str
    cells: Row
    """`n` (how many are counted), and keys of `scoreboard.COLUMNS`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordingScores:
    """How the networks do on one recording."""

    recording: str
    patient: str | None = None
    """A pseudonym."""
    target: str | None = None
    """The recording's label; None where its frames have several."""
    n_frames: int | None = None
    """That are labelled."""
    networks: Mapping[str, Cell] = field(default_factory=dict)
    """Name -> share of frames that are right, or the answer for the whole recording."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """All that the page of one network tells; what is left empty is left out."""

    network: str
    scope: Scope
    scores: Row
    """By the keys of `scoreboard.COLUMNS`, without `network`."""
    unit: str = "frame"
    """What `scores` count."""
    headline: str = "accuracy"
    """The key of the score that stands on top."""
    grave: tuple[str, ...] = ()
    """Cautions that stand before all others."""
    cautions: tuple[str, ...] = ()
    """Besides those that `scope.cautions` gives, which the page adds."""
    confound: Confound | None = None
    floors: tuple[Contender, ...] = ()
    """What answers without a network reach, with the same keys."""
    levels: tuple[LevelScores, ...] = ()
    classes: tuple[ClassScores, ...] = ()
    confusion: Int64[np.ndarray, "truth answer"] | None = None
    events: Mapping[str, Row] = field(default_factory=dict)
    """Plane, or `all planes` -> cells by the keys of `EVENT_COLUMNS`, without `plane`."""
    sections: tuple[Section, ...] = ()
    """More tables."""
    belief: tuple[Picture, ...] = ()
    """Reliability, risk and coverage, ..."""
    recordings: tuple[RecordingScores, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    """All of them."""
    shown_mistakes: tuple[Mistake, ...] = ()
    """Those of `mistakes.worst`, with their pictures."""
    timelines: tuple[Picture, ...] = ()
    n_timelines: int = 0
    """How many were written as files in all; 0: those given."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """What it was made with, in the reader's words: model, SHA-256, program, backend, way, seed, ..."""
    settings: Mapping[str, Any] = field(default_factory=dict)


def evaluation_html(evaluation: Evaluation) -> str:
    """One page that needs no other file: for a screen, a phone and paper."""
    e = evaluation
    headline = next(column for column in COLUMNS if column.key == e.headline)
    board = Scoreboard(contenders=(Contender(name=e.network, cells=e.scores), *e.floors), unit=e.unit)
    pictures = [] if e.confusion is None else [_confusion(e.confusion, e.scope.classes)]
    return render(
        "evaluation.html.j2",
        e=e,
        headline=headline,
        headline_words=words(e.scores.get(e.headline, Cell(value=None)), headline.form),
        in_words=in_hundred(e.scores.get(e.headline), e.unit) if e.headline == "accuracy" else "",
        cautions=(*e.grave, *cautions(e.scope, e.confound), *e.cautions),
        scores=grid_html(scoreboard_grid(board)),
        levels=grid_html(levels_grid(e.levels)) if e.levels else "",
        sections=sections_shown(e.sections),
        classes=grid_html(classes_grid(Scoreboard(contenders=(), classes=e.classes))) if e.classes else "",
        confusion=pictures,
        events=grid_html(events_grid(e.events)) if e.events else "",
        recordings=grid_html(recordings_grid(e.recordings, most=MOST_RECORDINGS)) if e.recordings else "",
        n_more_recordings=len(e.recordings) - MOST_RECORDINGS,
        mistakes=mistake_figures(e.shown_mistakes),
        timelines=e.timelines[:MOST_TIMELINES],
        n_timelines=max(e.n_timelines, len(e.timelines)),
        settings=json.dumps(e.settings, indent=2, ensure_ascii=False, default=str),
    )


def evaluation_json(evaluation: Evaluation) -> str:
    """All numbers as one document; pictures and mistakes are files of their own."""
    e = evaluation
    board = Scoreboard(contenders=(Contender(name=e.network, cells=e.scores), *e.floors), classes=e.classes)
    document = {
        "sonoplane": __version__,
        "network": e.network,
        "scope": asdict(e.scope),
        "unit": e.unit,
        "scores": grid_rows(scoreboard_grid(board))[0],
        "floors": grid_rows(scoreboard_grid(board))[1:],
        "levels": grid_rows(levels_grid(e.levels)),
        "sections": sections_json(e.sections),
        "classes": grid_rows(classes_grid(board)),
        "confusion": None if e.confusion is None else e.confusion.tolist(),
        "events": grid_rows(events_grid(e.events)),
        "recordings": grid_rows(recordings_grid(e.recordings)),
        "n_mistakes": len(e.mistakes),
        "cautions": [*e.grave, *cautions(e.scope, e.confound), *e.cautions],
        "confound": None if e.confound is None else asdict(e.confound),
        "provenance": dict(e.provenance),
        "settings": dict(e.settings),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def write_evaluation(folder: Path, evaluation: Evaluation) -> tuple[Path, ...]:
    """Write into a folder that is there what the evaluation has, and return the files.

    `evaluation.html`, `evaluation.json`, `classes.csv`, `levels.csv`, `events.csv`, `by-recording.csv`, `mistakes.csv`
    and `.png`, `confusion.png` and `.svg`.

    Raises:
        MissingExtra: there is something to draw, and matplotlib is not installed.
    """
    e = evaluation
    texts = {
        "evaluation.html": evaluation_html(e),
        "evaluation.json": evaluation_json(e),
        "classes.csv": grid_csv(classes_grid(Scoreboard(contenders=(), classes=e.classes)))
        if e.classes
        else "",
        "levels.csv": grid_csv(levels_grid(e.levels)) if e.levels else "",
        "events.csv": grid_csv(events_grid(e.events)) if e.events else "",
        "by-recording.csv": grid_csv(recordings_grid(e.recordings)) if e.recordings else "",
    }
    paths = [folder / name for name, text in texts.items() if text]
    for path in paths:
        path.write_text(texts[path.name], encoding="utf-8", newline="\n")
    paths += write_mistakes(folder, e.mistakes, e.shown_mistakes)
    if e.confusion is not None:
        paths += write_confusion(folder, e.confusion, e.scope.classes)
    return tuple(paths)


def levels_grid(levels: Sequence[LevelScores]) -> Grid:
    """A row for each level, or for each level and network where there are several."""
    several = len({each.network for each in levels}) > 1
    order = {level: place for place, level in enumerate(dict.fromkeys(each.level for each in levels))}
    rows = [
        {"level": Cell(value=each.level), **({"network": Cell(value=each.network)} if several else {}), **each.cells}
        for each in sorted(levels, key=lambda each: order[each.level])
    ]  # fmt: skip
    return grid_of(_LEVEL_COLUMNS, rows, merged=several)


def events_grid(events: Mapping[str, Row]) -> Grid:
    """A row for each plane."""
    return grid_of(EVENT_COLUMNS, [{"plane": Cell(value=plane), **row} for plane, row in events.items()])


def recordings_grid(recordings: Sequence[RecordingScores], *, most: int | None = None) -> Grid:
    """A row for each recording and a column for each network, the worst recordings first."""
    names = list(dict.fromkeys(name for each in recordings for name in each.networks))
    columns = [
        Column(key="recording", head="Recording", form="text"),
        Column(key="patient", head="Patient", form="text"),
        Column(key="target", head="Label", form="text"),
        Column(key="frames", head="Labelled frames", form="count"),
        *(Column(key=f"network:{name}", head=name) for name in names),
    ]
    rows = []
    for each in sorted(recordings, key=_worst)[:most]:
        known = {
            "recording": each.recording,
            "patient": each.patient,
            "target": each.target,
            "frames": each.n_frames,
        }
        cells = {key: Cell(value=value) for key, value in known.items() if value is not None}
        rows.append({**cells, **{f"network:{name}": cell for name, cell in each.networks.items()}})
    return grid_of(columns, rows)


def in_hundred(cell: Cell | None, unit: str) -> str:
    """An accuracy as frequencies, which are understood better than shares.

    >>> in_hundred(Cell(value=0.83, low=0.79, high=0.87), "frame")
    'Of 100 labelled frames, about 83 are named rightly; for patients like these in general, 79 to 87 (95 % interval).'
    """
    if cell is None or cell.value is None or isinstance(cell.value, str):
        return ""
    said = f"Of 100 labelled {unit}s, about {100 * cell.value:.0f} are named rightly"
    if cell.low is None or cell.high is None:
        return f"{said}; no interval: {cell.why.rstrip('.')}." if cell.why else f"{said}."
    return (
        f"{said}; for patients like these in general, {100 * cell.low:.0f} to {100 * cell.high:.0f}"
        " (95 % interval)."
    )


def _worst(each: RecordingScores) -> tuple[float, str]:
    """Mean of what is a number, so that what all fail on comes first."""
    numbers = [
        float(c.value) for c in each.networks.values() if c.value is not None and not isinstance(c.value, str)
    ]
    return (sum(numbers) / len(numbers) if numbers else 2.0, each.recording)


def _confusion(matrix: Int64[np.ndarray, "truth answer"], classes: tuple[str, ...]) -> Picture:
    return Picture(
        title="What is taken for what",
        caption="A row for each true class: how its labelled frames were answered, in percent, with counts. What is"
        " right lies on the diagonal.",
        data=confusion_png(matrix, classes),
    )
