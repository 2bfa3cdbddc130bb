"""What every way of explaining a network has in common: a clip goes in, and how much each pixel counted comes out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float32

from sonoplane.errors import UsageError
from sonoplane.inference.ways import Way
from sonoplane.models.reach import frames_ahead
from sonoplane.models.spec import NetworkSpec

__all__ = [
    "METHODS",
    "Clip",
    "Explainer",
    "Map",
    "Maps",
    "Method",
    "Sight",
    "check_asked",
    "of_members",
    "run_of_maps",
    "sight_of",
]

Method: TypeAlias = Literal["guided-backprop", "grad-cam", "grad-cam++", "integrated-gradients", "occlusion"]
METHODS: tuple[Method, ...] = (
    "guided-backprop",
    "grad-cam",
    "grad-cam++",
    "integrated-gradients",
    "occlusion",
)
Clip: TypeAlias = Float32[np.ndarray, "time 1 height width"]
"""What the card made of frames that the network sees together, in order; or of the one that it sees."""
Maps: TypeAlias = Float32[np.ndarray, "time height width"]
"""How much each pixel of each frame counted. Larger is more; below zero, where a method tells it, is against."""
Map: TypeAlias = Float32[np.ndarray, "height width"]
"""The same of one frame."""

#: A dense pass looks at a frame with so many frames around it: those farther off hardly count.
_AROUND = 9


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """Which frames are looked at together to explain one of them.

    >>> Sight(length=3, step=2, place=2).frames(10)
    (6, 8, 10)
    """

    length: int = 1
    """How many."""
    step: int = 1
    """From one to the next."""
    place: int = 0
    """Which of them is explained, from 0."""

    @property
    def before(self) -> int:
        """How many frames before it the first lies."""
        return self.place * self.step

    @property
    def after(self) -> int:
        """How many frames after it the last lies."""
        return (self.length - 1 - self.place) * self.step

    def frames(self, frame: int) -> tuple[int, ...]:
        """Their numbers, which may lie before the first frame, or after the last: those stand for it."""
        return tuple(range(frame - self.before, frame + self.after + 1, self.step))


@runtime_checkable
class Explainer(Protocol):
    """Tells how much each pixel of a clip counted for a class."""

    method: str
    sight: Sight

    def __call__(self, clip: Clip, target: int) -> Maps:
        """Maps of all frames of a clip of `sight.length` frames; `target` is the number of the class."""
        ...

    def notes(self) -> tuple[str, ...]:
        """What is to be said of the maps that were asked for since this was asked last."""
        ...


def check_asked(clip: Clip, target: int, *, sight: Sight, size: tuple[int, int], n_classes: int) -> None:
    """Raise a UsageError where a clip is not what a network is given, or there is no such class."""
    if len(clip) != sight.length:
        raise UsageError(
            f"The clip has {len(clip)} frames, and the network is given {sight.length}.",
            advice="Give as many frames as `sight.length` says.",
        )
    if clip.shape[2:] != size:
        raise UsageError(
            f"The clip's frames are {clip.shape[2]} x {clip.shape[3]}, and the network is given {size[0]} x {size[1]}.",
            advice="Make them by the bundle's card.",
        )
    if not 0 <= target < n_classes:
        raise UsageError(f"There is no class {target}.", advice=f"Give a number from 0 to {n_classes - 1}.")


def of_members(maps: Float32[np.ndarray, "members time height width"]) -> Maps:
    """The mean of what an ensemble's networks tell, each with their mean total: none says more because its logits are
    larger.
    """
    totals = np.abs(maps).sum(axis=(1, 2, 3), dtype=np.float64)
    told = totals > 0
    scales = np.where(told, totals.mean() / np.where(told, totals, 1), 0)
    return np.asarray((maps * scales[:, None, None, None]).mean(axis=0), np.float32)


def sight_of(spec: NetworkSpec, way: Way) -> Sight:
    """Which frames are looked at: those of the clip that labels a frame, or the nearest that a dense pass sees.

    >>> from sonoplane.models.spec import network_spec
    >>> sight_of(network_spec("sononet3d-16", n_classes=7), Way(mode="clip", length=5, step=4))
    Sight(length=5, step=4, place=4)
    >>> sight_of(network_spec("sononet3d-16", n_classes=7), Way(mode="dense"))
    Sight(length=9, step=1, place=4)
    """
    if way.mode != "dense":
        return Sight(length=way.length, step=way.step, place=way.length - 1)
    return Sight(length=_AROUND, step=way.step, place=_AROUND // 2 if frames_ahead(spec) else _AROUND - 1)


def run_of_maps(
    explainer: Explainer, inputs: Sequence[np.ndarray] | np.ndarray, target: int, *, before: int = 0
) -> Iterator[Map]:
    """The map of each frame of a run that shows one class, in order; a row of `inputs` is a frame (1 height width).

    Clips lie one behind the other, so each frame is looked at once, and what is told of neighbors belongs together. A
    clip that is longer than what there is of the run reaches back into the frames before it, with which `inputs` begin;
    where there are none, the first frame stands for them, as it does in prediction.
    """
    sight, n_frames = explainer.sight, len(inputs)
    span = sight.length * sight.step
    for start in range(before, n_frames, span):
        stop = min(start + span, n_frames)
        told: dict[int, Map] = {}
        for offset in range(sight.step):
            numbers = range(stop - span + offset, stop, sight.step)
            if numbers[-1] >= start:
                maps = explainer(np.stack([inputs[max(number, 0)] for number in numbers]), target)
                told |= dict(zip(numbers, maps, strict=True))
        yield from (told[number] for number in range(start, stop))
