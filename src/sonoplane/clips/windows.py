"""Windows over a recording: which of its frames each clip is made of."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from sonoplane.clips.windows_settings import Outside, WindowSettings
from sonoplane.errors import UsageError

__all__ = ["Windows", "frames_needed", "place", "windows"]

#: Frame indices that are worked out together.
BLOCK = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """Windows of one length over one recording, worked out as they are asked for: 8 bytes a window.

    >>> clips = place(4, WindowSettings(kind="clip", length=3))
    >>> clips.indices()
    array([[0, 0, 0],
           [0, 0, 1],
           [0, 1, 2],
           [1, 2, 3]])
    """

    n_frames: int
    """Of the recording."""
    starts: Int64[np.ndarray, "windows"]
    """The first frame of each window; below 0 or past the end, `outside` says which frame that is."""
    length: int
    """Frames of a window."""
    step: int = 1
    """From one frame of a window to the next."""
    outside: Outside = "repeat"

    def __post_init__(self) -> None:
        if self.length < 1 or self.step < 1:
            raise UsageError(
                f"A window of {self.length} frames, {self.step} apart, shows nothing.",
                advice="Give a length and a step of 1 or more.",
            )
        if self.n_frames < 1 and len(self.starts):
            raise UsageError("A recording without frames has no windows.", advice="Leave it out.")

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, window: int) -> Int64[np.ndarray, "length"]:
        """The frame indices of one window, in order."""
        return self._inside(self.starts[window] + self.step * np.arange(self.length))

    def indices(self, which: slice = slice(None)) -> Int64[np.ndarray, "windows length"]:
        """The frame indices of these windows (of all), a row each."""
        return self._inside(self.starts[which, None] + self.step * np.arange(self.length))

    def blocks(self) -> Iterator[slice]:
        """All windows in turn, at least one slice, each of few enough windows to hold their indices."""
        size = max(1, BLOCK // self.length)
        for start in range(0, max(len(self), 1), size):
            yield slice(start, min(start + size, len(self)))

    @property
    def centres(self) -> Int64[np.ndarray, "windows"]:
        """The frame in the middle of each window; of an even number of frames, the later of the two."""
        return self._inside(self.starts + self.step * (self.length // 2))

    @property
    def lasts(self) -> Int64[np.ndarray, "windows"]:
        """The last frame of each window: the one that a clip's prediction belongs to."""
        return self._inside(self.starts + self.step * (self.length - 1))

    @property
    def n_unused(self) -> int:
        """How many frames of the recording are in no window."""
        unused = np.ones(self.n_frames, dtype=bool)
        for block in self.blocks() if len(self) else ():
            unused[self.indices(block)] = False
        return int(unused.sum())

    def _inside(self, indices: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """Each index, or that of the frame which stands there outside the recording."""
        if self.outside == "repeat":
            return np.asarray(indices.clip(0, max(self.n_frames - 1, 0)))
        period = max(2 * self.n_frames - 2, 1)  # there and back again, the ends shown once
        phase = indices % period
        return np.asarray(np.minimum(phase, period - phase))


def windows(n_frames: int, *, length: int, stride: int, step: int = 1) -> list[range]:
    """Sliding windows as ranges; the last one is moved back so that it ends with the recording.

    >>> windows(9, length=4, stride=3)
    [range(0, 4), range(3, 7), range(5, 9)]

    No window where the recording has too few frames. `place` does the same, and more, in arrays.
    """
    span = (length - 1) * step + 1
    return [range(start, start + span, step) for start in _slide(n_frames, span, stride).tolist()]


def frames_needed(settings: WindowSettings) -> int:
    """The fewest frames that a recording may have so that no window reaches past it.

    >>> frames_needed(WindowSettings(kind="n-step", length=10, step=5))
    50
    """
    needed = {
        "continuous": settings.length,
        "sliding": (settings.length - 1) * settings.step + 1,
        "n-step": settings.length * settings.step,
    }
    return needed.get(settings.kind, 1)


def place(n_frames: int, settings: WindowSettings) -> Windows:
    """The windows of a recording of so many frames; none where it is too short and such are skipped.

    >>> place(50, WindowSettings(kind="n-step", step=5, length=10)).starts
    array([0, 1, 2, 3, 4])
    >>> place(3, WindowSettings(kind="continuous", length=5, short="reflect")).indices()
    array([[0, 1, 2, 1, 0]])

    Sources: consecutive and trailing windows, SpaceTime-SonoNet (doi 10.1007/s11517-025-03504-w).
    """
    needed = frames_needed(settings)
    filled = max(n_frames, needed)  # as if the recording went on
    if n_frames < 1 or (n_frames < needed and settings.short == "skip"):
        filled = 0
    length = {"frames": 1, "whole": max(n_frames, 1)}.get(settings.kind, settings.length)
    step = settings.step if settings.kind in ("n-step", "sliding") else 1
    if settings.kind == "n-step":
        n_tiles = filled // needed if settings.tile else min(filled // needed, 1)
        starts = (needed * np.arange(n_tiles)[:, None] + np.arange(step)).ravel()
    elif settings.kind == "clip":
        starts = np.arange(filled) - (length - 1)
    else:
        stride = settings.stride if settings.kind in ("continuous", "sliding") else 1
        starts = _slide(filled, (length - 1) * step + 1, stride)
    return Windows(
        n_frames=n_frames,
        starts=starts,
        length=length,
        step=step,
        outside="reflect" if settings.short == "reflect" and settings.kind != "clip" else "repeat",
    )


def _slide(n_frames: int, span: int, stride: int) -> Int64[np.ndarray, "windows"]:
    """Starts `stride` apart of windows over `span` frames, the last one at the end; none if too long."""
    if span < 1 or stride < 1:
        raise UsageError(
            f"Windows over {span} frames, {stride} apart, show nothing or never end.",
            advice="Give a length, a stride and a step of 1 or more.",
        )
    last = n_frames - span
    starts = np.arange(0, last + 1, stride)
    return np.append(starts, last) if len(starts) and starts[-1] < last else starts
