"""One more table of a page, with its head and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from sonoplane.report.grid import Column, Row, grid_html, grid_of, grid_rows

__all__ = ["Section", "sections_json", "sections_shown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A table that some pages have and others do not."""

    title: str
    lead: str
    """What it says, in plain words."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...] = field(default=())


def sections_shown(sections: Sequence[Section]) -> list[tuple[str, str, Markup]]:
    """Title, words and table of those that have a row."""
    return [(s.title, s.lead, grid_html(grid_of(s.columns, s.rows))) for s in sections if s.rows]


def sections_json(sections: Sequence[Section]) -> dict[str, list[dict[str, Any]]]:
    """Title -> rows."""
    return {s.title: grid_rows(grid_of(s.columns, s.rows)) for s in sections if s.rows}
