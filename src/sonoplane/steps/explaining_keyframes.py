"""What counted in a key frame, and in the frames that were looked at with it."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float32, UInt8

from sonoplane.inference.explaining import Clip, Sight
from sonoplane.inference.localize import near
from sonoplane.records import Box, KeyFrame, Timeline
from sonoplane.report.explanation import ClipFrame, Explained
from sonoplane.steps.explaining_maps import View

__all__ = ["explained", "numbers_of"]

#: Pixels that a frame of a clip is wide or high at most.
_LONGEST = 180


def numbers_of(frame: int, n_frames: int, sight: Sight) -> list[int]:
    """The frames that are looked at to explain one; where there is none the nearest stands for it.

    >>> numbers_of(1, 9, Sight(length=3, step=2, place=2))
    [0, 0, 1]
    """
    return [min(max(number, 0), n_frames - 1) for number in sight.frames(frame)]


def explained(
    keyframe: KeyFrame, timeline: Timeline, target: str | None, kept: Mapping[int, np.ndarray], view: View
) -> Explained:
    """A key frame with its map for `target`, else for its own class; `kept` are the card's frames by their numbers."""
    of_class = target or keyframe.label
    number = timeline.classes.index(of_class)
    sight = view.explainer.sight
    numbers = numbers_of(keyframe.frame, timeline.n_frames, sight)
    images = [kept[n] for n in numbers]
    clip = view.card.values(images)
    maps = view.explainer(clip, number)
    relevance = near(maps, sight.place) if sight.length > 1 else maps[sight.place]
    return Explained(
        keyframe=keyframe,
        target=of_class,
        probability=float(timeline.probabilities[keyframe.frame, number]),
        relevance=view.spread(relevance),
        box=view.placed(view.box(relevance)),
        clip=_clip(numbers, images, maps, view, _mattered(clip, number, view))
        if len(set(numbers)) > 1
        else (),
    )


def _mattered(clip: Clip, number: int, view: View) -> Sequence[float | None]:
    return [None] * len(clip) if view.mattered is None else view.mattered(clip, number).tolist()


def _clip(
    numbers: list[int],
    images: list[np.ndarray],
    maps: Float32[np.ndarray, "time height width"],
    view: View,
    mattered: Sequence[float | None],
) -> tuple[ClipFrame, ...]:
    """The frames of a clip, small."""
    scale = min(1.0, _LONGEST / max(view.region.height, view.region.width))
    small = Box(
        left=0,
        top=0,
        right=max(1, round(view.region.width * scale)),
        bottom=max(1, round(view.region.height * scale)),
    )
    return tuple(
        ClipFrame(
            frame=number,
            image=view.card.spread(_gray(image), small).astype(np.uint8),
            relevance=view.spread(relevance, small),
            mattered=share,
        )
        for number, image, relevance, share in zip(numbers, images, maps, mattered, strict=True)
    )


def _gray(image: UInt8[np.ndarray, "..."]) -> Float32[np.ndarray, "height width"]:
    return image.mean(axis=2, dtype=np.float32) if image.ndim == 3 else image.astype(np.float32)
