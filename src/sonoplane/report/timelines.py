"""One recording through several networks becomes a picture: the truth on top, what each said and how surely below.

A network's row has its answers as bands, a thin line below where they are wrong, and then a strip with a lane for each
class, the darker the likelier, in which the lane that should be dark is outlined. Lanes and bands are numbered, so that
the picture is read in gray as well. Frames are gathered into columns of the picture's resolution; a column shows the
highest probability in it, so that a plane of a single frame does not vanish.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from sonoplane.errors import UsageError
from sonoplane.report.class_colors import ClassColor, class_colors
from sonoplane.report.figures import (
    FAINT,
    GRAY,
    INK,
    RUST,
    SOFT,
    TEXT,
    figure_bytes,
    print_style,
    write_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["NetworkTimeline", "RecordingTimelines", "timelines_png", "write_timelines"]

#: Columns that a strip has at most: what a printer shows on its width.
_COLUMNS = 1400
#: Classes that get a lane at most, those that matter first.
_MOST_LANES = 14
_WIDTH, _LEFT, _RIGHT = 7.09, 0.3, 0.05
"""Of the picture (180 mm) and its margins, in inches."""
_BAND, _LANE, _TITLE, _GAP = 0.16, 0.1, 0.2, 0.1
"""Heights in inches: of a band, a lane, a row's title, the space below a row."""
_KEY = "Band: answer; line below it: wrong. Strip: probability of each class, white 0 to dark 1; outlined: as labelled."


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkTimeline:
    """What one network says of every frame."""

    name: str
    probabilities: Float32[np.ndarray, "time classes"]
    answers: Int64[np.ndarray, "time"]
    """Class numbers, after smoothing where there is any; -1 where it says `unknown`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordingTimelines:
    """One recording, its labels, and what each network says of the same frames."""

    recording: str
    classes: tuple[str, ...]
    background: str | None
    targets: Int64[np.ndarray, "time"]
    """Class numbers; -1 where a frame has no label."""
    times_s: Float64[np.ndarray, "time"] | None
    """Seconds since frame 0, rising; None where the source has no frame times: the axis is in frames."""
    networks: tuple[NetworkTimeline, ...]

    def __post_init__(self) -> None:
        n_frames, n_classes = len(self.targets), len(self.classes)
        for network in self.networks:
            if network.probabilities.shape != (n_frames, n_classes) or len(network.answers) != n_frames:
                raise UsageError(
                    f"'{network.name}' tells of {len(network.answers)} frames and "
                    f"{network.probabilities.shape[1]} classes, the labels of {n_frames} and {n_classes}.",
                    advice="Compare networks of the same classes on the same frames.",
                )
        if not n_frames:
            raise UsageError(f"'{self.recording}' has no frame.", advice="Leave it out.")

    def accuracy(self, network: NetworkTimeline) -> float | None:
        """The share of labelled frames that it names rightly; None where none is labelled."""
        labelled = self.targets >= 0
        return float((network.answers == self.targets)[labelled].mean()) if labelled.any() else None


def write_timelines(folder: Path, seen: RecordingTimelines, *, stem: str = "timelines") -> tuple[Path, Path]:
    """Write `<stem>.png` and `.svg`, 180 mm wide, into a folder that is there.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with print_style(_words(seen)):
        return write_figure(folder, stem, _figure(seen))


def timelines_png(seen: RecordingTimelines, *, dpi: int = 200) -> bytes:
    """The same picture as PNG for inside a page."""
    with print_style(_words(seen)):
        return figure_bytes(_figure(seen), "png", dpi=dpi)


def _words(seen: RecordingTimelines) -> list[str]:
    return [seen.recording, *seen.classes, *(network.name for network in seen.networks)]


def _figure(seen: RecordingTimelines) -> "Figure":
    from matplotlib.figure import Figure

    colors = class_colors(seen.classes, seen.background)
    lanes = _lanes(seen)
    legend_rows = _legend_rows(seen, lanes)
    row = _TITLE + _BAND + 0.05 + len(lanes) * _LANE + _GAP
    legend = 0.19 * (len(legend_rows) + 1) + 0.12
    height = legend + _TITLE + _BAND + _GAP + len(seen.networks) * row + 0.4
    figure = Figure(figsize=(_WIDTH, height))
    _legend(figure, seen, colors, legend_rows, height)
    edges = _edges(seen)
    top = height - legend - _TITLE
    axes = _axes(figure, top, _BAND, edges)
    _title(
        axes, f"Labels of {seen.recording}", "" if (seen.targets >= 0).all() else "hatched: without a label"
    )
    _bands(axes, seen.targets, edges, colors)
    top -= _BAND + _GAP
    for network in seen.networks:
        top -= _TITLE
        axes = _axes(figure, top, _BAND, edges)
        _title(axes, network.name, _said(seen.accuracy(network)))
        _bands(axes, network.answers, edges, colors)
        _wrong(axes, (network.answers != seen.targets) & (seen.targets >= 0), edges)
        top -= _BAND + 0.05
        axes = _axes(figure, top, len(lanes) * _LANE, edges)
        _strip(axes, network, seen.targets, lanes, edges)
        top -= len(lanes) * _LANE + _GAP
    _time_axis(axes, seen)
    return figure


def _lanes(seen: RecordingTimelines) -> list[int]:
    """The classes that are drawn: all, or of many those that are labelled or answered, the commonest first."""
    if len(seen.classes) <= _MOST_LANES:
        return list(range(len(seen.classes)))
    counts = np.zeros(len(seen.classes), dtype=np.int64)
    for numbers, weight in [(seen.targets, 1000), *((network.answers, 1) for network in seen.networks)]:
        counts += weight * np.bincount(numbers[numbers >= 0], minlength=len(seen.classes))
    chosen = np.argsort(-counts, kind="stable")[:_MOST_LANES]
    return sorted(chosen[counts[chosen] > 0].tolist()) or [0]


def _edges(seen: RecordingTimelines) -> Float64[np.ndarray, "edges"]:
    """Where each frame begins on the axis, and where the last one ends."""
    n_frames = len(seen.targets)
    if seen.times_s is None or n_frames == 1:
        return np.arange(n_frames + 1, dtype=np.float64)
    steps = np.diff(seen.times_s)
    return np.append(seen.times_s, seen.times_s[-1] + float(np.median(steps)))


def _axes(figure: "Figure", top: float, height: float, edges: Float64[np.ndarray, "edges"]) -> "Axes":
    """A panel whose upper edge is `top` inches above the picture's lower one."""
    width, whole = figure.get_size_inches()
    axes = figure.add_axes(
        (_LEFT / width, (top - height) / whole, (width - _LEFT - _RIGHT) / width, height / whole)
    )
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 1), xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return axes


def _title(axes: "Axes", name: str, said: str) -> None:
    place: dict[str, Any] = {
        "xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom", "fontsize": 8.5,
    }  # fmt: skip
    axes.annotate(name, (0, 1), xytext=(0, 2.5), color=TEXT, **place)
    axes.annotate(said, (1, 1), xytext=(0, 2.5), color=SOFT, ha="right", **place)


def _said(accuracy: float | None) -> str:
    return "no labelled frame" if accuracy is None else f"accuracy {accuracy:.2f}"


def _runs(numbers: Int64[np.ndarray, "time"]) -> list[tuple[int, int, int]]:
    """Runs of equal numbers: first frame, stop (exclusive), number.

    >>> _runs(np.array([2, 2, 0]))
    [(0, 2, 2), (2, 3, 0)]
    """
    cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    return [(start, stop, int(numbers[start])) for start, stop in pairwise(cuts)]


def _bands(
    axes: "Axes",
    numbers: Int64[np.ndarray, "time"],
    edges: Float64[np.ndarray, "edges"],
    colors: tuple[ClassColor, ...],
) -> None:
    """A band for each run of frames, with its class's number where there is room."""
    runs = _runs(numbers)
    for number in sorted({number for _, _, number in runs}):
        spans = [
            (float(edges[start]), float(edges[stop] - edges[start])) for start, stop, n in runs if n == number
        ]
        if number < 0:
            axes.broken_barh(
                spans, (0, 1), facecolor="white", edgecolor="#b6bdc6", hatch="/////", linewidth=0
            )
        else:
            color = colors[number]
            axes.broken_barh(spans, (0, 1), facecolor=color.face, edgecolor=color.face, linewidth=0.25)
            if color.hatch:
                axes.broken_barh(
                    spans, (0, 1), facecolor="none", edgecolor="white", hatch=color.hatch, linewidth=0
                )
    for start, stop, number in runs:
        if number >= 0 and (edges[stop] - edges[start]) / (edges[-1] - edges[0]) > 0.01 + 0.01 * len(
            str(number)
        ):
            color = colors[number]
            behind = {"facecolor": color.face, "linewidth": 0, "pad": 1} if color.hatch else None
            axes.text(
                (edges[start] + edges[stop]) / 2, 0.46, str(number), ha="center", va="center",
                fontsize=7.5, color=color.letters, clip_on=True, bbox=behind,
            )  # fmt: skip


def _wrong(axes: "Axes", wrong: Bool[np.ndarray, "time"], edges: Float64[np.ndarray, "edges"]) -> None:
    """A line below the band where the answer is wrong."""
    spans = [
        (float(edges[start]), float(edges[stop] - edges[start]))
        for start, stop, on in _runs(wrong.astype(np.int64))
        if on
    ]
    axes.broken_barh(
        spans, (-0.26, 0.17), facecolor="#c8102e", edgecolor="#c8102e", linewidth=0.25, clip_on=False
    )


def _strip(
    axes: "Axes",
    network: NetworkTimeline,
    targets: Int64[np.ndarray, "time"],
    lanes: list[int],
    edges: Float64[np.ndarray, "edges"],
) -> None:
    """Probabilities, a lane for each class, with the labelled lane outlined."""
    from matplotlib.colors import LinearSegmentedColormap

    n_frames = len(targets)
    starts = np.unique(np.linspace(0, n_frames, min(n_frames, _COLUMNS), endpoint=False).astype(np.int64))
    highest = np.maximum.reduceat(network.probabilities[:, lanes], starts, axis=0)
    ramp = LinearSegmentedColormap.from_list("ink", ["#ffffff", "#a9cbd8", INK, "#073a4d"])
    axes.pcolormesh(
        np.append(edges[starts], edges[-1]), np.arange(len(lanes) + 1), highest.T,
        cmap=ramp, vmin=0, vmax=1, rasterized=True, linewidth=0, antialiased=False,
    )  # fmt: skip
    axes.set(ylim=(len(lanes), 0))
    axes.hlines(np.arange(1, len(lanes)), edges[0], edges[-1], color=FAINT, linewidth=0.5)
    for start, stop, number in _runs(targets):
        if number in lanes:
            y = lanes.index(number)
            axes.fill(
                [edges[start], edges[stop], edges[stop], edges[start]], [y + 0.1, y + 0.1, y + 0.9, y + 0.9],
                fill=False, edgecolor=RUST, linewidth=0.7, zorder=3,
            )  # fmt: skip
    axes.spines[:].set_visible(True)
    axes.spines[:].set(color="#b6bdc6", linewidth=0.5)
    axes.set_yticks(np.arange(len(lanes)) + 0.5, [str(lane) for lane in lanes], fontsize=6)
    axes.tick_params(axis="y", length=0, pad=2)


def _time_axis(axes: "Axes", seen: RecordingTimelines) -> None:
    """Seconds, or frames where the source has no times, below the last panel."""
    from matplotlib.ticker import MaxNLocator

    frames = seen.times_s is None or len(seen.targets) == 1
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=frames, steps=[1, 2, 5, 10]))
    axes.tick_params(axis="x", length=2.5, pad=2, labelsize=8, color=GRAY)
    axes.set_xlabel("frame" if frames else "seconds", fontsize=8.5, labelpad=2)


def _legend_rows(seen: RecordingTimelines, lanes: list[int]) -> list[list[tuple[float, int, str]]]:
    """Classes with their numbers, broken into lines: (inches from the left, class number, words)."""
    rows: list[list[tuple[float, int, str]]] = [[]]
    x = 0.0
    for number in lanes:
        name = seen.classes[number]
        words = f"{number}  {name if len(name) <= 40 else name[:39].rstrip() + '…'}"
        length = 0.24 + sum(0.115 if ord(letter) > 0x2E80 else 0.064 for letter in words) + 0.14
        if rows[-1] and x + length > _WIDTH - _LEFT - _RIGHT:
            rows.append([])
            x = 0.0
        rows[-1].append((x, number, words))
        x += length
    return rows


def _legend(
    figure: "Figure",
    seen: RecordingTimelines,
    colors: tuple[ClassColor, ...],
    rows: list[list[tuple[float, int, str]]],
    height: float,
) -> None:
    from matplotlib.patches import Rectangle

    for place, row in enumerate(rows):
        y = height - 0.06 - 0.19 * place - 0.12
        for x, number, words in row:
            color = colors[number]
            box = ((_LEFT + x) / _WIDTH, y / height), 0.18 / _WIDTH, 0.12 / height
            figure.add_artist(Rectangle(*box, facecolor=color.face, linewidth=0))
            if color.hatch:
                figure.add_artist(
                    Rectangle(*box, facecolor="none", edgecolor="white", hatch=color.hatch, linewidth=0)
                )
            figure.text(
                (_LEFT + x + 0.24) / _WIDTH, (y + 0.055) / height, words, va="center", fontsize=8, color=TEXT
            )
    y = height - 0.06 - 0.19 * len(rows) - 0.065
    figure.text(_LEFT / _WIDTH, y / height, _KEY, va="center", fontsize=7.5, color=SOFT)
