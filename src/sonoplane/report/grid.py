"""Rows of measured numbers under defined columns become Markdown, CSV, JSON and HTML with the same words."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from markupsafe import Markup

from sonoplane.errors import UsageError
from sonoplane.report.cells import Cell, Form, doubt_words, value_words, words
from sonoplane.report.html import render

__all__ = ["Column", "Grid", "Row", "grid_csv", "grid_html", "grid_markdown", "grid_of", "grid_rows"]

Row: TypeAlias = Mapping[str, Cell]
"""The cells of a row by the keys of their columns; what is missing is a blank without a reason."""

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """What stands under one head."""

    key: str
    """Its name in CSV and JSON."""
    head: str
    form: Form = "share"
    told: str = ""
    """What it is, in plain words: a sentence below the table."""
    group: str = ""
    """Columns of one group stand in one table of a page or of Markdown, in which a wide table is unreadable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """A table of measured numbers."""

    columns: tuple[Column, ...]
    """Those without a group come first and lead every group's table."""
    rows: tuple[Row, ...]
    merged: bool = False
    """Equal neighbors in the first column become one cell of a page."""

    def __post_init__(self) -> None:
        unknown = sorted({key for row in self.rows for key in row} - {column.key for column in self.columns})
        if unknown:
            raise UsageError(
                f"There is no column for {', '.join(unknown)}.",
                advice=f"Columns are {', '.join(column.key for column in self.columns)}.",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shown:
    """A cell as a page shows it."""

    value: str
    doubt: str
    mark: str
    """Of its footnote."""
    number: bool
    span: int = 1
    """Rows that it covers; 0 for those covered."""


def grid_of(columns: Sequence[Column], rows: Sequence[Row], *, merged: bool = False) -> Grid:
    """A grid with those of the columns that some row has."""
    whole = Grid(columns=tuple(columns), rows=tuple(rows), merged=merged)
    used = {key for row in rows for key in row}
    return replace(whole, columns=tuple(column for column in columns if column.key in used))


def grid_markdown(grid: Grid) -> str:
    """A Markdown table for each group of columns, its footnotes below.

    >>> lead, score = Column(key="name", head="Network", form="text"), Column(key="f1", head="F1")
    >>> print(grid_markdown(grid_of([lead, score], [{"name": Cell(value="2D"), "f1": Cell(value=0.5)}])))
    | Network | F1 |
    |---|---:|
    | 2D | 0.50 |
    <BLANKLINE>
    """
    texts = []
    for columns in _groups(grid):
        reasons = _reasons(grid, columns)
        title = columns[-1].group
        lines = [f"**{title}**", ""] if title and len(_groups(grid)) > 1 else []
        lines += [_line([column.head for column in columns])]
        lines += ["|" + "|".join("---" if c.form == "text" else "---:" for c in columns) + "|"]
        for row in _rows(grid, columns):
            cells = [(row.get(column.key, Cell(value="")), column.form) for column in columns]
            lines.append(_line([words(cell, form) + _mark(cell, reasons) for cell, form in cells]))
        notes = [f"{_raised(place)} {reason}  " for place, reason in enumerate(reasons, start=1)]
        texts.append("\n".join([*lines, *([""] if notes else []), *notes]) + "\n")
    return "\n".join(texts)


def grid_csv(grid: Grid, *, bounded: Collection[str] = ()) -> str:
    """A line for each row, numbers in full; `<key>_low`, `<key>_high`, `<key>_sd` where there are; `notes` last.

    Columns named in `bounded` have `_low` and `_high` even where no row has an interval.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    parts = [
        (column.key, part)
        for column in grid.columns
        for part in _parts(grid, column.key, bounded=column.key in bounded)
    ]
    noted = any(cell.why for row in grid.rows for cell in row.values())
    writer.writerow([key + ending for key, (ending, _) in parts] + ["notes"] * noted)
    for row in grid.rows:
        cells = [getattr(row.get(key, Cell(value=None)), name) for key, (_, name) in parts]
        why = {column.key: row[column.key].why for column in grid.columns if column.key in row}
        notes = "; ".join(f"{key}: {reason}" for key, reason in why.items() if reason)
        writer.writerow(["" if cell is None else cell for cell in cells] + [notes] * noted)
    return text.getvalue()


def grid_rows(grid: Grid) -> list[dict[str, Any]]:
    """The rows for a JSON document: words as they are, each number as `value`, `low`, `high`, `sd`, `text`, `why`."""
    return [
        {
            column.key: cell.value if isinstance(cell.value, str) else _document(cell, column.form)
            for column in grid.columns
            if (cell := row.get(column.key)) is not None
        }
        for row in grid.rows
    ]


def grid_html(grid: Grid) -> Markup:
    """The table as part of a page: one for each group of columns, with its footnotes and what its heads mean."""
    groups = []
    for columns in _groups(grid):
        reasons = _reasons(grid, columns)
        groups.append(
            {
                "title": columns[-1].group if len(_groups(grid)) > 1 else "",
                "columns": columns,
                "rows": _shown_rows(grid, columns, reasons),
                "notes": [(_raised(place), reason) for place, reason in enumerate(reasons, start=1)],
                "told": [(column.head, column.told) for column in columns if column.told],
            }
        )
    return Markup(render("grid.html.j2", groups=groups))  # a template of ours, escaped by jinja


def _groups(grid: Grid) -> list[list[Column]]:
    """The columns of each table: those without a group, then those of the group."""
    lead = [column for column in grid.columns if not column.group]
    names = dict.fromkeys(column.group for column in grid.columns if column.group)
    return [[*lead, *(c for c in grid.columns if c.group == name)] for name in names] or [lead]


def _rows(grid: Grid, columns: Sequence[Column]) -> list[Row]:
    """The rows that have something to say in this table."""
    grouped = {column.key for column in columns if column.group}
    return [row for row in grid.rows if not grouped or grouped & row.keys()]


def _reasons(grid: Grid, columns: Sequence[Column]) -> list[str]:
    """Each footnote once, in reading order."""
    cells = (row[column.key] for row in grid.rows for column in columns if column.key in row)
    return list(dict.fromkeys(cell.why for cell in cells if cell.why))


def _mark(cell: Cell, reasons: Sequence[str]) -> str:
    return _raised(reasons.index(cell.why) + 1) if cell.why else ""


def _raised(number: int) -> str:
    return str(number).translate(_RAISED)


def _line(cells: Sequence[str]) -> str:
    escaped = (cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in cells)
    return "| " + " | ".join(escaped) + " |"


def _parts(grid: Grid, key: str, *, bounded: bool) -> list[tuple[str, str]]:
    """What a column has in CSV: ending of the name -> field of the cell."""
    cells = [row[key] for row in grid.rows if key in row]
    parts = [("", "value")]
    if bounded or any(cell.low is not None for cell in cells):
        parts += [("_low", "low"), ("_high", "high")]
    if any(cell.spread is not None for cell in cells):
        parts += [("_sd", "spread")]
    return parts


def _document(cell: Cell, form: Form) -> dict[str, Any]:
    document = {"value": cell.value, "low": cell.low, "high": cell.high, "sd": cell.spread, "why": cell.why}
    kept = {key: value for key, value in document.items() if key == "value" or value not in (None, "")}
    return {**kept, "text": words(cell, form)}


def _shown_rows(grid: Grid, columns: Sequence[Column], reasons: Sequence[str]) -> list[list[_Shown]]:
    rows = []
    for row in _rows(grid, columns):
        cells = [row.get(column.key, Cell(value="")) for column in columns]
        rows.append(
            [
                _Shown(
                    value=value_words(cell, column.form),
                    doubt=doubt_words(cell, column.form),
                    mark=_mark(cell, reasons),
                    number=column.form != "text",
                )
                for cell, column in zip(cells, columns, strict=True)
            ]
        )
    return _merged(rows) if grid.merged else rows


def _merged(rows: list[list[_Shown]]) -> list[list[_Shown]]:
    """With equal neighbors in the first column as one cell."""
    start = 0
    for place in range(1, len(rows) + 1):
        if place == len(rows) or rows[place][0].value != rows[start][0].value:
            rows[start][0] = replace(rows[start][0], span=place - start)
            for covered in rows[start + 1 : place]:
                covered[0] = replace(covered[0], span=0)
            start = place
    return rows
