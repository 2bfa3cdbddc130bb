"""The layers of the modular 3D network for echo views as data, and the list notation that they are written in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from sonoplane.errors import UsageError

__all__ = ["PRESETS", "EchoPlan", "echo_plan", "echo_shapes"]

Layer: TypeAlias = int | Literal["M"]
"""The width of a 3x3x3 convolution, or a max pool that halves height and width and takes one frame."""
Listed: TypeAlias = str | Sequence[int | float | str]
"""A list, or the same written out: `[16, M, 32, M]`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EchoPlan:
    """One network: convolutions and pools, the cells that their map is averaged into, and the classifier."""

    layers: tuple[Layer, ...]
    """A number is a 3x3x3 convolution of that width with batch norm and ReLU; M a max pool 2x2x2 with stride 1x2x2."""
    classifier: tuple[int | float, ...] = ()
    """Before the layer that answers the classes: a whole number is a fully connected layer of that width with
    ReLU, a fraction a dropout."""
    cells: tuple[int, int, int] = (7, 5, 5)
    """Time, height and width of what the classifier sees, whatever the size of the clip."""

    def __post_init__(self) -> None:
        if not self.layers or self.layers[0] == "M":
            raise UsageError(
                "The plan begins with no convolution.", advice="Begin with a width, as in [16, M, 32, M]."
            )
        if min(self.cells) < 1:
            raise UsageError(
                f"Cells of {self.cells} are impossible.",
                advice="Give at least one in time, height and width.",
            )

    @property
    def blocks(self) -> tuple[tuple[Layer, ...], ...]:
        """The layers up to each pool, the pool included.

        >>> EchoPlan(layers=(8, 8, "M", 16, "M", 32)).blocks
        ((8, 8, 'M'), (16, 'M'), (32,))
        """
        ends = [n for n, (one, two) in enumerate(pairwise(self.layers), 1) if one == "M" and two != "M"]
        return tuple(self.layers[a:b] for a, b in pairwise([0, *ends, len(self.layers)]))

    @property
    def n_pools(self) -> int:
        """How often height and width are halved, and how many frames are taken off."""
        return self.layers.count("M")

    @property
    def min_frames(self) -> int:
        """The shortest clip that leaves a frame behind the last pool."""
        return self.n_pools + 1

    @property
    def receptive_field(self) -> int:
        """Frames that one place of the last map sees; the classifier sees the whole clip.

        >>> echo_plan("six-view").receptive_field
        23
        """
        return 1 + sum(1 if layer == "M" else 2 for layer in self.layers)

    @property
    def widths(self) -> tuple[int, ...]:
        """The convolutions' widths."""
        return tuple(layer for layer in self.layers if layer != "M")

    @property
    def n_features(self) -> int:
        """How many numbers the classifier sees."""
        time, height, width = self.cells
        return self.widths[-1] * time * height * width

    def map_size(self, frames: int, height: int, width: int) -> tuple[int, int, int]:
        """The size of the last map for a clip; raises a UsageError where nothing is left of it.

        >>> echo_plan("six-view").map_size(10, 100, 100)
        (6, 6, 6)
        """
        least = 2**self.n_pools
        if frames < self.min_frames or height < least or width < least:
            raise UsageError(
                f"A clip of {frames} frames of {height} x {width} is too small for {self.n_pools} pools, "
                f"each of which takes a frame and halves the image.",
                advice=f"Give at least {self.min_frames} frames of {least} x {least}, or a plan with fewer M.",
            )
        return frames - self.n_pools, height // least, width // least


#: Plans by name. `six-view` is the published one for apex, papillary, mitral, 2, 3 and 4 chamber views.
PRESETS = {
    "six-view": EchoPlan(
        layers=(16, 16, "M", 32, 32, "M", 32, 32, "M", 64, 64, 64, "M"), classifier=(200, 0.5, 150, 0.5)
    ),
    "six-view-half": EchoPlan(
        layers=(8, 8, "M", 16, 16, "M", 16, 16, "M", 32, 32, 32, "M"), classifier=(100, 0.5, 75, 0.5)
    ),
    "tiny": EchoPlan(layers=(4, "M", 8, "M"), classifier=(16, 0.5), cells=(2, 2, 2)),
}


def echo_plan(
    plan: Listed = "six-view", *, classifier: Listed | None = None, cells: Listed | None = None
) -> EchoPlan:
    """A plan by its name or in list notation; what is not given is as in `six-view`, or in the named plan.

    Raises a UsageError that says which entry of a list is wrong.

    >>> echo_plan("[8, M, 16, M]", classifier=[50, 0.2]).classifier
    (50, 0.2)
    >>> echo_plan([8, "M", 0])
    Traceback (most recent call last):
    sonoplane.errors.UsageError: Entry 3 of the plan is 0. Give a width (a whole number from 1) or M.
    """
    known = PRESETS.get(plan) if isinstance(plan, str) else None
    if known is None and isinstance(plan, str) and re.fullmatch(r"[A-Za-z][\w-]+", plan):
        raise UsageError(
            f"There is no echo plan {plan!r}.",
            advice=f"Use one of {', '.join(PRESETS)}, or a list such as [16, M, 32, M].",
        )
    other = known or PRESETS["six-view"]
    return EchoPlan(
        layers=known.layers if known else _layers(plan),
        classifier=other.classifier if classifier is None else _classifier(classifier),
        cells=other.cells if cells is None else _cells(cells),
    )


def echo_shapes(
    plan: EchoPlan, *, n_classes: int, in_channels: int = 1, features_only: bool = False
) -> dict[str, tuple[int, ...]]:
    """The name and shape of every array of `echo3d.Echo3d`, told without building it.

    >>> echo_shapes(echo_plan("tiny"), n_classes=6)["head.3.weight"]
    (6, 16)
    """
    shapes: dict[str, tuple[int, ...]] = {}
    before = in_channels
    for b, block in enumerate(plan.blocks):
        for c, width in enumerate(block):
            if width == "M":
                continue
            shapes[f"blocks.{b}.{c}.conv.weight"] = (width, before, 3, 3, 3)
            norm = ("weight", "bias", "running_mean", "running_var")
            shapes |= {f"blocks.{b}.{c}.norm.{part}": (width,) for part in norm}
            before = width
    if features_only:
        return shapes
    place, before = 0, plan.n_features
    for entry in (*plan.classifier, n_classes):
        if isinstance(entry, int):
            shapes |= {f"head.{place}.weight": (entry, before), f"head.{place}.bias": (entry,)}
            before = entry
        place += 2 if isinstance(entry, int) else 1  # a width is followed by its ReLU
    return shapes


def _layers(plan: Listed) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    for position, entry in enumerate(_entries(plan), 1):
        if entry in ("M", "m"):
            layers.append("M")
        elif re.fullmatch(r"[1-9][0-9]{0,4}", entry):
            layers.append(int(entry))
        else:
            raise _wrong(position, "plan", entry, "Give a width (a whole number from 1) or M.")
    return tuple(layers)


def _classifier(given: Listed) -> tuple[int | float, ...]:
    entries: list[int | float] = []
    for position, entry in enumerate(_entries(given), 1):
        if re.fullmatch(r"[1-9][0-9]{0,5}", entry):
            entries.append(int(entry))
        elif re.fullmatch(r"0?\.[0-9]+|0\.?", entry):
            entries.append(float(entry))
        else:
            advice = "Give a width (a whole number from 1) or a dropout (from 0 to below 1)."
            raise _wrong(position, "classifier", entry, advice)
    return tuple(entries)


def _cells(given: Listed) -> tuple[int, int, int]:
    entries = _entries(given)
    for position, entry in enumerate(entries, 1):
        if not re.fullmatch(r"[1-9][0-9]{0,2}", entry):
            raise _wrong(position, "cells", entry, "Give a whole number from 1.")
    if len(entries) != 3:
        raise UsageError(
            f"The cells are {len(entries)} numbers.", advice="Give three: time, height, width, as in 7, 5, 5."
        )
    time, height, width = map(int, entries)
    return time, height, width


def _entries(given: Listed) -> list[str]:
    """The entries as they were written, brackets and quotation marks taken off."""
    if not isinstance(given, str):
        return [str(entry) for entry in given]
    inside = re.sub(r"^\s*[\[(]?\s*|,?\s*[\])]?\s*$", "", given)
    return [entry.strip().strip("'\"") for entry in inside.split(",")] if inside else []


def _wrong(position: int, what: str, entry: str, advice: str) -> UsageError:
    return UsageError(f"Entry {position} of the {what} is {entry or 'empty'}.", advice=advice)
