"""When each frame of a DICOM cine was taken, as its header says."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.tag import Tag

__all__ = ["Clock", "read_clock"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """Frame times: evenly spaced, listed, or not known at all.

    >>> Clock(step_s=0.04).fps, Clock(step_s=0.04).time_s(50)
    (25.0, 2.0)
    >>> Clock(times_s=(0.0, 0.1, 0.5)).fps, Clock().time_s(3)
    (4.0, None)
    """

    step_s: float | None = None
    times_s: tuple[float, ...] | None = None
    """Wins over the step."""

    @property
    def fps(self) -> float | None:
        """Mean frames a second."""
        if self.times_s is not None and len(self.times_s) > 1:
            return round((len(self.times_s) - 1) / self.times_s[-1], 6)
        return round(1 / self.step_s, 6) if self.step_s else None

    def time_s(self, frame_index: int) -> float | None:
        """Seconds since frame 0."""
        if self.times_s is not None:
            return self.times_s[frame_index] if frame_index < len(self.times_s) else None
        return frame_index * self.step_s if self.step_s else None


#: Where an even rate may stand, the most trusted first, and the step in seconds that its value means.
RATES: tuple[tuple[str, Callable[[float], float]], ...] = (
    ("FrameTime", lambda milliseconds: milliseconds / 1000),
    ("CineRate", lambda rate: 1 / rate),
    ("RecommendedDisplayFrameRate", lambda rate: 1 / rate),
)


def read_clock(header: Dataset, *, n_frames: int | None) -> tuple[Clock, list[str]]:
    """The frame times, and a sentence for each value that cannot be true (DICOM PS3.3 C.7.6.5).

    A vector of frame times is used where it is the only one, or where the frame increment pointer names it;
    its first entry is the time before frame 0 and counts for nothing.
    """
    notes: list[str] = []
    step = _step_s(header)
    wanted = header.get("FrameIncrementPointer") != Tag("FrameTime") or not header.get("FrameTime")
    gaps_ms = _numbers(header.get("FrameTimeVector"))
    if gaps_ms and wanted:
        if n_frames is not None and len(gaps_ms) != n_frames:
            notes.append(f"The header lists {len(gaps_ms)} frame times for {n_frames} frames: not used.")
        elif any(not math.isfinite(gap) or gap < 0 for gap in gaps_ms) or sum(gaps_ms[1:]) <= 0:
            if len(gaps_ms) > 1:
                notes.append("The header lists frame times that do not move forward: not used.")
        else:
            times = np.cumsum([0.0, *gaps_ms[1:]]) / 1000
            return Clock(times_s=tuple(float(time) for time in times)), notes
    return Clock(step_s=step), notes


def _step_s(header: Dataset) -> float | None:
    for keyword, step_s in RATES:
        value = next(iter(_numbers(header.get(keyword))), 0.0)
        if math.isfinite(value) and value > 0:
            return step_s(value)
    return None


def _numbers(value: Any) -> list[float]:
    """A DICOM value of any multiplicity as numbers; empty where it holds none."""
    entries = value if isinstance(value, list) or hasattr(value, "__len__") else [value]
    if isinstance(entries, str):
        entries = entries.split("\\")
    try:
        return [float(entry) for entry in entries if entry not in (None, "")]
    except (TypeError, ValueError):
        return []
