"""The frames of a recording once more, each with what counted in it: read a stretch at a time, never all at once."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from sonoplane.inference.explaining import Clip, Explainer, run_of_maps
from sonoplane.inference.localize import box_of, near
from sonoplane.models.card import Card
from sonoplane.records import Box, Frame

__all__ = ["Mapped", "View", "keeping", "mapped"]

#: Frames of a stretch, unless the network looks at more of them together.
_STRETCH = 32
#: Standard deviation of the smoothing, as a share of the shorter side.
_SMOOTH = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """How a network sees the frames of one recording, and how a map of its input comes back to the frame."""

    card: Card
    explainer: Explainer
    region: Box
    """Of the ultrasound, in the frames."""
    blur: float
    """See `box_of`."""
    mattered: Callable[[Clip, int], Float32[np.ndarray, "time"]] | None = None
    """Tells of each frame of a clip how much less sure of a class the network is without it."""

    def prepared(self, frame: Frame) -> UInt8[np.ndarray, "..."]:
        """What the card's geometry makes of a frame."""
        return self.card.geometry(frame.image, self.region)

    def box(self, relevance: Float32[np.ndarray, "height width"], before: Box | None = None) -> Box | None:
        """Around what counted most, in pixels of the network's input."""
        return box_of(relevance, self.blur, before)

    def placed(self, box: Box | None) -> Box | None:
        """A box of the network's input in the frame."""
        return None if box is None else self.card.placed(box, self.region)

    def spread(
        self, relevance: Float32[np.ndarray, "height width"], within: Box | None = None
    ) -> Float32[np.ndarray, "rows columns"]:
        """A map of the network's input, smoothed a little for the eye, at the size of the region, or of `within`."""
        smooth = cv2.GaussianBlur(relevance, (0, 0), _SMOOTH * min(relevance.shape))
        return self.card.spread(np.asarray(smooth), within or self.region)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mapped:
    """A frame, and what counted in it."""

    frame: Frame
    relevance: Float32[np.ndarray, "rows columns"] | None = field(default=None, repr=False)
    """For each pixel of the ultrasound region; None where no class is explained."""
    box: Box | None = None
    """In the frame; None where nothing counted."""


def mapped(frames: Iterable[Frame], targets: Sequence[int | None], view: View) -> Iterator[Mapped]:
    """Every frame with its map; `targets` are the numbers of the classes that are explained, frame by frame.

    Frames of one class that follow each other are looked at together, as far as the network looks. Where it looks at
    several, what counted in a frame is told by those next to it among them as well (see `near`), and each box is sought
    near that of the frame before.
    """
    coming = iter(frames)
    span = view.explainer.sight.length * view.explainer.sight.step
    clips = view.explainer.sight.length > 1
    past: deque[np.ndarray] = deque(maxlen=span if clips else 0)
    for target, run in groupby(targets):
        n_frames = sum(1 for _ in run)
        box: Box | None = None
        for start, stop in _stretches(n_frames, span):
            stretch = tuple(islice(coming, stop - start))
            prepared = [view.prepared(frame) for frame in stretch] if clips or target is not None else []
            if target is None:
                yield from (Mapped(frame=frame) for frame in stretch)
            else:
                inputs = view.card.values([*past, *prepared])
                maps = [*run_of_maps(view.explainer, inputs, target, before=len(past))]
                for place, frame in enumerate(stretch):
                    clip = place - place % span
                    relevance = near(maps[clip : clip + span], place - clip)
                    box = view.box(relevance, box if clips else None)
                    yield Mapped(frame=frame, relevance=view.spread(relevance), box=view.placed(box))
            past.extend(prepared)


def keeping(
    frames: Iterable[Frame], wanted: Collection[int], kept: dict[int, np.ndarray], view: View
) -> Iterator[Frame]:
    """The frames as they come; what the card makes of those `wanted` is put into `kept`, by their numbers."""
    for frame in frames:
        if frame.index in wanted:
            kept[frame.index] = view.prepared(frame)
        yield frame


def _stretches(n_frames: int, span: int) -> list[tuple[int, int]]:
    """Where a run of frames is cut: into whole numbers of clips, but for the last part, which is no shorter than one.

    >>> _stretches(95, 10), _stretches(5, 10), _stretches(64, 1)
    ([(0, 30), (30, 60), (60, 95)], [(0, 5)], [(0, 32), (32, 64)])
    """
    length = max(_STRETCH // span, 1) * span
    starts = range(0, max(n_frames - span, 0) + 1, length)
    return [*zip(starts, [*starts[1:], n_frames], strict=True)]
