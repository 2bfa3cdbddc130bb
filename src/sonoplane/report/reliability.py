"""A reliability diagram: how often answers are right beside how sure they are, and of how many that is known."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from sonoplane.report.figures import GRAY, INK, SOFT, TEXT, print_style, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ReliabilityPanel", "write_reliability"]

#: Inches: a diagram's side, the height of the counts below, the gaps beside and below.
_SIDE, _COUNTS, _BESIDE, _BELOW = 2.7, 0.7, 0.3, 0.16

#: Bins with less than this share of the samples are pale: they say little.
_PALE = 0.01

#: The gap where answers are surer than right, and where less.
_OVER, _UNDER = "#e0a78f", "#a9cbd8"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReliabilityPanel:
    """One diagram, such as that before calibration; a row for each bin, NaN where it is empty."""

    title: str
    edges: Float64[np.ndarray, "edges"] = field(repr=False)
    count: Int64[np.ndarray, "bins"] = field(repr=False)
    confidence: Float64[np.ndarray, "bins"] = field(repr=False)
    accuracy: Float64[np.ndarray, "bins"] = field(repr=False)
    ece: float
    """Expected calibration error."""


def write_reliability(
    folder: Path, panels: Sequence[ReliabilityPanel], *, unit: str = "frames", stem: str = "reliability"
) -> tuple[Path, Path]:
    """Write `reliability.png` and `.svg` into `folder`: the diagrams side by side on one scale, counts below.

    Where answers are surer than right, the gap is rust; where they are less sure, light blue. Bins with less than 1 %
    of the samples are pale.
    """
    with print_style([unit, *(panel.title for panel in panels)]):
        return write_figure(folder, stem, _figure(panels, unit))


def _figure(panels: Sequence[ReliabilityPanel], unit: str) -> "Figure":
    from matplotlib.figure import Figure

    width, height = len(panels) * (_SIDE + _BESIDE) - _BESIDE, _SIDE + _BELOW + _COUNTS
    figure = Figure(figsize=(width, height))
    highest = max(int(panel.count.max()) for panel in panels)
    for place, panel in enumerate(panels):
        left = place * (_SIDE + _BESIDE) / width
        upper = figure.add_axes((left, 1 - _SIDE / height, _SIDE / width, _SIDE / height))
        lower = figure.add_axes((left, 0, _SIDE / width, _COUNTS / height))
        _diagram(upper, panel)
        _counts(lower, panel, highest)
        if place == 0:
            upper.set_ylabel("share that is right")
            lower.set_ylabel(unit)
            figure.align_ylabels([upper, lower])
        else:
            upper.set_yticklabels([])
            lower.set_yticklabels([])
    _legend(figure.axes[-2], unit, pale=any(_is_pale(panel).any() for panel in panels))
    return figure


def _diagram(axes: "Axes", panel: ReliabilityPanel) -> None:
    """Of each bin: what is right and was said, then the gap to the other, and a line where the right ones end."""
    pale = _is_pale(panel)
    for place in np.flatnonzero(panel.count).tolist():
        left, right = _sides(panel, place)
        said, true = float(panel.confidence[place]), float(panel.accuracy[place])
        alpha = 0.3 if pale[place] else 1.0
        low, high = min(said, true), max(said, true)
        bar: dict[str, Any] = {"align": "edge", "linewidth": 0.5, "edgecolor": "white", "alpha": alpha}
        axes.bar(left, low, right - left, color=INK, **bar)
        axes.bar(left, high - low, right - left, bottom=low, color=_OVER if said > true else _UNDER, **bar)
        axes.plot([left, right], [true, true], color=TEXT, linewidth=1.2, alpha=alpha, solid_capstyle="butt")
    axes.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle="--", zorder=4)
    axes.set(xlim=(0, 1), ylim=(0, 1.0))
    axes.set_xticks(np.linspace(0, 1, 6), [""] * 6)
    axes.set_title(f"{panel.title}\nECE {panel.ece:.3f}", fontsize=9, color=SOFT, loc="left")


def _counts(axes: "Axes", panel: ReliabilityPanel, highest: int) -> None:
    from matplotlib.ticker import MaxNLocator

    for place in np.flatnonzero(panel.count).tolist():
        left, right = _sides(panel, place)
        axes.bar(
            left, panel.count[place], right - left, align="edge", color=GRAY, edgecolor="white", linewidth=0.5
        )
    axes.set(xlim=(0, 1), ylim=(0, 1.05 * highest))
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("probability of the answer")


def _legend(axes: "Axes", unit: str, *, pale: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    told = [
        Line2D([], [], color=TEXT, linewidth=1.2, label="how many are right"),
        Patch(color=_OVER, label="surer than right"),
        Patch(color=_UNDER, label="less sure than right"),
    ]
    if pale:
        told.append(Patch(color=INK, alpha=0.3, linewidth=0, label=f"pale: less than 1 % of the {unit}"))
    axes.legend(handles=told, loc="upper left", bbox_to_anchor=(1.03, 1), borderaxespad=0, fontsize=8.5)


def _sides(panel: ReliabilityPanel, place: int) -> tuple[float, float]:
    """Of a bin, never so near that nothing is seen."""
    left, right = float(panel.edges[place]), float(panel.edges[place + 1])
    return left, max(right, left + 0.004)


def _is_pale(panel: ReliabilityPanel) -> Bool[np.ndarray, "bins"]:
    return np.asarray((panel.count > 0) & (panel.count < _PALE * panel.count.sum()))
