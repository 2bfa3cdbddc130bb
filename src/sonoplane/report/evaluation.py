"""The measurement of one network becomes a page, a JSON document and tables: the numbers, their doubt, the mistakes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from sonoplane import __version__
from sonoplane.report.cells import Cell, words
from sonoplane.report.confusion import confusion_png, write_confusion
from sonoplane.report.grid import Row, grid_csv, grid_html, grid_rows
from sonoplane.report.html import render
from sonoplane.report.measured import (
    LevelScores,
    RecordingScores,
    events_csv,
    events_grid,
    levels_csv,
    levels_grid,
    recordings_grid,
)
from sonoplane.report.mistakes import Mistake, mistake_figures, write_mistakes
from sonoplane.report.pictures import Picture
from sonoplane.report.scope import Confound, Scope, cautions
from sonoplane.report.scoreboard import (
    BOUNDED,
    COLUMNS,
    ClassScores,
    Contender,
    Scoreboard,
    classes_grid,
    scoreboard_grid,
)
from sonoplane.report.sections import Section, sections_json, sections_shown

__all__ = [
    "MOST_RECORDINGS",
    "MOST_TIMELINES",
    "Counted",
    "Evaluation",
    "evaluation_html",
    "write_evaluation",
]

#: Recordings, and timelines, on a page at most; files hold all.
MOST_RECORDINGS, MOST_TIMELINES = 20, 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """How right one network is, frame by frame or recording by recording."""

    unit: str
    """What is counted: `frame`, `recording`, ..."""
    scores: Row
    """By the keys of `scoreboard.COLUMNS`, without `network`."""
    floors: tuple[Contender, ...] = ()
    """What answers without a network reach, with the same keys."""
    classes: tuple[ClassScores, ...] = ()
    confusion: Int64[np.ndarray, "truth answer"] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """All that the page of one network tells; what is left empty is left out."""

    network: str
    scope: Scope
    counted: tuple[Counted, ...]
    """The first is the headline; the others stand below it."""
    headline: str = "accuracy"
    """The key of the score that stands on top."""
    grave: tuple[str, ...] = ()
    """Cautions that stand before all others."""
    cautions: tuple[str, ...] = ()
    """Besides those that `scope.cautions` gives, which the page adds."""
    confound: Confound | None = None
    levels: tuple[LevelScores, ...] = ()
    events: Mapping[str, Row] = field(default_factory=dict)
    """Plane, or `ALL_PLANES` -> cells by the keys of `EVENT_COLUMNS`, without `plane`."""
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
    measured: Mapping[str, Any] = field(default_factory=dict)
    """Every number as a plain value, for the JSON document."""


def evaluation_html(evaluation: Evaluation) -> str:
    """One page that needs no other file: for a screen, a phone and paper."""
    e = evaluation
    headline = next(column for column in COLUMNS if column.key == e.headline)
    whole, *below = [_shown(e, one) for one in e.counted]
    first = e.counted[0]
    return render(
        "evaluation.html.j2",
        e=e,
        headline=headline,
        headline_words=words(first.scores.get(e.headline, Cell(value=None)), headline.form),
        in_words=in_hundred(first.scores.get(e.headline), first.unit) if e.headline == "accuracy" else "",
        cautions=(*e.grave, *cautions(e.scope, e.confound), *e.cautions),
        whole=whole,
        below=below,
        levels=grid_html(levels_grid(e.levels)) if e.levels else "",
        sections=sections_shown(e.sections),
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
    whole, *below = [_document(e, one) for one in e.counted]
    document = {
        "sonoplane": __version__,
        "network": e.network,
        "scope": asdict(e.scope),
        **whole,
        "below": below,
        "levels": grid_rows(levels_grid(e.levels)),
        "sections": sections_json(e.sections),
        "events": grid_rows(events_grid(e.events)),
        "recordings": grid_rows(recordings_grid(e.recordings)),
        "n_mistakes": len(e.mistakes),
        "cautions": [*e.grave, *cautions(e.scope, e.confound), *e.cautions],
        "confound": None if e.confound is None else asdict(e.confound),
        "provenance": dict(e.provenance),
        "settings": dict(e.settings),
        "measured": dict(e.measured),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def write_evaluation(folder: Path, evaluation: Evaluation) -> tuple[Path, ...]:
    """Write into a folder that is there what the evaluation has, and return the files.

    `evaluation.html`, `evaluation.json`, `levels.csv`, `events.csv`, `by-recording.csv`, `classes.csv`, `mistakes.csv`
    and `.png`, `confusion.png` and `.svg`. Where recordings come first, frames have `classes-frames.csv` and
    `confusion-frames.png` and `.svg`.

    Raises:
        MissingExtra: there is something to draw, and matplotlib is not installed.
    """
    e = evaluation
    ends = ["", *(f"-{one.unit}s" for one in e.counted[1:])]
    texts = {
        "evaluation.html": evaluation_html(e),
        "evaluation.json": evaluation_json(e),
        "levels.csv": levels_csv(e.levels),
        "events.csv": events_csv({e.network: e.events}),
        "by-recording.csv": grid_csv(recordings_grid(e.recordings)) if e.recordings else "",
        **{
            f"classes{end}.csv": grid_csv(classes_grid(_board(e, one)), bounded=BOUNDED)
            for end, one in zip(ends, e.counted, strict=True)
            if one.classes
        },
    }
    paths = [folder / name for name, text in texts.items() if text]
    for path in paths:
        path.write_text(texts[path.name], encoding="utf-8", newline="\n")
    paths += write_mistakes(folder, e.mistakes, e.shown_mistakes)
    for end, one in zip(ends, e.counted, strict=True):
        if one.confusion is not None:
            paths += write_confusion(folder, one.confusion, e.scope.classes, stem=f"confusion{end}")
    return tuple(paths)


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


def _board(evaluation: Evaluation, one: Counted) -> Scoreboard:
    network = Contender(name=evaluation.network, cells=one.scores)
    return Scoreboard(contenders=(network, *one.floors), classes=one.classes, unit=one.unit)


def _shown(evaluation: Evaluation, one: Counted) -> dict[str, Any]:
    """The tables and the plot for the page."""
    board, classes = _board(evaluation, one), evaluation.scope.classes
    return {
        "unit": one.unit,
        "floors": bool(one.floors),
        "scores": grid_html(scoreboard_grid(board)),
        "classes": grid_html(classes_grid(board)) if one.classes else "",
        "confusion": None if one.confusion is None else _confusion(one.confusion, classes, one.unit),
    }


def _document(evaluation: Evaluation, one: Counted) -> dict[str, Any]:
    """The same for the JSON document."""
    board = _board(evaluation, one)
    scores, *floors = grid_rows(scoreboard_grid(board))
    return {
        "unit": one.unit,
        "scores": scores,
        "floors": floors,
        "classes": grid_rows(classes_grid(board)),
        "confusion": None if one.confusion is None else one.confusion.tolist(),
    }


def _confusion(matrix: Int64[np.ndarray, "truth answer"], classes: tuple[str, ...], unit: str) -> Picture:
    return Picture(
        title="What is taken for what",
        caption=f"A row for each true class: how its labelled {unit}s were answered, in percent, with counts. What is"
        " right lies on the diagonal.",
        data=confusion_png(matrix, classes),
    )
