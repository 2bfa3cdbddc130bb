"""Several networks on the same recordings become a page and tables: who is better, where, and how surely."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sonoplane import __version__
from sonoplane.report.cells import Cell, words
from sonoplane.report.evaluation import (
    MOST_RECORDINGS,
    MOST_TIMELINES,
    LevelScores,
    RecordingScores,
    levels_grid,
    recordings_grid,
)
from sonoplane.report.grid import Column, Grid, Row, grid_csv, grid_html, grid_of, grid_rows
from sonoplane.report.html import render
from sonoplane.report.mistakes import Mistake, mistake_figures, write_mistakes
from sonoplane.report.pictures import Picture
from sonoplane.report.scope import Confound, Scope, cautions
from sonoplane.report.scoreboard import (
    COLUMNS,
    Scoreboard,
    classes_grid,
    compared_words,
    scoreboard_grid,
    write_scoreboard,
)
from sonoplane.report.sections import Section, sections_json, sections_shown

__all__ = ["AGREEMENT_COLUMNS", "Agreement", "Comparison", "comparison_html", "write_comparison"]

#: What is told of two networks' answers to the same frames.
AGREEMENT_COLUMNS = (
    Column(key="first", head="Network", form="text"),
    Column(key="second", head="and", form="text"),
    Column(key="agreement", head="Same answer", told="share of labelled frames on which both say the same."),
    Column(key="kappa", head="Cohen’s kappa", told="the same beyond chance; 0 is chance, 1 is always."),
    Column(key="both_right", head="Both right"),
    Column(key="first_only", head="First alone right"),
    Column(key="second_only", head="Second alone right"),
    Column(key="both_wrong", head="Both wrong", told="hard frames, or wrong labels: worth a look."),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """How alike two networks answer."""

    first: str
    second: str
    cells: Row
    """By the keys of `AGREEMENT_COLUMNS`, without `first` and `second`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """All that the page of several networks tells; what is left empty is left out."""

    scope: Scope
    board: Scoreboard
    """Networks, the first being what others are compared with, then floors."""
    n_networks: int
    """How many of the board's contenders are networks; the rest are floors."""
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
        scores=grid_html(scoreboard_grid(c.board)),
        levels=grid_html(levels_grid(c.levels)) if c.levels else "",
        sections=sections_shown(c.sections),
        classes=grid_html(classes_grid(c.board)) if c.board.classes else "",
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

    `comparison.html`, `comparison.json`, those of `write_scoreboard`, `levels.csv`, `agreement.csv`,
    `by-recording.csv`, `mistakes.csv` and `.png`.

    Raises:
        MissingExtra: there are mistakes to draw, and matplotlib is not installed.
    """
    c = comparison
    texts = {
        "comparison.html": comparison_html(c),
        "comparison.json": comparison_json(c),
        "levels.csv": grid_csv(levels_grid(c.levels)) if c.levels else "",
        "agreement.csv": grid_csv(agreement_grid(c.agreement)) if c.agreement else "",
        "by-recording.csv": grid_csv(recordings_grid(c.recordings)) if c.recordings else "",
    }
    paths = [folder / name for name, text in texts.items() if text]
    for path in paths:
        path.write_text(texts[path.name], encoding="utf-8", newline="\n")
    paths += write_scoreboard(folder, c.board)
    paths += write_mistakes(folder, c.mistakes, c.shown_mistakes)
    return tuple(paths)


def comparison_json(comparison: Comparison) -> str:
    """All numbers as one document; pictures and mistakes are files of their own."""
    c = comparison
    document = {
        "sonoplane": __version__,
        "scope": asdict(c.scope),
        "unit": c.board.unit,
        "compared": c.board.compared,
        "networks": grid_rows(scoreboard_grid(c.board))[: c.n_networks],
        "floors": grid_rows(scoreboard_grid(c.board))[c.n_networks :],
        "classes": grid_rows(classes_grid(c.board)),
        "levels": grid_rows(levels_grid(c.levels)),
        "sections": sections_json(c.sections),
        "agreement": grid_rows(agreement_grid(c.agreement)),
        "recordings": grid_rows(recordings_grid(c.recordings)),
        "n_mistakes": len(c.mistakes),
        "cautions": [*cautions(c.scope, c.confound), *c.cautions],
        "confound": None if c.confound is None else asdict(c.confound),
        "provenance": {name: dict(facts) for name, facts in c.provenance.items()},
        "settings": dict(c.settings),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def agreement_grid(agreement: Sequence[Agreement]) -> Grid:
    """A row for each two networks."""
    rows = [{"first": Cell(value=a.first), "second": Cell(value=a.second), **a.cells} for a in agreement]
    return grid_of(AGREEMENT_COLUMNS, rows)


def verdicts(board: Scoreboard, n_networks: int) -> list[str]:
    """What the differences allow to say, a sentence for each network after the first.

    A difference whose interval includes 0 is no difference that these patients can show; that is not equality.

    >>> from sonoplane.report.scoreboard import Contender
    >>> cells = {"difference": Cell(value=0.04, low=-0.01, high=0.09)}
    >>> verdicts(Scoreboard(contenders=(Contender(name="2D", cells={}), Contender(name="3D", cells=cells))), 2)
    ['Whether 3D is better than 2D cannot be said from these patients: +0.04 (−0.01 to +0.09).']
    """
    first, *others = board.contenders[:n_networks]
    form = next(column.form for column in COLUMNS if column.key == "difference")
    told = []
    for other in others:
        cell = other.cells.get("difference")
        if cell is None or cell.value is None or isinstance(cell.value, str):
            continue
        said = words(cell, form)
        p = other.cells.get("p")
        if p is not None and p.value is not None:
            shown = words(p, "p")
            said += f", p\u00a0{shown}" if shown.startswith(("<", ">")) else f", p\u00a0=\u00a0{shown}"
        sure = cell.low is not None and cell.high is not None and (cell.low > 0 or cell.high < 0)
        if sure and not (p and isinstance(p.value, float) and p.value >= 0.05):
            told.append(
                f"{other.name} is {'better' if cell.value > 0 else 'worse'} than {first.name}: {said}."
            )
        else:
            better = "better" if cell.value >= 0 else "worse"
            told.append(
                f"Whether {other.name} is {better} than {first.name} cannot be said from these patients: {said}."
            )
    return told
