"""3D ResNeXt (Hara et al., Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?, CVPR 2018)."""

from typing import Literal, TypeAlias

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from sonoplane.errors import UsageError
from sonoplane.models.blocks import Unit
from sonoplane.models.network import PlaneNetwork
from sonoplane.models.resnext_plan import Bottleneck, ResNextPlan

__all__ = ["ResNext3d"]

Clips: TypeAlias = Float[Tensor, "batch channel time height width"]
"""Runs of frames."""
Maps: TypeAlias = Float[Tensor, "batch feature times rows columns"]
"""What a stage answers."""


class ResNext3d(PlaneNetwork):
    """A stem and four stages, which are the blocks that can be trained one by one, and a layer that answers classes.

    The last layer answers every place of the last map, and the logit is their mean: the same number as of a
    fully connected layer behind global average pooling. So clips of any length and size go in, and class
    score maps come out.

    >>> import torch
    >>> network = ResNext3d(depth=50, cardinality=2, group_width=1, stem=4, n_classes=6)
    >>> network(torch.zeros(1, 1, 8, 33, 40)).shape
    torch.Size([1, 6])
    """

    def __init__(
        self,
        *,
        n_classes: int,
        depth: int = 101,
        in_channels: int = 1,
        cardinality: int = 32,
        group_width: int = 4,
        stem: int = 64,
        stem_frames: int = 7,
        stem_stride: int = 1,
        stem_pool: bool = True,
        shortcut: Literal["A", "B"] = "B",
        features_only: bool = False,
    ) -> None:
        plan = ResNextPlan(
            depth=depth,
            cardinality=cardinality,
            group_width=group_width,
            stem=stem,
            stem_frames=stem_frames,
            stem_stride=stem_stride,
            stem_pool=stem_pool,
            shortcut=shortcut,
        )
        stages = [nn.Sequential(*(_Step(step, plan) for step in stage)) for stage in plan.stages()]
        last = nn.Conv3d(plan.n_features, n_classes, 1)
        super().__init__()
        self.plan = plan
        self.blocks = nn.Sequential(_stem(plan, in_channels), *stages)
        self.head = None if features_only else nn.Sequential(Unit(last, None, relu=False))

    @property
    def takes_clips(self) -> bool:
        """Always."""
        return True

    @property
    def receptive_field(self) -> int:
        """Frames that one place of the last map reaches; a shorter clip is seen whole."""
        return self.plan.receptive_field

    def features(self, x: Clips) -> Maps:
        """What is behind the last stage: 32 times smaller than the image, 16 times fewer than the frames."""
        features: Tensor = self.blocks(x)
        return features

    def class_score_maps(self, x: Clips) -> Float[Tensor, "batch classes times rows columns"]:
        """When and where each class is seen; their mean is the logit."""
        if self.head is None:
            raise UsageError(
                "A network built with features_only has no classes.",
                advice="Build it without that option to get class scores.",
            )
        scores: Tensor = self.head(self.features(x))
        return scores

    def forward(self, x: Clips) -> Float[Tensor, "batch classes"] | Maps:
        """Logits, without softmax; the features where the network was built for them only."""
        if self.head is None:
            return self.features(x)
        return self.class_score_maps(x).flatten(2).mean(dim=2)


class _Step(nn.Module):
    """A bottleneck with its shortcut."""

    def __init__(self, step: Bottleneck, plan: ResNextPlan) -> None:
        super().__init__()
        self.reduce = _unit(step.n_in, step.middle)
        self.spread = _unit(step.middle, step.middle, 3, stride=step.stride, groups=plan.cardinality)
        self.expand = _unit(step.middle, step.n_out, relu=False)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if step.changes:
            self.shortcut = (
                _Padded(step)
                if plan.shortcut == "A"
                else _unit(step.n_in, step.n_out, stride=step.stride, relu=False)
            )

    def forward(
        self, x: Float[Tensor, "batch n_in time height width"]
    ) -> Float[Tensor, "batch n_out times rows columns"]:
        """What the bottleneck adds to its input."""
        added: Tensor = self.expand(self.spread(self.reduce(x)))
        answer: Tensor = self.relu(added + self.shortcut(x))
        return answer


class _Padded(nn.Module):
    """Every `stride`-th place, with zeros for the channels that are new (shortcut A)."""

    def __init__(self, step: Bottleneck) -> None:
        super().__init__()
        self.step = step

    def forward(
        self, x: Float[Tensor, "batch n_in time height width"]
    ) -> Float[Tensor, "batch n_out times rows columns"]:
        """The input, thinned and padded."""
        stride = self.step.stride
        return pad(x[:, :, ::stride, ::stride, ::stride], (0, 0) * 3 + (0, self.step.n_out - self.step.n_in))


def _stem(plan: ResNextPlan, in_channels: int) -> nn.Sequential:
    conv = nn.Conv3d(
        in_channels,
        plan.stem,
        (plan.stem_frames, 7, 7),
        stride=(plan.stem_stride, 2, 2),
        padding=(plan.stem_frames // 2, 3, 3),
        bias=False,
    )
    unit = Unit(conv, nn.BatchNorm3d(plan.stem), relu=True)
    return (
        nn.Sequential(unit, nn.MaxPool3d(3, stride=2, padding=1)) if plan.stem_pool else nn.Sequential(unit)
    )


def _unit(
    n_in: int, n_out: int, size: int = 1, *, stride: int = 1, groups: int = 1, relu: bool = True
) -> Unit:
    conv = nn.Conv3d(n_in, n_out, size, stride=stride, padding=size // 2, groups=groups, bias=False)
    return Unit(conv, nn.BatchNorm3d(n_out), relu=relu)
