"""A confusion matrix becomes a plot: the share of each true class as color and number, with the counts.

Folds of a cross-validation are drawn small beside each other, their sum last.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from sonoplane.errors import UsageError
from sonoplane.report.figures import FAINT, GRAY, INK, SOFT, TEXT, figure_bytes, print_style, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confusion_png", "write_confusion"]

#: Up to so many classes a cell tells its count too.
_TOLD = 12

#: A fold's matrix is at least so wide, in inches, that its title does not run into the next one's.
_LEAST_FOLD = 1.8


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scale:
    """How large a matrix is drawn, in inches and points."""

    cell: float
    letters: float
    """Of class names."""
    numbers: float
    """In cells; 0 for none."""
    counts: bool
    """Whether cells tell their counts."""
    longest: int
    """Letters in a line of a class name."""
    lines: int
    """Of a class name."""


def write_confusion(
    folder: Path,
    matrix: Int[np.ndarray, "truth answer"],
    classes: Sequence[str],
    *,
    folds: Sequence[Int[np.ndarray, "truth answer"]] = (),
    stem: str = "confusion",
) -> tuple[Path, ...]:
    """Write `confusion.png` and `.svg` into `folder`; with `folds` also `confusion-folds.png` and `.svg`.

    Rows are the truth. Color and number of a cell are the share of its row; a row without labels stays empty.

    Raises:
        UsageError: a matrix does not fit the classes.
    """
    for each in (matrix, *folds):
        _check(each, classes)
    with print_style(classes):
        paths: tuple[Path, ...] = write_figure(folder, stem, _one(matrix, classes))
        if folds:
            paths += write_figure(folder, f"{stem}-folds", _many(folds, matrix, classes))
    return paths


def confusion_png(
    matrix: Int[np.ndarray, "truth answer"], classes: Sequence[str], *, title: str = ""
) -> bytes:
    """The plot of one matrix as PNG for a screen, such as that of an experiment tracker."""
    _check(matrix, classes)
    with print_style([*classes, title]):
        return figure_bytes(_one(matrix, classes, title), "png", dpi=130)


def _check(matrix: Int[np.ndarray, "truth answer"], classes: Sequence[str]) -> None:
    if matrix.shape != (len(classes), len(classes)):
        raise UsageError(
            f"A confusion matrix of {matrix.shape[0]} x {matrix.shape[1]} does not fit {len(classes)} classes.",
            advice="Give a row and a column for each class.",
        )


def _scale(n_classes: int) -> _Scale:
    if n_classes <= 6:
        return _Scale(cell=0.72, letters=9.5, numbers=10, counts=True, longest=22, lines=3)
    if n_classes <= _TOLD:
        return _Scale(cell=0.52, letters=9, numbers=8.5, counts=True, longest=26, lines=2)
    if n_classes <= 20:
        return _Scale(cell=0.34, letters=8.5, numbers=7.5, counts=False, longest=30, lines=2)
    return _Scale(cell=0.25, letters=7.5, numbers=6.5, counts=False, longest=36, lines=1)


def _fold_scale(n_classes: int) -> _Scale:
    if n_classes <= 8:
        return _Scale(
            cell=max(0.4, _LEAST_FOLD / n_classes), letters=8, numbers=7, counts=False, longest=24, lines=1
        )
    if n_classes <= _TOLD:
        return _Scale(cell=0.27, letters=7.5, numbers=5.5, counts=False, longest=24, lines=1)
    cell = max(0.09, 3.2 / n_classes)
    return _Scale(
        cell=cell, letters=min(7.5, max(4.5, 55 * cell)), numbers=0, counts=False, longest=24, lines=1
    )


def _one(matrix: Int[np.ndarray, "truth answer"], classes: Sequence[str], title: str = "") -> "Figure":
    from matplotlib.figure import Figure

    scale = _scale(len(classes))
    size = scale.cell * len(classes)
    figure = Figure(figsize=(size, size))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    _matrix(axes, matrix, scale)
    _name(axes, classes, scale, rows=True, columns=True)
    _totals(axes, matrix, scale)
    told = "% of the row, count below" if scale.counts else "% of the row"
    axes.set_xlabel(f"answer ({told})", fontsize=scale.letters + 1)
    axes.set_ylabel("truth", fontsize=scale.letters + 1)
    if title:
        axes.set_title(title, fontsize=scale.letters + 1.5, color=SOFT, pad=18)
    return figure


def _many(
    folds: Sequence[Int[np.ndarray, "truth answer"]],
    total: Int[np.ndarray, "truth answer"],
    classes: Sequence[str],
) -> "Figure":
    """Folds in rows of equal matrices, named at the left and at the bottom alone."""
    from matplotlib.figure import Figure

    shown = [(f"fold {place}", fold) for place, fold in enumerate(folds, start=1)] + [("all folds", total)]
    scale = _fold_scale(len(classes))
    n_columns = min(len(shown), max(2, min(4, math.ceil(math.sqrt(len(shown))))))
    n_rows = math.ceil(len(shown) / n_columns)
    size, gap = scale.cell * len(classes), 0.32
    width, height = n_columns * (size + gap) - gap, n_rows * (size + gap) - gap
    figure = Figure(figsize=(width, height))
    for place, (title, matrix) in enumerate(shown):
        row, column = divmod(place, n_columns)
        left, bottom = column * (size + gap), height - row * (size + gap) - size
        axes = figure.add_axes((left / width, bottom / height, size / width, size / height))
        _matrix(axes, matrix, scale)
        lowest = place + n_columns >= len(shown)
        _name(axes, classes, scale, rows=column == 0, columns=lowest)
        axes.set_ylabel("truth" if column == 0 else "", fontsize=8)
        axes.set_xlabel("answer (% of the row)" if lowest else "", fontsize=8)
        right = int(np.trace(matrix)) / max(int(matrix.sum()), 1)
        axes.set_title(
            f"{title}: {right:.0%} of {int(matrix.sum()):,} right", fontsize=8, color=SOFT, loc="left", pad=4
        )
    return figure


def _shares(matrix: Int[np.ndarray, "truth answer"]) -> Float[np.ndarray, "truth answer"]:
    """Of each row; nan where it has nothing."""
    totals = matrix.sum(axis=1, keepdims=True).astype(np.float64)
    shares: Float[np.ndarray, "truth answer"] = np.divide(
        matrix, totals, out=np.full(matrix.shape, np.nan), where=totals > 0
    )
    return shares


def _matrix(axes: "Axes", matrix: Int[np.ndarray, "truth answer"], scale: _Scale) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    n_classes = len(matrix)
    shares = _shares(matrix)
    ramp = LinearSegmentedColormap.from_list("ink", ["#ffffff", "#a9cbd8", INK, "#073a4d"])
    colors = ramp.with_extremes(bad="#f1f3f5")
    axes.pcolormesh(
        np.ma.masked_invalid(shares), cmap=colors, vmin=0, vmax=1, edgecolors=FAINT, linewidth=0.5
    )
    axes.grid(False)
    axes.set(xlim=(0, n_classes), ylim=(n_classes, 0), aspect="equal")
    axes.spines[:].set_visible(True)
    axes.spines[:].set(linewidth=0.6, color=GRAY)
    axes.set_xticks([])
    axes.set_yticks([])
    if scale.numbers:
        _numbers(axes, matrix, shares, scale)


def _numbers(
    axes: "Axes",
    matrix: Int[np.ndarray, "truth answer"],
    shares: Float[np.ndarray, "truth answer"],
    scale: _Scale,
) -> None:
    for row, column in np.argwhere(matrix > 0).tolist():
        share = float(shares[row, column])
        color = "white" if share > 0.45 else GRAY if share < 0.005 else TEXT
        middle: dict[str, Any] = {"ha": "center", "va": "center", "color": color, "in_layout": False}
        x, y = column + 0.5, row + 0.5
        axes.text(x, y - (0.12 if scale.counts else 0), _percent(share), fontsize=scale.numbers, **middle)
        if scale.counts:
            axes.text(x, y + 0.24, f"{matrix[row, column]:,}", fontsize=0.72 * scale.numbers, **middle)


def _percent(share: float) -> str:
    """Whole percent without its sign; never all or nothing where it is not.

    >>> _percent(0.934), _percent(0.9991), _percent(0.001), _percent(1.0)
    ('93', '>99', '<1', '100')
    """
    return ">99" if 0.995 <= share < 1 else "<1" if share < 0.005 else f"{share:.0%}".rstrip("%")


def _name(axes: "Axes", classes: Sequence[str], scale: _Scale, *, rows: bool, columns: bool) -> None:
    places = np.arange(len(classes)) + 0.5
    names = [_fitted(name, scale) for name in classes]
    if rows:
        axes.set_yticks(places, names, fontsize=scale.letters, color=TEXT)
    if columns:
        longest = max(len(line) for name in names for line in name.split("\n"))
        level = longest * scale.letters * 0.6 / 72 < scale.cell - 0.06
        axes.set_xticks(places, names, fontsize=scale.letters, color=TEXT, rotation=0 if level else 90)
    axes.tick_params(length=0, pad=3)


def _fitted(name: str, scale: _Scale) -> str:
    """The name in as many lines as there is room for; what is too long loses its middle, so that ends still differ.

    >>> _fitted("apical four chamber view with contrast", _scale(20))
    'apical four chamber view with\\ncontrast'
    >>> _fitted("parasternal long axis, zoomed on the mitral valve", _fold_scale(20))
    'parasternal … ral valve'
    """
    for room in range(scale.longest * scale.lines, 0, -1):
        short = name
        if len(name) > room:
            tail = room * 2 // 5
            short = f"{name[: room - tail - 2].rstrip()} … {name[len(name) - tail :].lstrip()}"
        lines = wrap(short, scale.longest)
        if len(lines) <= scale.lines:
            return "\n".join(lines)
    return name


def _totals(axes: "Axes", matrix: Int[np.ndarray, "truth answer"], scale: _Scale) -> None:
    """How many there are of each true class, at the right."""
    for row, n in enumerate(matrix.sum(axis=1).tolist()):
        axes.annotate(
            f"{n:,}", (1, row + 0.5), xycoords=("axes fraction", "data"), xytext=(5, 0),
            textcoords="offset points", va="center", fontsize=0.9 * scale.letters, color=GRAY,
        )  # fmt: skip
    axes.annotate(
        "n", (1, 1), xycoords="axes fraction", xytext=(5, 3), textcoords="offset points",
        va="bottom", fontsize=0.9 * scale.letters, color=GRAY,
    )  # fmt: skip
