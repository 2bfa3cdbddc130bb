"""A risk-coverage plot: what share of the answers is wrong when only the surest are given."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from sonoplane.report.figures import GRAY, INK, RUST, SOFT, print_style, write_figure
from sonoplane.report.words import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["RiskCurve", "RiskMark", "write_risk_coverage"]

#: A space that no line breaks at.
_GLUE = "\N{NO-BREAK SPACE}"

#: Curves are told apart by color, and where that is lost by their dashes.
_LINES = ((INK, "-"), (RUST, "--"), (GRAY, "-."), (SOFT, ":"))


#: Points of a curve that are drawn at most.
_POINTS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskCurve:
    """A curve, the surest answers first."""

    name: str
    coverage: Float64[np.ndarray, "points"] = field(repr=False)
    risk: Float64[np.ndarray, "points"] = field(repr=False)
    aurc: float
    """The area under it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskMark:
    """A threshold, where it comes to lie."""

    text: str
    coverage: float
    risk: float


def write_risk_coverage(
    folder: Path, curves: Sequence[RiskCurve], marks: Sequence[RiskMark] = (), *, stem: str = "risk-coverage"
) -> tuple[Path, Path]:
    """Write `risk-coverage.png` and `.svg` into `folder`."""
    with print_style([*(curve.name for curve in curves), *(mark.text for mark in marks)]):
        return write_figure(folder, stem, _figure(curves, marks))


def _figure(curves: Sequence[RiskCurve], marks: Sequence[RiskMark]) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    for place, curve in enumerate(curves):
        color, dashes = _LINES[place % len(_LINES)]
        label = f"{curve.name}: {percent(float(curve.risk[-1]))} wrong in all, area {curve.aurc:.3f}"
        lone = "o" if len(curve.coverage) == 1 else None
        some = np.unique(np.linspace(0, len(curve.risk) - 1, _POINTS).astype(int))
        axes.plot(
            curve.coverage[some],
            curve.risk[some],
            dashes,
            marker=lone,
            color=color,
            label=label,
            clip_on=False,
        )
    highest = max([float(curve.risk.max()) for curve in curves] + [mark.risk for mark in marks], default=0.0)
    for mark in marks:
        axes.plot(mark.coverage, mark.risk, "o", color=RUST, markersize=4.5, clip_on=False, zorder=4)
        axes.annotate(
            mark.text, (mark.coverage, mark.risk), xytext=(-5, 6), textcoords="offset points", ha="right",
            fontsize=8, color=RUST,
        )  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(0, min(1.0, max(0.05, 1.12 * highest))))
    axes.set_xlabel("share of answers given, the surest first")
    axes.set_ylabel("share of them that is wrong")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=f"{_GLUE}%"))
    axes.yaxis.set_major_formatter(
        PercentFormatter(1, decimals=0 if highest > 0.05 else 1, symbol=f"{_GLUE}%")
    )
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    return figure
