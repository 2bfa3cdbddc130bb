"""What two networks have over each other, and how alike they answer, as tables and as sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sonoplane.report.cells import Cell, words
from sonoplane.report.grid import Column, Grid, Row, grid_csv, grid_of, grid_rows
from sonoplane.report.scoreboard import COLUMNS, Scoreboard

__all__ = [
    "AGREEMENT_COLUMNS",
    "DIFFERENCE_COLUMNS",
    "Agreement",
    "Differences",
    "agreement_grid",
    "differences_csv",
    "differences_grid",
    "differences_rows",
    "verdicts",
]

_UNIT = Column(key="unit", head="Counted by", form="text")

#: What is told of one figure of two networks.
DIFFERENCE_COLUMNS = (
    Column(key="network", head="Network", form="text"),
    Column(key="number", head="Figure", form="text"),
    Column(key="own", head="Its own"),
    Column(key="first", head="The first’s"),
    Column(key="difference", head="Difference", form="difference", told="its own minus the first’s."),
    Column(key="p", head="p", form="p",
           told="how often a difference this large would come by chance if the two were equally good."),
    Column(key="p_corrected", head="p, corrected", form="p", told="for the number of networks compared (Holm)."),
    Column(key="test", head="Test", form="text",
           told="patients’ answers are swapped between the two: exact where in every way, drawn where at random."),
)  # fmt: skip

#: What is told of two networks' answers to the same frames or recordings.
AGREEMENT_COLUMNS = (
    _UNIT,
    Column(key="first", head="Network", form="text"),
    Column(key="second", head="and", form="text"),
    Column(key="agreement", head="Same answer", told="share of what is labelled on which both say the same."),
    Column(key="kappa", head="Cohen’s kappa", told="the same beyond chance; 0 is chance, 1 is always."),
    Column(key="both_right", head="Both right"),
    Column(key="first_only", head="First alone right"),
    Column(key="second_only", head="Second alone right"),
    Column(key="both_wrong", head="Both wrong", told="hard to tell, or wrong labels: worth a look."),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Differences:
    """What networks have over the first, figure by figure."""

    unit: str
    """What is counted: `frame`, `recording`."""
    first: str
    """The network that the others are compared with."""
    rows: tuple[Row, ...]
    """By the keys of `DIFFERENCE_COLUMNS`."""

    @property
    def title(self) -> str:
        """Of its table."""
        return f"Against {self.first}"

    @property
    def lead(self) -> str:
        """What it says, in plain words."""
        return (
            f"Each network’s figure minus the first’s, {self.unit} by {self.unit}, on the same patients, who are drawn"
            " for both alike."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """How alike two networks answer."""

    first: str
    second: str
    cells: Row
    """By the keys of `AGREEMENT_COLUMNS`, without `unit`, `first` and `second`."""
    unit: str = "frame"
    """What is counted."""


def differences_grid(differences: Differences) -> Grid:
    """A row for each network and figure, a network's rows together."""
    return grid_of(DIFFERENCE_COLUMNS, differences.rows, merged=True)


def differences_csv(differences: Sequence[Differences]) -> str:
    """All of them as CSV, with what is counted and the network compared with; empty where there is none."""
    grid = _whole(differences)
    return grid_csv(grid, bounded=["difference"]) if grid.rows else ""


def differences_rows(differences: Sequence[Differences]) -> list[dict[str, Any]]:
    """The same for a JSON document."""
    return grid_rows(_whole(differences))


def agreement_grid(agreement: Sequence[Agreement]) -> Grid:
    """A row for each two networks; what is counted where that differs."""
    several = len({each.unit for each in agreement}) > 1
    rows = [
        {
            **({"unit": Cell(value=f"{each.unit}s")} if several else {}),
            "first": Cell(value=each.first),
            "second": Cell(value=each.second),
            **each.cells,
        }
        for each in agreement
    ]
    return grid_of(AGREEMENT_COLUMNS, rows, merged=several)


def _whole(differences: Sequence[Differences]) -> Grid:
    against = Column(key="against", head="Against", form="text")
    rows = [
        {"unit": Cell(value=f"{one.unit}s"), "against": Cell(value=one.first), **row}
        for one in differences
        for row in one.rows
    ]
    return grid_of([_UNIT, against, *DIFFERENCE_COLUMNS], rows)


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
