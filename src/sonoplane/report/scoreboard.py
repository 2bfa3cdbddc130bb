"""Networks beside each other in one table: how right, how different from the first, and at what cost."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sonoplane import __version__
from sonoplane.report.cells import Cell
from sonoplane.report.grid import Column, Grid, Row, grid_csv, grid_html, grid_markdown, grid_of, grid_rows
from sonoplane.report.html import render

__all__ = [
    "BOUNDED",
    "CLASS_COLUMNS",
    "COLUMNS",
    "ClassScores",
    "Contender",
    "Scoreboard",
    "classes_grid",
    "scoreboard_grid",
    "write_scoreboard",
]

_RIGHT, _RANKED, _AGAINST = "How right", "How well it ranks", "Against the first"
_COST, _BELIEF = "What it costs", "How far to believe it"

#: All that is told of a network: the one place where a figure's name, words and form stand.
COLUMNS = (
    Column(key="network", head="Network", form="text"),
    Column(key="accuracy", head="Accuracy", group=_RIGHT, told="share of right answers."),
    Column(key="balanced_accuracy", head="Balanced accuracy", group=_RIGHT,
           told="mean over the classes of the share found, so that rare classes count as much as common ones."),
    Column(key="macro_f1", head="Macro F1", group=_RIGHT,
           told="mean F1 of the classes; F1 is high where a class is both found and not claimed falsely."),
    Column(key="weighted_f1", head="Weighted F1", group=_RIGHT, told="the same, each class by how often it is there."),
    Column(key="auroc", head="AUROC", group=_RANKED,
           told="how often a case of the class gets a higher probability than one of another; 0.5 is chance."),
    Column(key="auprc", head="AUPRC", group=_RANKED,
           told="mean precision over all thresholds; chance is the class's share of the labels."),
    Column(key="top_2", head="Top 2", group=_RANKED, told="the truth is among the two likeliest classes."),
    Column(key="top_3", head="Top 3", group=_RANKED, told="the truth is among the three likeliest classes."),
    Column(key="kappa", head="Cohen’s kappa", group=_RIGHT,
           told="agreement with the labels beyond chance; 0 is chance, 1 is perfect."),
    Column(key="recording_accuracy", head="Mean of recordings", group=_RIGHT,
           told="accuracy within each recording: mean ± standard deviation over recordings."),
    Column(key="difference", head="Difference", form="difference", group=_AGAINST,
           told="this network’s score minus the first’s, on the same patients."),
    Column(key="p", head="p", form="p", group=_AGAINST,
           told="how often a difference this large would come by chance if the two were equally good;"
           " corrected for the number of networks compared (Holm)."),
    Column(key="ece", head="Calibration error", group=_BELIEF,
           told="mean gap between the probability stated and the share that is right (ECE); 0 is best."),
    Column(key="mce", head="Largest gap", group=_BELIEF, told="the same for the worst bin of probabilities (MCE)."),
    Column(key="adaptive_ece", head="Adaptive error", group=_BELIEF, told="the first, with equally many in each bin."),
    Column(key="classwise_ece", head="By class", group=_BELIEF, told="the first for each class’s own probability."),
    Column(key="brier", head="Brier score", group=_BELIEF,
           told="squared distance of the probabilities from the truth, 0 to 2; 0 is best."),
    Column(key="nll", head="Log loss", form="decimal", group=_BELIEF,
           told="punishes sure mistakes most (negative log-likelihood); 0 is best."),
    Column(key="parameters", head="Parameters", form="count", group=_COST),
    Column(key="gflop_per_frame", head="GFLOP a frame", form="decimal", group=_COST,
           told="billions of additions and multiplications for each frame."),
    Column(key="ms_per_frame", head="ms a frame", form="decimal", group=_COST,
           told="milliseconds for each frame, measured on this machine."),
    Column(key="memory_mb", head="Memory, MB", form="decimal", group=_COST,
           told="the most that the network held while it ran, with its weights."),
)  # fmt: skip

#: Figures that come with an interval: a table has columns for its ends even where too few patients allow none.
BOUNDED = frozenset({
    "accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "kappa", "auroc", "auprc", "top_2", "top_3",
    "difference", "recall", "precision", "specificity", "npv", "f1",
})  # fmt: skip

#: All that is told of one class.
CLASS_COLUMNS = (
    Column(key="class", head="Class", form="text"),
    Column(key="network", head="Network", form="text"),
    Column(key="recall", head="Found", told="share of the class’s cases that were named so (recall, sensitivity)."),
    Column(key="precision", head="Right when named", told="share of those named so that are (precision)."),
    Column(key="specificity", head="Others left alone", told="share of the other cases not named so (specificity)."),
    Column(key="npv", head="Rightly ruled out",
           told="share of those not named so that are not (negative predictive value)."),
    Column(key="f1", head="F1", told="the harmonic mean of found and right when named."),
    Column(key="auroc", head="AUROC",
           told="how often a case of the class gets a higher probability for it than another case; 0.5 is chance."),
    Column(key="auprc", head="AUPRC", told="mean precision over all thresholds; chance is the class’s share."),
    Column(key="support", head="Labels", form="count"),
    Column(key="patients", head="Patients", form="count"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """One row of the scoreboard: a network, or a floor that answers without one."""

    name: str
    cells: Row
    """By the keys of `COLUMNS`, without `network`; `difference` and `p` are against the first contender."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassScores:
    """What one network scores on one class."""

    name: str
    """The class."""
    network: str
    cells: Row
    """By the keys of `CLASS_COLUMNS`, without `class` and `network`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scoreboard:
    """Everything that is counted about several networks on the same recordings."""

    contenders: tuple[Contender, ...]
    """The first is what the others are compared with."""
    classes: tuple[ClassScores, ...] = ()
    compared: str = "accuracy"
    """The score that `difference` and `p` are of: a key of `COLUMNS`."""
    unit: str = "frame"
    """What is counted: `frame`, `clip`, `recording`, ..."""
    facts: Mapping[str, str | int] = field(default_factory=dict)
    """What it was measured on: `archive`, `task`, `part`, ..."""


def scoreboard_grid(board: Scoreboard) -> Grid:
    """A row for each network."""
    return grid_of(COLUMNS, [{"network": Cell(value=each.name), **each.cells} for each in board.contenders])


def classes_grid(board: Scoreboard) -> Grid:
    """A row for each class and network, a class's rows together; without `network` where there is one alone."""
    order = {name: place for place, name in enumerate(dict.fromkeys(each.name for each in board.classes))}
    several = len({each.network for each in board.classes}) > 1
    rows = [
        {"class": Cell(value=each.name), **({"network": Cell(value=each.network)} if several else {}), **each.cells}
        for each in sorted(board.classes, key=lambda each: order[each.name])
    ]  # fmt: skip
    return grid_of(CLASS_COLUMNS, rows, merged=several)


def compared_words(board: Scoreboard) -> str:
    """What was compared with what, as a sentence."""
    head = next((column.head for column in COLUMNS if column.key == board.compared), board.compared)
    return f"Differences are in {_lower(head)}, {board.unit} by {board.unit}, against {board.contenders[0].name}."


def scoreboard_markdown(board: Scoreboard) -> str:
    """All tables with their footnotes."""
    said = f"\n{compared_words(board)}\n" if len(board.contenders) > 1 else ""
    classes = f"\n**Classes**\n\n{grid_markdown(classes_grid(board))}" if board.classes else ""
    return grid_markdown(scoreboard_grid(board)) + said + classes


def scoreboard_json(board: Scoreboard) -> str:
    """One document: `networks` and `classes`, each number with its interval, its words and what is missing."""
    document = {
        "sonoplane": __version__,
        **board.facts,
        "unit": board.unit,
        "compared": board.compared,
        "networks": grid_rows(scoreboard_grid(board)),
        "classes": grid_rows(classes_grid(board)),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def scoreboard_html(board: Scoreboard) -> str:
    """A page of its own with the same tables."""
    return render(
        "scoreboard.html.j2",
        board=board,
        compared=compared_words(board) if len(board.contenders) > 1 else "",
        networks=grid_html(scoreboard_grid(board)),
        classes=grid_html(classes_grid(board)) if board.classes else "",
    )


def write_scoreboard(folder: Path, board: Scoreboard, *, stem: str = "scoreboard") -> tuple[Path, ...]:
    """Write `<stem>.md`, `.csv`, `.json`, `.html`, and `<stem>-classes.csv`, into a folder that is there."""
    texts = {
        f"{stem}.md": scoreboard_markdown(board),
        f"{stem}.csv": grid_csv(scoreboard_grid(board), bounded=BOUNDED),
        f"{stem}.json": scoreboard_json(board),
        f"{stem}.html": scoreboard_html(board),
    }
    if board.classes:
        texts[f"{stem}-classes.csv"] = grid_csv(classes_grid(board), bounded=BOUNDED)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return tuple(folder / name for name in texts)


def _lower(head: str) -> str:
    """A head inside a sentence: names and abbreviations keep their capitals."""
    return head if head.isupper() or head.startswith("Cohen") else head[0].lower() + head[1:]
