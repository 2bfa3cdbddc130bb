"""Mistakes become a table of all and a contact sheet of the worst: the surer the wrong answer, the worse."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from sonoplane.errors import UsageError
from sonoplane.records import Image
from sonoplane.report.figures import SOFT, TEXT, figure_bytes, print_style
from sonoplane.report.images import inline_jpeg
from sonoplane.report.words import clock, count, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "MOST_SHOWN",
    "Mistake",
    "MistakeFigure",
    "mistake_figures",
    "mistakes_of",
    "worst",
    "write_mistakes",
]

#: Mistakes on a contact sheet at most.
MOST_SHOWN = 24

_COLUMNS = (
    "network", "recording", "start", "stop", "start_s", "stop_s", "target", "answer", "probability",
    "target_probability",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """A run of frames, or a whole recording, that was named wrongly."""

    recording: str
    network: str = ""
    start: int | None = None
    stop: int | None = None
    """Frames from 0, stop exclusive; both None: the whole recording."""
    start_s: float | None = None
    stop_s: float | None = None
    """The same in seconds; None where the source has no frame times."""
    target: str
    answer: str
    probability: float
    """Of the answer: mean over the frames."""
    target_probability: float | None = None
    """Of what would have been right."""
    image: Image | None = field(default=None, repr=False)
    """One of the frames, blanked outside the ultrasound region; only those of `worst` need one."""

    def __post_init__(self) -> None:
        if self.target == self.answer:
            raise UsageError(f"'{self.answer}' for '{self.target}' is right.", advice="List mistakes alone.")
        if not 0 <= self.probability <= 1 or (self.start is None) != (self.stop is None):
            raise UsageError(
                "A mistake has a probability outside 0 to 1, or one end of its frames.",
                advice="Give a probability, and start and stop or neither.",
            )

    @property
    def frame(self) -> int:
        """The frame to show: the middle one; of a whole recording the first, unless the caller knows better."""
        return 0 if self.start is None or self.stop is None else (self.start + self.stop - 1) // 2

    @property
    def place(self) -> str:
        """Where it is, in words."""
        if self.start is None or self.stop is None:
            return "whole recording"
        frames = (
            f"frame {self.start:,}"
            if self.stop - self.start == 1
            else f"frames {self.start:,}–{self.stop - 1:,}"
        )
        return frames if self.start_s is None else f"{frames} at {clock(self.start_s, digits=1)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class MistakeFigure:
    """A mistake as a page shows it."""

    mistake: Mistake
    picture: str | None
    """Inline; None where no frame was given."""


def worst(mistakes: Sequence[Mistake], most: int = MOST_SHOWN) -> tuple[Mistake, ...]:
    """The `most` surest mistakes, of equally sure ones the longest first; each recording at most three times.

    >>> one = Mistake(recording="a", target="liver", answer="kidney", probability=0.6)
    >>> from dataclasses import replace
    >>> [m.probability for m in worst([one, replace(one, probability=0.9)])]
    [0.9, 0.6]
    """
    ordered = sorted(mistakes, key=lambda m: (-m.probability, (m.start or 0) - (m.stop or 0), m.recording))
    shown: list[Mistake] = []
    times: dict[tuple[str, str], int] = {}
    for mistake in ordered:
        key = (mistake.network, mistake.recording)
        times[key] = times.get(key, 0) + 1
        if times[key] <= 3:
            shown.append(mistake)
    return tuple(shown[:most])


def mistakes_of(
    recording: str,
    targets: Int64[np.ndarray, "time"],
    answers: Int64[np.ndarray, "time"],
    probabilities: Float32[np.ndarray, "time classes"],
    classes: Sequence[str],
    *,
    network: str = "",
    times_s: Float64[np.ndarray, "time"] | None = None,
) -> tuple[Mistake, ...]:
    """Every run of frames with one wrong answer to one label; frames without a label (-1) or answer (-1) are none.

    >>> shown = np.tile(np.float32([0.2, 0.8]), (4, 1))
    >>> found = mistakes_of("a", np.array([0, 0, 1, -1]), np.array([1, 1, 1, 1]), shown, ["liver", "kidney"])
    >>> [(m.start, m.stop, m.target, m.answer, round(m.probability, 2)) for m in found]
    [(0, 2, 'liver', 'kidney', 0.8)]
    """
    wrong = (targets != answers) & (targets >= 0) & (answers >= 0)
    key = np.where(wrong, targets * len(classes) + answers, -1)
    cuts = [0, *(np.flatnonzero(np.diff(key)) + 1).tolist(), len(key)]
    return tuple(
        Mistake(
            recording=recording,
            network=network,
            start=start,
            stop=stop,
            start_s=None if times_s is None else float(times_s[start]),
            stop_s=None if times_s is None else float(times_s[min(stop, len(key) - 1)]),
            target=classes[targets[start]],
            answer=classes[answers[start]],
            probability=float(probabilities[start:stop, answers[start]].mean(dtype=np.float64).clip(0, 1)),
            target_probability=float(
                probabilities[start:stop, targets[start]].mean(dtype=np.float64).clip(0, 1)
            ),
        )
        for start, stop in pairwise(cuts)
        if start < stop and wrong[start]
    )


def mistake_figures(mistakes: Sequence[Mistake]) -> tuple[MistakeFigure, ...]:
    """Mistakes with their frames as small inline pictures."""
    return tuple(
        MistakeFigure(
            mistake=mistake,
            picture=None if mistake.image is None else inline_jpeg(mistake.image, longest=360, quality=80),
        )
        for mistake in mistakes
    )


def write_mistakes(
    folder: Path, mistakes: Sequence[Mistake], shown: Sequence[Mistake] = (), *, stem: str = "mistakes"
) -> tuple[Path, ...]:
    """Write `<stem>.csv` with all mistakes, by recording, and the contact sheet `<stem>.png` of those shown.

    Without `shown` no sheet is written. `folder` must be there.

    Raises:
        MissingExtra: there is a sheet to draw, and matplotlib is not installed.
    """
    table = folder / f"{stem}.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for mistake in sorted(mistakes, key=lambda m: (m.recording, m.network, m.start or 0)):
            values = [getattr(mistake, column) for column in _COLUMNS]
            rows.writerow(["" if value is None else _number(value) for value in values])
    if not shown:
        return (table,)
    words = [word for m in shown for word in (m.recording, m.network, m.target, m.answer)]
    picture = folder / f"{stem}.png"
    with print_style(words):
        picture.write_bytes(figure_bytes(_sheet(shown, len(mistakes)), "png", dpi=200))
    return table, picture


def _number(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def _sheet(shown: Sequence[Mistake], n_all: int) -> "Figure":
    """Four thumbnails a row, 180 mm wide, with what they are below."""
    from matplotlib.figure import Figure

    n_rows, width, cell, picture = math.ceil(len(shown) / 4), 7.09, 1.86, 1.22
    height = n_rows * cell + 0.3
    figure = Figure(figsize=(width, height))
    rest = n_all - len(shown)
    told = f"{count(len(shown), 'mistake')}, the surest first: label → answer, its probability."
    told += f" {rest:,} more are in the table." if rest > 0 else ""
    figure.text(0, 1 - 0.06 / height, told, va="top", fontsize=9, color=SOFT)
    for place, mistake in enumerate(shown):
        row, column = divmod(place, 4)
        top = height - 0.3 - row * cell
        left, inches = column * width / 4, width / 4 - 0.12
        axes = figure.add_axes((left / width, (top - picture) / height, inches / width, picture / height))
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.set(xticks=[], yticks=[], facecolor="black" if mistake.image is not None else "#f4f6f8")
        if mistake.image is not None:
            axes.imshow(mistake.image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
            axes.set_anchor("W")
        else:
            axes.text(0.5, 0.5, "no picture", ha="center", va="center", fontsize=7.5, color=SOFT)
        for line, (words, size, color) in enumerate(_caption(mistake)):
            y = (top - picture - 0.05 - 0.125 * line) / height
            figure.text(left / width, y, words, va="top", fontsize=size, color=color)
    return figure


def _caption(mistake: Mistake) -> list[tuple[str, float, str]]:
    """Lines, their sizes and colors."""
    sure = percent(mistake.probability)
    where = f"{mistake.network}, {mistake.place}" if mistake.network else mistake.place
    answer = _short(mistake.answer, 26)
    return [
        (f"{_short(mistake.target, 31)} →", 7.5, TEXT),
        (f"{answer}, {sure}", 7.5, TEXT),
        (_short(mistake.recording, 36), 6.5, SOFT),
        (_short(where, 38), 6.5, SOFT),
    ]


def _short(words: str, most: int) -> str:
    """The words, without their middle where they are too long, so that ends still differ.

    >>> _short("apical four chamber view with contrast", 20)
    'apical four… contrast'
    """
    if len(words) <= most:
        return words
    tail = most * 2 // 5
    return f"{words[: most - tail - 1].rstrip()}…{words[-tail - 1 :]}"
