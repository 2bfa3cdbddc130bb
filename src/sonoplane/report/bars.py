"""Counts of classes become a drawing: a row for each class, and side by side a bar for each part of the split.

The drawing is SVG for inside a page, without scripts, fonts or addresses. A bar's length is the class's share of its
part, on one scale for all parts, so that parts of any size compare at a glance; the number beside it is the count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate
from unicodedata import east_asian_width

from sonoplane.report.words import count, percent

__all__ = ["bars_svg"]

_INK, _FAINT, _TEXT, _SOFT, _RUST = "#0b5c7a", "#d5dbe1", "#1f2937", "#4b5563", "#8c2f14"
_SIZE, _BAR, _HEAD, _GAP = 12.5, 12, 26, 16
"""Heights of letters, a bar, the parts' names, and the pixels between two parts."""

#: The room for names beside the bars.
BESIDE = 216


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    """Where things are: names beside the bars where they have room, else above them."""

    width: int
    beside: bool
    n_columns: int
    n_rows: int
    digits: int
    """Of the largest number, its commas too."""

    @property
    def left(self) -> int:
        return BESIDE if self.beside else 1

    @property
    def column(self) -> float:
        return (self.width - self.left + _GAP) / self.n_columns

    @property
    def longest(self) -> float:
        """A bar's length at most: what the number beside it leaves over."""
        return max(self.column - _GAP - 7.2 * self.digits - 6, 8)

    @property
    def lane(self) -> int:
        return 22 if self.beside else 44

    @property
    def height(self) -> int:
        return _HEAD + self.n_rows * self.lane + 4


def bars_svg(
    classes: Sequence[str], parts: Mapping[str, Sequence[int]], *, unit: str = "frame", width: int = 800
) -> str:
    """Draw part -> count of each class, `width` pixels wide (a phone: 350), as one `<svg>` element.

    Parts that do not fit side by side go on below, four together (a phone: two).

    >>> drawn = bars_svg(["liver", "kidney"], {"train": [30, 10], "test": [4, 0]})
    >>> drawn.count("<path"), "train: liver, 30 frames (75\xa0%)" in drawn
    (7, True)
    """
    most = 4 if width >= 600 else 2
    shares = {part: [n / max(sum(numbers), 1) for n in numbers] for part, numbers in parts.items()}
    scale = max((share for mine in shares.values() for share in mine), default=0) or 1
    layout = _Layout(
        width=width,
        beside=width >= 600 and all(_letters(name, BESIDE - 12) == name for name in classes),
        n_columns=min(len(parts), most) or 1,
        n_rows=len(classes),
        digits=max((len(f"{n:,}") for numbers in parts.values() for n in numbers), default=1),
    )
    names = list(parts)
    blocks = [names[start : start + most] for start in range(0, len(names), most)]
    drawn = "".join(
        f'<g transform="translate(0 {place * (layout.height + _GAP)})">{_names(layout, classes)}'
        + "".join(
            _column(
                layout, column, part, classes, parts[part], [share / scale for share in shares[part]], unit
            )
            for column, part in enumerate(block)
        )
        + "</g>"
        for place, block in enumerate(blocks)
    )
    told = (
        f"{unit.capitalize()}s of each class in {', '.join(names)}; the table below holds the same numbers."
    )
    height = max(len(blocks) * (layout.height + _GAP) - _GAP, 1)
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(told)}" '
        f'font-family="inherit" font-size="{_SIZE}" fill="{_TEXT}">{drawn}</svg>'
    )


def _names(layout: _Layout, classes: Sequence[str]) -> str:
    base = layout.lane - 6 if layout.beside else 18
    return "".join(
        f'<text x="0" y="{_HEAD + place * layout.lane + base}"><title>{escape(name)}</title>'
        f"{escape(_letters(name, layout.width))}</text>"
        for place, name in enumerate(classes)
    )


def _column(
    layout: _Layout,
    column: int,
    part: str,
    classes: Sequence[str],
    numbers: Sequence[int],
    lengths: Sequence[float],
    unit: str,
) -> str:
    """One part: its name, and for each class a line to stand on and a bar with its number."""
    x = layout.left + column * layout.column
    total = sum(numbers)
    drawn = f'<text x="{x:.4g}" y="13" fill="{_SOFT}">{escape(part)}</text>'
    for place, (name, n, length) in enumerate(zip(classes, numbers, lengths, strict=True)):
        top = _HEAD + (place + 1) * layout.lane - _BAR - 5
        told = f"{part}: {name}, {count(n, unit)} ({percent(n / max(total, 1))})"
        bar = max(length * layout.longest, 1) if n else 0
        ink = _TEXT if n else _RUST
        drawn += (
            f'<g><title>{escape(told)}</title><path d="M{x:.4g} {top - 5}v{_BAR + 10}" stroke="{_FAINT}"/>'
        )
        if n:
            drawn += f'<path d="M{x:.4g} {top}h{bar:.4g}v{_BAR}h-{bar:.4g}z" fill="{_INK}"/>'
        drawn += f'<text x="{x + bar + 5:.4g}" y="{top + 10.5}" fill="{ink}">{n:,}</text></g>'
    return drawn


def _letters(name: str, width: float) -> str:
    """As much of a name as there is room for."""
    room = width / (0.58 * _SIZE)
    ends = list(accumulate(2 if east_asian_width(letter) in "WF" else 1 for letter in name))
    if not name or ends[-1] <= room:
        return name
    return name[: sum(end <= room - 1 for end in ends)].rstrip() + "…"
