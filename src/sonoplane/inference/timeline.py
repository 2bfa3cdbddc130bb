"""Logits, frame by frame, become a timeline; a timeline becomes segments and an answer for the recording."""

from itertools import groupby

import numpy as np
from jaxtyping import Float, Float32

from sonoplane.inference.predictor import Seen
from sonoplane.records import Segment, Timeline

__all__ = ["TimelineBuilder", "recording_label", "segments", "softmax"]


def softmax(logits: Float[np.ndarray, "*rows classes"]) -> Float32[np.ndarray, "*rows classes"]:
    """Probabilities from logits, each row summing to one.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]], dtype=float32)
    """
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), dtype=np.float32)


class TimelineBuilder:
    """Gathers what was seen: some bytes a frame, no pixels."""

    def __init__(self, recording: str, classes: tuple[str, ...], fps: float | None) -> None:
        self.recording = recording
        self.classes = classes
        self.fps = fps
        self._logits: list[np.ndarray] = []
        self._times_s: list[float | None] = []

    def add(self, seen: Seen) -> None:
        """Append the next frame."""
        self._logits.append(seen.logits)
        self._times_s.append(seen.frame.time_s)

    def build(self) -> Timeline:
        """The timeline of all frames added so far."""
        logits = np.array(self._logits, dtype=np.float32).reshape(-1, len(self.classes))
        known = self.fps is not None and all(time is not None for time in self._times_s)
        return Timeline(
            recording=self.recording,
            classes=self.classes,
            times_s=np.array(self._times_s, dtype=np.float64) if known else None,
            fps=self.fps,
            logits=logits,
            probabilities=softmax(logits) if len(logits) else logits,
        )


def segments(timeline: Timeline) -> tuple[Segment, ...]:
    """Runs of frames with one label, in order; together they are all frames."""
    found = []
    start = 0
    for label, run in groupby(timeline.labels):
        stop = start + sum(1 for _ in run)
        mean = timeline.probabilities[start:stop, timeline.classes.index(label)].mean()
        found.append(Segment(start=start, stop=stop, label=label, probability=float(mean)))
        start = stop
    return tuple(found)


def recording_label(timeline: Timeline, leave_out: str | None = None) -> tuple[str, float]:
    """The class of the largest mean probability, `leave_out` left out, and that probability."""
    means = timeline.probabilities.mean(axis=0, dtype=np.float64)
    best = max(
        (i for i, name in enumerate(timeline.classes) if name != leave_out), key=lambda i: float(means[i])
    )
    return timeline.classes[best], float(means[best])
