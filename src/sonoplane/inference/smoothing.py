"""What neighboring frames say of a frame: a timeline, or a stream of probabilities, becomes a steadier one."""

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Float32, Int64

from sonoplane.errors import UsageError
from sonoplane.inference.smoothing_hmm import Filter, evidence, forward_backward, viterbi
from sonoplane.inference.smoothing_hysteresis import Hysteresis, Lasting, merge_short
from sonoplane.inference.smoothing_settings import SmoothingSettings
from sonoplane.inference.smoothing_transitions import Transitions
from sonoplane.inference.smoothing_windows import PastAverage, average
from sonoplane.records import Timeline

__all__ = ["Kind", "Smoothed", "StreamSmoother", "assumed_rate", "kind_of", "smooth"]

Kind: TypeAlias = Literal["none", "average", "hysteresis", "hmm"]

#: Frames a second where neither the recording nor the bundle tells.
_TYPICAL_FPS = 25.0


def kind_of(settings: SmoothingSettings, transitions: Transitions | None) -> Kind:
    """How is smoothed, the bundle's knowledge being this.

    >>> kind_of(SmoothingSettings(), None)
    'none'

    Raises:
        UsageError: an HMM is asked for, and the bundle has no transitions.
    """
    if settings.kind == "auto":
        return "none" if transitions is None else "hmm"
    if settings.kind == "hmm" and transitions is None:
        raise UsageError(
            "The bundle does not know how its classes follow each other, which smoothing by an HMM needs.",
            advice="Say `--smoothing.kind average`, or train on recordings in which the plane changes.",
        )
    return settings.kind


def assumed_rate(
    fps: float | None, settings: SmoothingSettings, transitions: Transitions | None
) -> str | None:
    """What is to be said where smoothing has to assume a frame rate; None where it need not."""
    kind = kind_of(settings, transitions)
    if fps is not None or kind == "none" or (kind == "average" and not settings.window_s):
        return None
    whose = "a common rate" if transitions is None else "the median of the recordings trained on"
    return (
        f"It has no frame times: smoothing took it for {_rate(fps, transitions):g} frames a second, {whose}."
    )


def smooth(
    timeline: Timeline, settings: SmoothingSettings, transitions: Transitions | None = None
) -> Timeline:
    """The timeline with its probabilities weighed together as the settings want it; the logits stay.

    Hysteresis and Viterbi settle each frame's class, which need not be its likeliest: that is the timeline's `path`.

    Raises:
        UsageError: an HMM is asked for, and there are no transitions, or they are about other classes.
    """
    kind = kind_of(settings, transitions)
    if kind == "none" or not timeline.n_frames:
        return timeline
    fps = _rate(timeline.fps, transitions)
    if transitions is not None and kind == "hmm":
        _check_classes(timeline.classes, transitions)
        says = evidence(timeline.probabilities, transitions.prior, weight=_weight(settings, fps))
        matrix = transitions.matrix(fps)
        beliefs = forward_backward(says, matrix, transitions.start)
        path = viterbi(says, matrix, transitions.start) if settings.decoding == "viterbi" else None
        return replace(timeline, probabilities=_float32(beliefs), path=path)
    means = _float32(average(timeline.probabilities, half=int(settings.window_s * fps / 2)))
    if kind == "average":
        return replace(timeline, probabilities=means)
    held = Hysteresis(enter=settings.enter, leave=settings.leave).push(means)
    return replace(timeline, probabilities=means, path=merge_short(held, means, _shortest(settings, fps)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Smoothed:
    """What a stream says of some frames in view of those before them."""

    probabilities: Float32[np.ndarray, "time classes"]
    path: Int64[np.ndarray, "time"]
    """The class number of each."""


class StreamSmoother:
    """Smooths a stream as its frames come, from those before each frame alone: the same in any chunks.

    Raises:
        UsageError: an HMM is asked for, and there are no transitions, or they are about other classes.
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        settings: SmoothingSettings,
        transitions: Transitions | None = None,
        *,
        fps: float | None,
    ) -> None:
        self.kind = kind_of(settings, transitions)
        self.note = assumed_rate(fps, settings, transitions)
        """What is to be said where a frame rate had to be assumed."""
        rate = _rate(fps, transitions)
        self._transitions = transitions
        self._weight = _weight(settings, rate)
        self._filter: Filter | None = None
        if transitions is not None and self.kind == "hmm":
            _check_classes(classes, transitions)
            self._filter = Filter(transitions.matrix(rate), transitions.start)
        self._average = PastAverage(max(1, round(settings.window_s * rate)))
        self._hysteresis = Hysteresis(enter=settings.enter, leave=settings.leave)
        self._lasting = Lasting(_shortest(settings, rate))

    def push(self, probabilities: Float[np.ndarray, "time classes"], *, missed: int = 0) -> Smoothed:
        """Take the next frames' probabilities (one or more, or none) and answer as many.

        `missed` is how many frames of the feed nobody answered before the first of these: time has gone on meanwhile.
        """
        means = probabilities
        if self._filter is not None and self._transitions is not None:
            weights = np.full((len(probabilities), 1), self._weight)
            weights[:1] = min(
                1.0, (1 + missed) * self._weight
            )  # further away, it repeats less of the frame before
            says = evidence(probabilities, self._transitions.prior, weight=weights)
            means = self._filter.push(says, missed=missed)
        elif self.kind != "none":
            means = self._average.push(probabilities, missed=missed)
        said = _float32(means)
        path = said.argmax(axis=1)
        if self.kind == "hysteresis":
            path = self._lasting.push(self._hysteresis.push(said), missed=missed)
        return Smoothed(probabilities=said, path=path)

    def reset(self) -> None:
        """Forget all frames: another recording begins."""
        for part in (self._filter, self._average, self._hysteresis, self._lasting):
            if part is not None:
                part.reset()


def _rate(fps: float | None, transitions: Transitions | None) -> float:
    if fps is not None:
        return fps
    return _TYPICAL_FPS if transitions is None else transitions.fps


def _shortest(settings: SmoothingSettings, fps: float) -> int:
    """Frames of the shortest segment."""
    return max(1, math.ceil(settings.shortest_s * fps - 1e-6))


def _weight(settings: SmoothingSettings, fps: float) -> float:
    """How much of a frame's evidence is its own."""
    return 1 / max(1.0, settings.alike_s * fps)


def _float32(rows: Float[np.ndarray, "time classes"]) -> Float32[np.ndarray, "time classes"]:
    return np.asarray(rows, dtype=np.float32)


def _check_classes(classes: tuple[str, ...], transitions: Transitions) -> None:
    if classes != transitions.classes:
        raise UsageError(
            "The transitions are about other classes than the timeline.",
            advice="Take those of the bundle that made it.",
        )
