"""What a simulated recording shows at each frame: the frozen plan that pictures are painted from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64

from sonoplane.video.phantom_shapes import Shape, Tissue

__all__ = ["Motion", "Run", "Scene", "runs_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Consecutive frames of one class."""

    label: str
    start: int
    stop: int
    """Exclusive."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Motion:
    """Where the probe is at one frame, and how loud its echoes are."""

    turn: float
    """Radians that it has slid along the skin."""
    push_mm: float
    """How far tissue has moved away from its face."""
    tilt: float
    """How far it has swept out of its first plane, in fields of scatterers."""
    gain_db: float


@runtime_checkable
class Scene(Protocol):
    """Anatomy in motion."""

    @property
    def ground(self) -> Tissue:
        """What lies where no shape does."""
        ...

    @property
    def runs(self) -> tuple[Run, ...]:
        """Which frames show what: every frame belongs to one run."""
        ...

    def motion(self, frame: int) -> Motion:
        """The probe at this frame."""
        ...

    def shapes(self, frame: int) -> list[Shape]:
        """Brush strokes for this frame, in the order of painting, before the probe's motion."""
        ...


def runs_of(
    labels: Sequence[str], *, frames: int, between: str, share: float, rng: np.random.Generator
) -> tuple[Run, ...]:
    """Runs of these labels, with runs of `between` before, after and between some; these fill `share` of all frames.

    >>> rng = np.random.default_rng(0)
    >>> [(run.label, run.start, run.stop) for run in runs_of("ab", frames=40, between="-", share=0.25, rng=rng)]
    [('a', 0, 11), ('-', 11, 17), ('b', 17, 35), ('-', 35, 40)]
    """
    gap = rng.random(len(labels) + 1) < _GAP_CHANCE
    if not gap.any():
        gap[rng.integers(0, len(gap))] = True
    shows = _shares(len(labels), rng) * (1 - share) * frames
    gaps = np.zeros(len(gap))
    gaps[gap] = _shares(int(gap.sum()), rng) * share * frames
    names = [between, *(name for label in labels for name in (label, between))]
    lengths = np.insert(gaps, np.arange(1, len(gap)), shows)
    edges = np.rint(np.concatenate([[0], np.cumsum(lengths)])).astype(int)
    return tuple(
        Run(label=name, start=int(a), stop=int(b))
        for name, a, b in zip(names, edges, edges[1:], strict=False)
        if b > a
    )


_GAP_CHANCE = 0.5


def _shares(n: int, rng: np.random.Generator) -> Float64[np.ndarray, "n"]:
    weights = rng.uniform(0.75, 1.35, n)
    return np.asarray(weights / weights.sum())
