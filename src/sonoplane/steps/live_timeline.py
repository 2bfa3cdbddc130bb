"""What a live feed was told, frame by frame, as it was told: some bytes a frame."""

from array import array

import numpy as np
from jaxtyping import Float32

from sonoplane.records import Segment, Timeline

__all__ = ["LiveSegments", "LiveTimeline"]


class LiveSegments:
    """Runs of frames with one label, so far.

    >>> runs = LiveSegments()
    >>> [runs.add(label, 0.5) for label in ("none", "none", "kidney")]
    [True, False, True]
    >>> [(run.start, run.stop, run.label) for run in runs.segments()]
    [(0, 2, 'none'), (2, 3, 'kidney')]
    """

    def __init__(self) -> None:
        self._runs: list[tuple[int, str, float]] = []
        """First frame, label, sum of probabilities."""
        self._n_frames = 0

    def add(self, label: str, probability: float) -> bool:
        """Append the next frame; whether its label is another than that of the frame before."""
        start, before, total = self._runs[-1] if self._runs else (0, None, 0.0)
        changed = label != before
        if changed:
            self._runs.append((self._n_frames, label, probability))
        else:
            self._runs[-1] = start, label, total + probability
        self._n_frames += 1
        return changed

    def segments(self) -> tuple[Segment, ...]:
        """All of them, in order."""
        stops = [start for start, _, _ in self._runs[1:]] + [self._n_frames]
        return tuple(
            Segment(start=start, stop=stop, label=label, probability=total / (stop - start))
            for (start, label, total), stop in zip(self._runs, stops, strict=True)
        )


class LiveTimeline:
    """Gathers the answers of all frames: 8 bytes for each class and 16 more."""

    def __init__(self, recording: str, classes: tuple[str, ...]) -> None:
        self._recording = recording
        self._classes = classes
        self._logits, self._probabilities = bytearray(), bytearray()
        self._times_s, self._path = array("d"), array("q")

    def add(
        self,
        logits: Float32[np.ndarray, "classes"],
        probabilities: Float32[np.ndarray, "classes"],
        number: int,
        time_s: float | None,
    ) -> None:
        """Append the next frame: the network's logits, what was told of it, its class, its time."""
        self._logits += logits.tobytes()
        self._probabilities += probabilities.tobytes()
        self._path.append(number)
        self._times_s.append(float("nan") if time_s is None else time_s)

    def build(self, fps: float | None) -> Timeline:
        """The timeline of all frames so far; `fps` where none was dropped, else their mean rate stands for it."""
        times_s = np.array(self._times_s, dtype=np.float64)
        known = bool(len(times_s)) and not np.isnan(times_s).any()
        if fps is None and known and len(times_s) > 1 and times_s[-1] > times_s[0]:
            fps = float((len(times_s) - 1) / (times_s[-1] - times_s[0]))
        return Timeline(
            recording=self._recording,
            classes=self._classes,
            times_s=times_s if known and fps is not None else None,
            fps=fps,
            logits=self._rows(self._logits),
            probabilities=self._rows(self._probabilities),
            path=np.array(self._path, dtype=np.int64),
        )

    def _rows(self, buffer: bytearray) -> Float32[np.ndarray, "time classes"]:
        return np.frombuffer(bytes(buffer), np.float32).reshape(-1, len(self._classes))
