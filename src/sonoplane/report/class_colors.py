"""Each class gets a color that color-blind eyes tell apart, and a hatch from the ninth class on.

Neighbors in the order differ in lightness too; whoever prints in gray reads the numbers written beside the colors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ClassColor", "class_colors"]

#: From the colors of Okabe and Ito (2008), with the ink of our pages first, in an order of changing lightness.
_COLORS = ("#0b5c7a", "#e69f00", "#b4532a", "#56b4e9", "#5b3a8c", "#f0d430", "#009e73", "#d8a0c0")
_HATCHES = ("", "////", "....", "xxxx")
_BACKGROUND = "#d3d8de"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassColor:
    """How a class is drawn."""

    face: str
    hatch: str
    """matplotlib's sign for it; empty for none."""
    letters: str
    """The color of what is written on it."""


def class_colors(classes: Sequence[str], background: str | None = None) -> tuple[ClassColor, ...]:
    """A color for each class, in their order; the background is a light gray.

    >>> [color.face for color in class_colors(["liver", "background", "kidney"], "background")]
    ['#0b5c7a', '#d3d8de', '#e69f00']
    """
    planes = [name for name in classes if name != background]
    return tuple(
        ClassColor(face=_BACKGROUND, hatch="", letters="#1f2937") if name == background else _plane(planes.index(name))
        for name in classes
    )  # fmt: skip


def _plane(place: int) -> ClassColor:
    face = _COLORS[place % len(_COLORS)]
    red, green, blue = (int(face[at : at + 2], 16) for at in (1, 3, 5))
    dark = 0.3 * red + 0.59 * green + 0.11 * blue < 125
    return ClassColor(
        face=face,
        hatch=_HATCHES[place // len(_COLORS) % len(_HATCHES)],
        letters="white" if dark else "#1f2937",
    )
