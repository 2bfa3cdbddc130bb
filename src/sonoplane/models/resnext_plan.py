"""The layers of the 3D ResNeXt as data (Hara et al., CVPR 2018): what the network and the readers of weights share."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple

from sonoplane.errors import UsageError
from sonoplane.models.spec import NetworkSpec

__all__ = ["DEPTHS", "Bottleneck", "ResNextPlan", "depth_of", "resnext_shapes"]

#: Bottlenecks in each of the four stages, by the number of layers that gives the network its name.
DEPTHS: dict[int, tuple[int, int, int, int]] = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class Bottleneck(NamedTuple):
    """One residual step: 1x1x1 to `middle`, grouped 3x3x3 with the stride, 1x1x1 to `n_out`."""

    n_in: int
    middle: int
    n_out: int
    stride: int

    @property
    def changes(self) -> bool:
        """Whether its shortcut cannot be the input as it is."""
        return self.stride != 1 or self.n_in != self.n_out


@dataclass(frozen=True, kw_only=True, slots=True)
class ResNextPlan:
    """Which 3D ResNeXt; all but the depth is as published if left out."""

    depth: int = 101
    """50, 101 or 152."""
    cardinality: int = 32
    """Groups of the 3x3x3 convolutions."""
    group_width: int = 4
    """Channels of a group in the first stage; doubled in each that follows."""
    stem: int = 64
    """Channels of the first convolution; the later code of the same authors has 128."""
    stem_frames: int = 7
    """How many frames the first convolution sees."""
    stem_stride: int = 1
    """The first convolution's stride in time."""
    stem_pool: bool = True
    """A max pool 3x3x3 of stride 2 behind the first convolution."""
    shortcut: Literal["A", "B"] = "B"
    """Where the size changes: A pads with zero channels, B projects."""

    def __post_init__(self) -> None:
        if self.depth not in DEPTHS:
            raise UsageError(
                f"There is no ResNeXt of depth {self.depth}.",
                advice=f"Use one of {', '.join(map(str, DEPTHS))}.",
            )
        sizes = (self.cardinality, self.group_width, self.stem, self.stem_frames, self.stem_stride)
        if min(sizes) < 1 or self.stem_frames % 2 == 0 or self.shortcut not in ("A", "B"):
            raise UsageError(
                f"A ResNeXt of {self} is impossible.",
                advice="Give numbers from 1, an odd number of stem frames, and the shortcut A or B.",
            )

    @property
    def options(self) -> dict[str, bool | int | str]:
        """What is not as published, by name.

        >>> ResNextPlan(depth=50, stem=128).options
        {'stem': 128}
        """
        published = ResNextPlan(depth=self.depth)
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in own.items() if value != getattr(published, name)}

    @property
    def n_features(self) -> int:
        """Channels behind the last stage."""
        return 16 * self.cardinality * self.group_width

    @property
    def receptive_field(self) -> int:
        """Frames that one place of the last map reaches; a shorter clip is seen whole.

        >>> ResNextPlan(depth=50).receptive_field
        217
        """
        frames, step = self.stem_frames, self.stem_stride
        if self.stem_pool:
            frames, step = frames + 2 * step, 2 * step
        for stage in self.stages():
            for bottleneck in stage:
                frames, step = frames + 2 * step, step * bottleneck.stride
        return frames

    def stages(self) -> Iterator[tuple[Bottleneck, ...]]:
        """The four stages; the first step of each but the first halves time, height and width.

        >>> [stage[0] for stage in ResNextPlan(depth=50).stages()][1]
        Bottleneck(n_in=256, middle=256, n_out=512, stride=2)
        """
        before = self.stem
        for index, n_steps in enumerate(DEPTHS[self.depth]):
            middle = self.cardinality * self.group_width * 2**index
            first = Bottleneck(before, middle, 2 * middle, 1 if index == 0 else 2)
            before = 2 * middle
            yield (first, *[Bottleneck(before, middle, before, 1)] * (n_steps - 1))


def depth_of(spec: NetworkSpec) -> int:
    """The depth that a network's name spells.

    >>> from sonoplane.models.spec import network_spec
    >>> depth_of(network_spec("resnext3d-50", n_classes=6))
    50
    """
    return int(spec.family.rpartition("-")[2])


def resnext_shapes(
    plan: ResNextPlan, *, n_classes: int, in_channels: int = 1, features_only: bool = False
) -> dict[str, tuple[int, ...]]:
    """The name and shape of every array of `resnext3d.ResNext3d`, told without building it.

    >>> resnext_shapes(ResNextPlan(depth=50), n_classes=6)["blocks.1.0.spread.conv.weight"]
    (128, 4, 3, 3, 3)
    """
    shapes = _unit("blocks.0.0", plan.stem, in_channels, (plan.stem_frames, 7, 7))
    for index, stage in enumerate(plan.stages(), 1):
        for place, step in enumerate(stage):
            name = f"blocks.{index}.{place}"
            shapes |= _unit(f"{name}.reduce", step.middle, step.n_in)
            shapes |= _unit(f"{name}.spread", step.middle, step.middle // plan.cardinality, (3, 3, 3))
            shapes |= _unit(f"{name}.expand", step.n_out, step.middle)
            if step.changes and plan.shortcut == "B":
                shapes |= _unit(f"{name}.shortcut", step.n_out, step.n_in)
    if not features_only:
        shapes |= {
            "head.0.conv.weight": (n_classes, plan.n_features, 1, 1, 1),
            "head.0.conv.bias": (n_classes,),
        }
    return shapes


def _unit(
    name: str, n_out: int, n_in: int, kernel: tuple[int, int, int] = (1, 1, 1)
) -> dict[str, tuple[int, ...]]:
    norm = {f"{name}.norm.{part}": (n_out,) for part in ("weight", "bias", "running_mean", "running_var")}
    return {f"{name}.conv.weight": (n_out, n_in, *kernel), **norm}
