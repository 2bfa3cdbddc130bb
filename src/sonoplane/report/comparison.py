"""Several networks on the same recordings become a page and tables: who is better, where, and how surely."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sonoplane import __version__
from sonoplane.report.comparison_tables import (
    Agreement,
    Differences,
    agreement_grid,
    differences_csv,
    differences_grid,
    differences_rows,
    verdicts,
)
from sonoplane.report.evaluation import MOST_RECORDINGS, MOST_TIMELINES
from sonoplane.report.grid import Grid, Row, grid_csv, grid_html, grid_markdown, grid_of, grid_rows
from sonoplane.report.html import render
from sonoplane.report.measured import (
    LevelScores,
    RecordingScores,
    events_csv,
    events_grid,
    levels_csv,
    levels_grid,
    networks_events_grid,
    recordings_grid,
)
from sonoplane.report.mistakes import Mistake, mistake_figures, write_mistakes
from sonoplane.report.pictures import Picture
from sonoplane.report.scope import Confound, Scope, cautions
from sonoplane.report.scoreboard import (
    Scoreboard,
    classes_grid,
    compared_words,
    scoreboard_grid,
    write_scoreboard,
)
from sonoplane.report.sections import Section, sections_json, sections_shown

__all__ = ["Comparison", "comparison_html", "write_comparison"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """All that the page of several networks tells; what is left empty is left out."""

    scope: Scope
    boards: tuple[Scoreboard, ...]
    """Networks, the first being what others are compared with, then floors; the first board is the headline, others
    count the same answers in another unit and stand below it."""
    n_networks: int
    """How many of a board's contenders are networks; the rest are floors."""
    differences: tuple[Differences, ...] = ()
    """Of the networks to the first, for the units of `boards`."""
    events: Mapping[str, Mapping[str, Row]] = field(default_factory=dict)
    """Network -> plane, or `ALL_PLANES` -> cells by the keys of `EVENT_COLUMNS`, without `plane`."""
    cautions: tuple[str, ...] = ()
    """Besides those that `scope.cautions` gives, which the page adds."""
    confound: Confound | None = None
    levels: tuple[LevelScores, ...] = ()
    agreement: tuple[Agreement, ...] = ()
    sections: tuple[Section, ...] = ()
    """More tables."""
    belief: tuple[Picture, ...] = ()
    recordings: tuple[RecordingScores, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    """All of all networks."""
    shown_mistakes: tuple[Mistake, ...] = ()
    """Those of `mistakes.worst`, with their pictures."""
    timelines: tuple[Picture, ...] = ()
    n_timelines: int = 0
    """How many were written as files in all; 0: those given."""
    provenance: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Network -> what it is and how it was run, in the reader's words."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)
    """Every number as a plain value, for the JSON document."""

    @property
    def board(self) -> Scoreboard:
        """The headline's."""
        return self.boards[0]


def comparison_html(comparison: Comparison) -> str:
    """One page that needs no other file: for a screen, a phone and paper."""
    c = comparison
    return render(
        "comparison.html.j2",
        c=c,
        networks=c.board.contenders[: c.n_networks],
        verdicts=verdicts(c.board, c.n_networks),
        compared=compared_words(c.board),
        cautions=(*cautions(c.scope, c.confound), *c.cautions),
        whole=_shown(c, c.board),
        below=[_shown(c, board) for board in c.boards[1:]],
        events=grid_html(networks_events_grid(c.events)) if c.events else "",
        levels=grid_html(levels_grid(c.levels)) if c.levels else "",
        sections=sections_shown(c.sections),
        agreement=grid_html(agreement_grid(c.agreement)) if c.agreement else "",
        recordings=grid_html(recordings_grid(c.recordings, most=MOST_RECORDINGS)) if c.recordings else "",
        n_more_recordings=len(c.recordings) - MOST_RECORDINGS,
        mistakes=mistake_figures(c.shown_mistakes),
        timelines=c.timelines[:MOST_TIMELINES],
        n_timelines=max(c.n_timelines, len(c.timelines)),
        settings=json.dumps(c.settings, indent=2, ensure_ascii=False, default=str),
    )


def write_comparison(folder: Path, comparison: Comparison) -> tuple[Path, ...]:
    """Write into a folder that is there what the comparison has, and return the files.

    `comparison.html`, `.md`, `.json`, those of `write_scoreboard`, `differences.csv`, `levels.csv`, `events.csv`,
    `agreement.csv`, `by-recording.csv`, `mistakes.csv` and `.png`. Where recordings come first, frames have those of
    `write_scoreboard` as `scoreboard-frames`.

    Raises:
        MissingExtra: there are mistakes to draw, and matplotlib is not installed.
    """
    c = comparison
    texts = {
        "comparison.html": comparison_html(c),
        "comparison.md": comparison_markdown(c),
        "comparison.json": comparison_json(c),
        "differences.csv": differences_csv(c.differences),
        "levels.csv": levels_csv(c.levels),
        "events.csv": events_csv(c.events),
        "agreement.csv": grid_csv(agreement_grid(c.agreement)) if c.agreement else "",
        "by-recording.csv": grid_csv(recordings_grid(c.recordings)) if c.recordings else "",
    }
    paths = [folder / name for name, text in texts.items() if text]
    for path in paths:
        path.write_text(texts[path.name], encoding="utf-8", newline="\n")
    for place, board in enumerate(c.boards):
        paths += write_scoreboard(folder, board, stem=f"scoreboard-{board.unit}s" if place else "scoreboard")
    paths += write_mistakes(folder, c.mistakes, c.shown_mistakes)
    return tuple(paths)


def comparison_json(comparison: Comparison) -> str:
    """All numbers as one document; pictures and mistakes are files of their own."""
    c = comparison
    document = {
        "sonoplane": __version__,
        "scope": asdict(c.scope),
        **_document(c, c.board),
        "below": [_document(c, board) for board in c.boards[1:]],
        "differences": differences_rows(c.differences),
        "events": {name: grid_rows(events_grid(events)) for name, events in c.events.items()},
        "levels": grid_rows(levels_grid(c.levels)),
        "sections": sections_json(c.sections),
        "agreement": grid_rows(agreement_grid(c.agreement)),
        "recordings": grid_rows(recordings_grid(c.recordings)),
        "n_mistakes": len(c.mistakes),
        "cautions": [*cautions(c.scope, c.confound), *c.cautions],
        "confound": None if c.confound is None else asdict(c.confound),
        "provenance": {name: dict(facts) for name, facts in c.provenance.items()},
        "settings": dict(c.settings),
        "measured": dict(c.measured),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def comparison_markdown(comparison: Comparison) -> str:
    """What can be said and every table, for a note or a pull request."""
    c = comparison
    said = [f"- {verdict}" for verdict in verdicts(c.board, c.n_networks)]
    warned = [f"- {caution}" for caution in (*cautions(c.scope, c.confound), *c.cautions)]
    texts = [
        f"# Comparison: {c.scope.task}, {c.scope.where}",
        *(["\n".join(said), compared_words(c.board)] if said else []),
        *(["**Before you conclude**", "\n".join(warned)] if warned else []),
        *(f"## {title}\n\n{grid_markdown(grid).rstrip()}" for title, grid in _tables(c) if grid.rows),
    ]
    return "\n\n".join(texts) + "\n"


def _tables(c: Comparison) -> list[tuple[str, Grid]]:
    """Every table but that of recordings, with its title, in the order of the page."""
    counted = [
        table
        for board in c.boards
        for table in (
            (_by(c, "Scoreboard", board), scoreboard_grid(board)),
            *((_by(c, one.title, board), differences_grid(one)) for one in c.differences if one.unit == board.unit),
            (_by(c, "Classes", board), classes_grid(board)),
        )
    ]  # fmt: skip
    return [
        *counted,
        ("Planes found in sweeps", networks_events_grid(c.events)),
        ("Frames, recordings, patients", levels_grid(c.levels)),
        *((section.title, grid_of(section.columns, section.rows)) for section in c.sections),
        ("Agreement", agreement_grid(c.agreement)),
    ]


def _by(c: Comparison, title: str, board: Scoreboard) -> str:
    """The title with what is counted, where there are several boards."""
    return title if len(c.boards) == 1 else f"{title}, {board.unit} by {board.unit}"


def _shown(c: Comparison, board: Scoreboard) -> dict[str, Any]:
    """The tables of one unit for the page."""
    return {
        "unit": board.unit,
        "scores": grid_html(scoreboard_grid(board)),
        "classes": grid_html(classes_grid(board)) if board.classes else "",
        "differences": [
            (one.title, one.lead, grid_html(differences_grid(one)))
            for one in c.differences
            if one.unit == board.unit and one.rows
        ],
    }


def _document(c: Comparison, board: Scoreboard) -> dict[str, Any]:
    """The same for the JSON document."""
    rows = grid_rows(scoreboard_grid(board))
    return {
        "unit": board.unit,
        "compared": board.compared,
        "networks": rows[: c.n_networks],
        "floors": rows[c.n_networks :],
        "classes": grid_rows(classes_grid(board)),
    }
