"""A timeline becomes a drawing: one lane for each class, its probability over time and where it was seen.

The drawing is SVG for inside a page, without scripts, fonts or addresses, and stays small however long the
recording is: frames are gathered into at most one column for every pixel and a half. A column shows the
highest probability in it and every class seen in it, so that a plane of a single frame does not vanish.
Planes and background differ in ink, classes by their lane and name alone, so no color has to be told from
another.
"""

import math
from dataclasses import dataclass
from html import escape
from itertools import accumulate, groupby
from unicodedata import east_asian_width

import numpy as np
from jaxtyping import Bool, Float, Int

from sonoplane.records import Findings, Segment, Timeline
from sonoplane.report.words import clock, count, percent

__all__ = ["MOST_LANES", "shown_classes", "timeline_svg"]

#: Classes drawn at most; the others are in the table.
MOST_LANES = 16

_INK, _GRAY, _FAINT, _TEXT = "#0b5c7a", "#6b7280", "#e3e7ec", "#1f2937"
_CURVE, _BAND, _SIZE = 20, 6, 12.5
"""Heights of a probability curve, of a band and of letters, in pixels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    """Where things are: names beside the lanes where there is room, else above them."""

    width: int
    n_lanes: int

    @property
    def beside(self) -> bool:
        return self.width >= 600

    @property
    def left(self) -> float:
        return 176.0 if self.beside else 1.0

    @property
    def right(self) -> float:
        return self.width - 14.0

    @property
    def lane(self) -> int:
        return 34 if self.beside else 48

    @property
    def bottom(self) -> int:
        return self.n_lanes * self.lane + 4

    @property
    def height(self) -> int:
        return self.bottom + 22

    def floor(self, lane: int) -> int:
        """Where the curve of a lane stands, above its band."""
        return (lane + 1) * self.lane - _BAND

    def letters(self, label: str) -> str:
        """As much of a name as there is room for."""
        room = (self.left - 10 if self.beside else self.width) / _SIZE
        ends = list(accumulate(_em(letter) for letter in label))
        if ends[-1] <= room:
            return label
        return label[: sum(end <= room - 1 for end in ends)].rstrip() + "…"


def _em(letter: str) -> float:
    """About how wide a letter is, as a share of its height."""
    return 1.0 if east_asian_width(letter) in "WF" else 0.72 if letter.isupper() else 0.58


def timeline_svg(findings: Findings, timeline: Timeline, *, width: int = 800) -> str:
    """Draw the timeline `width` pixels wide (a phone: 350), as one `<svg>` element.

    Triangles mark the key frames. The axis is in frames where the source has no frame times.
    """
    shown = shown_classes(findings)
    layout = _Layout(width=width, n_lanes=len(shown))
    n_columns = min(timeline.n_frames, int((layout.right - layout.left) / 1.5))
    starts = np.linspace(0, timeline.n_frames, n_columns, endpoint=False).astype(np.int64)
    axis, lines = _axis(layout, timeline)
    lanes = [_lane(layout, place, label, findings, timeline, starts) for place, label in enumerate(shown)]
    told = (
        f"Timeline of {count(timeline.n_frames, 'frame')}: probability of each class, and where it was seen."
    )
    return (
        f'<svg viewBox="0 0 {width} {layout.height}" role="img" '
        f'aria-label="{told}" font-family="inherit" font-size="{_SIZE}" fill="{_TEXT}">'
        f"{lines}{''.join(lanes)}{axis}</svg>"
    )


def shown_classes(findings: Findings) -> tuple[str, ...]:
    """The classes that get a lane: all, or where they are too many those seen longest; background last."""
    frames_of = dict.fromkeys(findings.classes, 0)
    for segment in findings.segments:
        frames_of[segment.label] = frames_of.get(segment.label, 0) + segment.stop - segment.start
    shown = set(sorted(findings.classes, key=lambda label: -frames_of[label])[:MOST_LANES])
    if len(findings.classes) > MOST_LANES:
        shown = {label for label in shown if frames_of[label]}
    ordered = [label for label in findings.classes if label in shown and label != findings.background]
    return (*ordered, *(label for label in [findings.background] if label in shown and label is not None))


def _lane(
    layout: _Layout,
    place: int,
    label: str,
    findings: Findings,
    timeline: Timeline,
    starts: Int[np.ndarray, " columns"],
) -> str:
    ink = _GRAY if label == findings.background else _INK
    floor = layout.floor(place)
    highest = np.maximum.reduceat(timeline.probabilities[:, timeline.classes.index(label)], starts)
    seen = _columns_seen([s for s in findings.segments if s.label == label], starts)
    marks = "".join(
        f'<path d="M{_x(layout, k.frame + 0.5, timeline.n_frames) - 4:.1f} {floor - _CURVE - 6}h8l-4 6z">'
        f"<title>{escape(f'Key frame {k.frame}: {label}, {percent(k.probability)}')}</title></path>"
        for k in findings.keyframes
        if k.label == label
    )
    name_at = (0, floor - 3) if layout.beside else (1, floor - _CURVE - 9)
    return (
        f"<g><title>{escape(label)}</title>"
        f'<text x="{name_at[0]}" y="{name_at[1]}">{escape(layout.letters(label))}</text>'
        f'<path d="M{layout.left:g} {floor}H{layout.right:g}" stroke="{_FAINT}"/>'
        f'<path d="{_curve(layout, floor, highest)}" fill="{ink}" fill-opacity=".32"/>'
        f'<path d="{_bands(layout, floor, seen)}" fill="{ink}"/>{marks}</g>'
    )


def _columns_seen(
    segments: list[Segment], starts: Int[np.ndarray, " columns"]
) -> Bool[np.ndarray, " columns"]:
    """Which columns hold a frame of these segments."""
    steps = np.zeros(len(starts) + 1, dtype=np.int64)
    first = np.searchsorted(starts, [s.start for s in segments], side="right") - 1
    last = np.searchsorted(starts, [s.stop - 1 for s in segments], side="right") - 1
    np.add.at(steps, first, 1)
    np.add.at(steps, last + 1, -1)
    seen: Bool[np.ndarray, " columns"] = steps.cumsum()[:-1] > 0
    return seen


def _curve(layout: _Layout, floor: int, heights: Float[np.ndarray, " columns"]) -> str:
    """An outline in steps of 5 %, equal neighbors joined."""
    step = (layout.right - layout.left) / len(heights)
    path, at = f"M{layout.left:g} {floor}", 0
    for twentieths, run in groupby(np.rint(heights * 20).astype(int).tolist()):
        at += sum(1 for _ in run)
        path += f"V{floor - twentieths * _CURVE / 20:.4g}H{layout.left + at * step:.4g}"
    return path + f"V{floor}z"


def _bands(layout: _Layout, floor: int, seen: Bool[np.ndarray, " columns"]) -> str:
    step = (layout.right - layout.left) / len(seen)
    path, at = "", 0
    for on, run in groupby(seen.tolist()):
        length = sum(1 for _ in run)
        if on:
            x, width = layout.left + at * step, max(length * step, 1.5)
            path += f"M{x:.4g} {floor + 1}h{width:.4g}v{_BAND - 1}h-{width:.4g}z"
        at += length
    return path


def _axis(layout: _Layout, timeline: Timeline) -> tuple[str, str]:
    """Numbers below the lanes, and the lines that lead up from them."""
    times_s = timeline.times_s
    if times_s is None or not np.isfinite(times_s).all():
        span, places = float(timeline.n_frames), None
    else:
        span, places = float(times_s[-1] - times_s[0]), times_s
    step = _round_step(span / (6 if layout.beside else 3), whole=places is None)
    digits = 0 if step >= 1 else 1 if step >= 0.1 else 2
    numbers, lines = "", ""
    for turn in range(int(span / step) + 1):
        value = turn * step
        frame = value if places is None else float(np.searchsorted(places - places[0], value - 1e-9))
        x = _x(layout, min(frame, float(timeline.n_frames)), timeline.n_frames)
        said = f"{value:,.0f}" if places is None else clock(value, digits=digits)
        said = f"frame {said}" if places is None and turn == 0 else said
        anchor = "start" if turn == 0 else "end" if x > layout.right - 24 else "middle"
        numbers += f'<text x="{x:.4g}" y="{layout.bottom + 16}" text-anchor="{anchor}">{said}</text>'
        lines += f'<path d="M{x:.4g} 0V{layout.bottom}" stroke="{_FAINT}"/>'
    return f'<g fill="#4b5563">{numbers}</g>', lines


def _round_step(least: float, *, whole: bool) -> float:
    """The next larger number that people count time or frames in.

    >>> _round_step(0.13, whole=False), _round_step(7.0, whole=True), _round_step(400.0, whole=False)
    (0.2, 10.0, 600.0)
    """
    if whole or least < 10:
        power = 10.0 ** math.floor(math.log10(max(least, 1 if whole else 0.01)))
        return next(round(m * power, 3) for m in (1, 2, 5, 10) if m * power >= least or m == 10)
    minutes = (10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
    return next((s for s in minutes if s >= least), math.ceil(least / 3600) * 3600.0)


def _x(layout: _Layout, frame: float, n_frames: int) -> float:
    return layout.left + (layout.right - layout.left) * frame / n_frames
