"""The mean of the probabilities over neighboring frames."""

import numpy as np
from jaxtyping import Float, Float64

__all__ = ["PastAverage", "average"]


def average(
    probabilities: Float[np.ndarray, "time classes"], *, half: int
) -> Float64[np.ndarray, "time classes"]:
    """Mean over each frame, `half` frames before it and as many after it; fewer at the ends.

    >>> average(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), half=1)[:, 0].tolist()
    [0.5, 0.3333333333333333, 0.0]
    """
    n_frames = len(probabilities)
    frames = np.arange(n_frames)
    return _means(probabilities, np.maximum(frames - half, 0), np.minimum(frames + half + 1, n_frames))


class PastAverage:
    """Mean over each frame and those before it, `length` in all; fewer at the beginning."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._held: Float64[np.ndarray, "held classes"] | None = None
        self._latest: Float64[np.ndarray, "1 classes"] | None = None

    def push(
        self, probabilities: Float[np.ndarray, "time classes"], *, missed: int = 0
    ) -> Float64[np.ndarray, "time classes"]:
        """The means at the next frames; in place of those `missed` before them stands the frame before."""
        held = probabilities[:0].astype(np.float64) if self._held is None else self._held
        if missed and self._latest is not None:
            held = np.concatenate([held, np.repeat(self._latest, min(missed, self._length), axis=0)])
        rows = np.concatenate([held, probabilities])
        stops = np.arange(len(held), len(rows)) + 1
        means = _means(rows, np.maximum(stops - self._length, 0), stops)
        self._held = rows[max(0, len(rows) - self._length + 1) :]
        self._latest = rows[-1:] if len(rows) else self._latest
        return means

    def reset(self) -> None:
        """Forget all frames."""
        self._held = self._latest = None


def _means(rows: Float[np.ndarray, "rows classes"], starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    sums = np.zeros((len(rows) + 1, rows.shape[1]))
    np.cumsum(rows, axis=0, out=sums[1:], dtype=np.float64)
    means = (sums[stops] - sums[starts]) / (stops - starts)[:, None]
    return np.asarray(np.maximum(means, 0))
