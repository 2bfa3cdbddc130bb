"""Logits, frame by frame, become a timeline; a timeline becomes segments and an answer for the recording."""

from dataclasses import dataclass
from itertools import groupby

import numpy as np
from jaxtyping import Float, Float32

from sonoplane.inference.predictor import Seen
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.records import Segment, Timeline

__all__ = [
    "UNKNOWN",
    "RecordingAnswer",
    "TimelineBuilder",
    "recording_answer",
    "recording_label",
    "segments",
    "softmax",
]

#: What is said of a recording of which nothing can be said surely enough.
UNKNOWN = "unknown"

_UNLIKE = "More than half of its frames look unlike those that the network was validated on."


def softmax(logits: Float[np.ndarray, "*rows classes"]) -> Float32[np.ndarray, "*rows classes"]:
    """Probabilities from logits, each row summing to one.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]], dtype=float32)
    """
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), dtype=np.float32)


class TimelineBuilder:
    """Gathers what was seen: some bytes a frame, no pixels.

    The timeline's logits are the network's own, its probabilities those of the calibrated logits.
    """

    def __init__(
        self,
        recording: str,
        classes: tuple[str, ...],
        fps: float | None,
        calibration: Calibration | None = None,
    ) -> None:
        self.recording = recording
        self.classes = classes
        self.fps = fps
        self.calibration = calibration or Calibration(classes=classes)
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
            probabilities=softmax(self.calibration.apply(logits)) if len(logits) else logits,
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordingAnswer:
    """What is said of a whole recording."""

    label: str
    """A class, or `unknown`."""
    probability: float
    """Of the likeliest class, also where the label is `unknown`."""
    notes: tuple[str, ...] = ()
    """What makes it doubtful: why nothing is known, or why it could not be told whether something is."""


def recording_answer(
    timeline: Timeline,
    *,
    leave_out: str | None = None,
    calibration: Calibration | None = None,
    precision: float | None = None,
    cautious: bool = True,
) -> RecordingAnswer:
    """The recording's label, or `unknown` where labels so sure are right less often than `precision`.

    That is so where its mean calibrated probability, before any smoothing, is below the threshold that was fitted on
    the bundle's validation recordings, or where more than half of the frames look unlike those. Without a `precision`,
    or a threshold for it, the label is given; that the frames look unlike is told all the same.
    """
    label, probability = recording_label(timeline, leave_out)
    known = calibration or Calibration(classes=timeline.classes)
    unlike = known.likeness is not None and known.likeness.rejects(timeline.logits)
    if precision is None:
        notes = (f"{_UNLIKE} Its label may mean nothing.",) if unlike else ()
        return RecordingAnswer(label=label, probability=probability, notes=notes)
    if unlike:
        note = f"Its label is unknown. {_UNLIKE} The likeliest label is {label!r}."
        return RecordingAnswer(label=UNKNOWN, probability=probability, notes=(note,))
    threshold = known.threshold(precision, cautious=cautious)
    if threshold is None or threshold.value is None:
        why = (threshold.why if threshold else known.why_no_thresholds) or "none was fitted"
        note = (
            f"Its label is given without knowing whether such labels are right {precision:.0%} of the time: "
            f"the network has no threshold for that ({why})."
        )
        return RecordingAnswer(label=label, probability=probability, notes=(note,))
    sure = float(softmax(known.apply(timeline.logits))[:, timeline.classes.index(label)].mean())
    if sure >= threshold.value:
        return RecordingAnswer(label=label, probability=probability)
    note = (
        f"Its label is unknown: {label!r} is the likeliest with {sure:.2f}, and labels are right "
        f"{threshold.wished:.0%} of the time only from {threshold.value:.2f} on."
    )
    return RecordingAnswer(label=UNKNOWN, probability=probability, notes=(note,))
