"""The history of a training becomes a plot: loss, scores and learning rate of every epoch."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sonoplane.report.figures import GRAY, INK, RUST, SOFT, print_style, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Row", "write_history"]

Row: TypeAlias = Mapping[str, float | None]
"""The figures of an epoch by name, `epoch` counting from 0. Figures may be missing, None or not a number: a gap."""

#: A panel: name -> its curves (figure's name, words, color, dashes), and how high it is.
_PANELS: Mapping[str, tuple[float, tuple[tuple[str, str, str, str], ...]]] = {
    "loss": (3.0, (("train_loss", "training", GRAY, "--"), ("val_loss", "validation", INK, "-"))),
    "score": (
        3.0,
        (
            ("train_accuracy", "accuracy, training", GRAY, "--"),
            ("val_accuracy", "accuracy, validation", INK, "-"),
            ("val_macro_f1", "macro F1, validation", RUST, "-"),
        ),
    ),
    "learning rate": (1.3, (("learning_rate", "", SOFT, "-"),)),
}

#: Up to so many epochs, each is marked.
_MARKED = 25


def write_history(
    folder: Path, history: Sequence[Row], *, best_epoch: int | None = None, stem: str = "history"
) -> tuple[Path, Path]:
    """Write `history.png` and `history.svg` into `folder` and return them.

    `best_epoch` counts from 1, as people do and as the axis does; a line marks it, and the legend gives its values.
    """
    with print_style():
        return write_figure(folder, stem, _figure(history, best_epoch))


def _figure(history: Sequence[Row], best_epoch: int | None) -> "Figure":
    from matplotlib.figure import Figure

    epochs = [int(row["epoch"] or 0) + 1 for row in history]
    drawn = {
        name: (height, [curve for curve in curves if _known(history, curve[0])])
        for name, (height, curves) in _PANELS.items()
    }
    drawn = {name: panel for name, panel in drawn.items() if panel[1]} or {"loss": (3.0, [])}
    heights = [height for height, _ in drawn.values()]
    figure = Figure(figsize=(7.0, 0.75 * sum(heights) + 0.5), layout="constrained")
    panels = figure.subplots(len(drawn), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (name, (_, curves)) in zip(panels, drawn.items(), strict=True):
        _panel(axes, name, curves, epochs, history, best_epoch)
    _count_epochs(panels[-1], epochs)
    if best_epoch is not None:
        panels[0].annotate(
            f"best: epoch {best_epoch}", (best_epoch, 1), xycoords=("data", "axes fraction"),
            xytext=(0, 3), textcoords="offset points", ha="center", va="bottom", fontsize=8.5, color=INK,
        )  # fmt: skip
    figure.align_ylabels()
    return figure


def _panel(
    axes: "Axes",
    name: str,
    curves: Sequence[tuple[str, str, str, str]],
    epochs: Sequence[int],
    history: Sequence[Row],
    best_epoch: int | None,
) -> None:
    if best_epoch is not None:
        axes.axvline(best_epoch, color=INK, linewidth=0.8, linestyle=":", zorder=1)
    for key, words, color, dashes in curves:
        values = [_value(row, key) for row in history]
        at_best = dict(zip(epochs, values, strict=True)).get(best_epoch or 0, math.nan)
        best = "" if math.isnan(at_best) else f"  {at_best:.3f}"
        axes.plot(
            epochs, values, dashes, color=color, label=words + best, clip_on=False,
            linewidth=1.5 if len(epochs) <= 100 else 1.0,
            marker="o" if len(epochs) <= _MARKED else None, markersize=3,
        )  # fmt: skip
        if words and best and best_epoch is not None:
            axes.plot(best_epoch, at_best, "o", color=color, markersize=5, clip_on=False, zorder=4)
        _mark_lone(axes, epochs, values, color)
    axes.set_ylabel(name)
    if name == "score":
        axes.set_ylim(0, 1)
    elif name == "learning rate":
        _rate_axis(axes, [_value(row, "learning_rate") for row in history])
    if len(curves) > 1:
        axes.legend(
            loc="center left", bbox_to_anchor=(1.0, 0.5), title=_legend_title(best_epoch, history),
            alignment="left", title_fontsize=8.5,
        )  # fmt: skip


def _legend_title(best_epoch: int | None, history: Sequence[Row]) -> str | None:
    return f"at epoch {best_epoch}" if best_epoch is not None and len(history) > 1 else None


def _mark_lone(axes: "Axes", epochs: Sequence[int], values: Sequence[float], color: str) -> None:
    """A value between two gaps has no line: give it a point."""
    known = [False, *(not math.isnan(value) for value in values), False]
    for place, epoch in enumerate(epochs):
        if known[place + 1] and not known[place] and not known[place + 2]:
            axes.plot(epoch, values[place], "o", color=color, markersize=3, clip_on=False)


def _rate_axis(axes: "Axes", rates: Sequence[float]) -> None:
    """Logarithmic where the rate falls far, else from 0."""
    known = [rate for rate in rates if rate > 0]
    if known and max(known) > 20 * min(known):
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter("")
    else:
        axes.set_ylim(0, 1.15 * max(known, default=1.0))
        axes.locator_params(axis="y", nbins=4)
    axes.yaxis.set_major_formatter("{x:g}")


def _count_epochs(axes: "Axes", epochs: Sequence[int]) -> None:
    from matplotlib.ticker import MaxNLocator

    last = max(epochs, default=1)
    axes.set_xlabel("epoch")
    axes.set_xlim(min(epochs, default=1) - (0.5 if last == 1 else 0), last + (0.5 if last == 1 else 0))
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))


def _value(row: Row, key: str) -> float:
    value: Any = row.get(key)
    return float(value) if value is not None and math.isfinite(value) else math.nan


def _known(history: Sequence[Row], key: str) -> bool:
    return any(not math.isnan(_value(row, key)) for row in history)
