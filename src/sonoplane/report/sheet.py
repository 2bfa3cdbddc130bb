"""The contact sheet of an archive: what was blanked in every recording, at a glance, as one page.

One row a recording: before, region, after, warnings. Rows are grouped by frame layout, the unsure first. The pictures
are files beside the page and load as they are scrolled to, so that 10,000 rows are no burden. No row names a source:
file names carry names.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeAlias
from urllib.parse import quote

from sonoplane.errors import DamagedRecording, NotUltrasound, RecordingError
from sonoplane.report.html import ORIGINS, render
from sonoplane.report.region_picture import STRIP_HEIGHT, STRIP_WIDTH

__all__ = ["SheetFailure", "SheetRow", "sheet_html"]

#: What the sheet says of an error, and what to do, by the first kind that fits. An error's own words may hold the
#: file's name, so they stay in the private list of failures.
_KINDS: tuple[tuple[type[Exception], str, str], ...] = (
    (NotUltrasound, "A readable file, but not an ultrasound recording.", "Leave it out."),
    (DamagedRecording, "Empty, cut short or impossible to decode.", "Copy it again from where it was made."),
    (RecordingError, "It cannot be read, or holds no ultrasound region.", "See the list of failures."),
    (Exception, "An error that sonoplane has no word for.", "Run it alone with --debug."),
)


#: From this confidence on a region is sure, not fairly sure.
_SURE_FROM = 0.85


Origin: TypeAlias = Literal["card", "dicom", "pixels", "whole"]
"""Who told the region; see `records.Region`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetRow:
    """What the sheet says of one recording."""

    recording: str
    """Its id in the archive: a pseudonym."""
    picture: str | None
    """The file of its strip (`region_picture.picture`), relative to the page, with `/` between folders; None: none."""
    scanner: str | None
    """Manufacturer and model, as the scanner writes them."""
    layout: str | None
    """The name of its frame layout, under which the region can be corrected; None where it has none."""
    origin: Origin
    """Who told the region; see `records.Region`."""
    confidence: float
    """In the region, 0 to 1."""
    height: int
    width: int
    """Pixels of the source's frames."""
    n_frames: int
    warnings: tuple[str, ...] = ()

    @property
    def address(self) -> str | None:
        """The picture's file, as a link has it."""
        return quote(self.picture) if self.picture else None


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetFailure:
    """A recording that did not come into the archive, by a number that tells nothing."""

    number: int
    """Its row in the private list of failures, from 1."""
    reason: str
    what_to_do: str

    @classmethod
    def of(cls, number: int, error: Exception) -> "SheetFailure":
        """What may be said of an error where anyone may read it: its kind, and not a word of its own.

        >>> SheetFailure.of(3, DamagedRecording("DOE_JOHN.dcm is empty.")).reason
        'Empty, cut short or impossible to decode.'
        """
        reason, what_to_do = next(told for kind, *told in _KINDS if isinstance(error, kind))
        return cls(number=number, reason=reason, what_to_do=what_to_do)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shown:
    """A row as the page shows it."""

    row: SheetRow
    unsure: bool
    sureness: str
    origin: str

    @property
    def fine(self) -> bool:
        """Nothing about it needs a look."""
        return not self.unsure and not self.row.warnings


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    """The recordings of one frame layout, those that need a look first."""

    name: str
    """Empty for the recordings without one."""
    shown: tuple[_Shown, ...]
    n_warned: int
    n_unsure: int

    @property
    def scanners(self) -> list[str]:
        """Every scanner's name in it once."""
        return sorted({shown.row.scanner or "unknown scanner" for shown in self.shown})

    @property
    def sizes(self) -> list[str]:
        """Every size of its frames once."""
        return [
            f"{width} × {height}"
            for width, height in sorted({(shown.row.width, shown.row.height) for shown in self.shown})
        ]

    @property
    def n_to_look_at(self) -> int:
        """How many of its rows are not fine."""
        return sum(not shown.fine for shown in self.shown)


def sheet_html(
    rows: Sequence[SheetRow],
    failures: Iterable[SheetFailure] = (),
    *,
    unsure_below: float = 0.5,
    layouts_file: str = "layouts.toml",
    failures_file: str = "failures.csv",
) -> str:
    """The page: a summary, the rows by layout, the failures.

    A region below the confidence `unsure_below`, or that nobody told, is unsure. `layouts_file` is where layouts are
    corrected by hand, `failures_file` where the failures stand with their names; both are named, not linked.
    """
    layouts = _layouts(rows, unsure_below)
    return render(
        "sheet.html.j2",
        layouts=layouts,
        n_rows=len(rows),
        n_warned=sum(layout.n_warned for layout in layouts),
        n_unsure=sum(layout.n_unsure for layout in layouts),
        n_to_look_at=sum(layout.n_to_look_at for layout in layouts),
        failures=sorted(failures, key=lambda failure: failure.number),
        layouts_file=layouts_file,
        failures_file=failures_file,
        strip={"width": STRIP_WIDTH, "height": STRIP_HEIGHT},
    )


def _layouts(rows: Sequence[SheetRow], unsure_below: float) -> list[_Layout]:
    """Layouts with the most to look at first; in each the unsure rows first, then those with warnings."""
    shown = [_shown(row, unsure_below) for row in rows]
    shown.sort(
        key=lambda one: (one.row.layout or "", not one.unsure, not one.row.warnings, one.row.confidence)
    )
    layouts = []
    for name, group in groupby(shown, key=lambda one: one.row.layout or ""):
        members = tuple(group)
        layouts.append(
            _Layout(
                name=name,
                shown=members,
                n_warned=sum(bool(one.row.warnings) for one in members),
                n_unsure=sum(one.unsure for one in members),
            )
        )
    return sorted(layouts, key=lambda layout: (-layout.n_unsure, -layout.n_warned, layout.name))


def _shown(row: SheetRow, unsure_below: float) -> _Shown:
    unsure = row.origin == "whole" or row.confidence < unsure_below
    sureness = "unsure" if unsure else "sure" if row.confidence >= _SURE_FROM else "fairly sure"
    return _Shown(row=row, unsure=unsure, sureness=sureness, origin=ORIGINS[row.origin])
