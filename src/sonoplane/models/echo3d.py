"""The modular 3D network for echo views: convolutions over space and time by a plan, then a classifier."""

from functools import lru_cache
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sonoplane.models.blocks import Unit
from sonoplane.models.echo_plan import EchoPlan, Layer, Listed, echo_plan
from sonoplane.models.network import PlaneNetwork

__all__ = ["CellMean", "Echo3d"]

Clips: TypeAlias = Float[Tensor, "batch channel time height width"]
"""Runs of frames."""


class CellMean(nn.Module):
    """Adaptive average pooling as three small matrices, which every exported form can run.

    Cell i of n covers places floor(i size / n) to ceil((i + 1) size / n), as in torch: neighbors may overlap,
    and a map smaller than the cells is repeated.

    >>> import torch
    >>> CellMean((2, 1, 1))(torch.arange(3.0).reshape(1, 1, 3, 1, 1)).flatten().tolist()
    [0.5, 1.5]
    """

    def __init__(self, cells: tuple[int, int, int]) -> None:
        super().__init__()
        self.cells = cells

    def forward(
        self, x: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch channel times rows columns"]:
        """The mean of each cell; the map's size is read as a constant when exported."""
        time, height, width = (
            x.new_tensor(_shares(int(size), n)) for size, n in zip(x.shape[2:], self.cells, strict=True)
        )
        x = height @ (x @ width.mT)
        return torch.unflatten(time @ x.flatten(3), 3, self.cells[1:])


class Echo3d(PlaneNetwork):
    """One answer a clip: it has no class score maps, since its classifier knows where and when it looks.

    >>> import torch
    >>> network = Echo3d(plan="tiny", n_classes=6)
    >>> network(torch.zeros(2, 1, 5, 16, 20)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        *,
        n_classes: int,
        in_channels: int = 1,
        plan: Listed | EchoPlan = "six-view",
        classifier: Listed | None = None,
        cells: Listed | None = None,
        features_only: bool = False,
    ) -> None:
        if not isinstance(plan, EchoPlan):
            plan = echo_plan(plan, classifier=classifier, cells=cells)
        blocks, before = [], in_channels
        for layers in plan.blocks:
            blocks.append(nn.Sequential(*_block(before, layers)))
            before = [width for width in layers if width != "M"][-1]
        super().__init__()
        self.plan = plan
        self.blocks = nn.Sequential(*blocks)
        self.cells = CellMean(plan.cells)
        self.head = None if features_only else _head(plan, n_classes)

    @property
    def takes_clips(self) -> bool:
        """Always."""
        return True

    @property
    def receptive_field(self) -> int:
        """Frames that one place of the last map sees; the classifier puts the whole clip together."""
        return self.plan.receptive_field

    @property
    def min_frames(self) -> int:
        """What the pools need."""
        return self.plan.min_frames

    def features(self, x: Clips) -> Float[Tensor, "batch feature times rows columns"]:
        """What is behind the last pool; raises a UsageError where the clip is too small for that."""
        frames, height, width = (int(size) for size in x.shape[2:])
        self.plan.map_size(frames, height, width)
        features: Tensor = self.blocks(x)
        return features

    def forward(
        self, x: Clips
    ) -> Float[Tensor, "batch classes"] | Float[Tensor, "batch feature times rows columns"]:
        """Logits, without softmax; the features where the network was built for them only."""
        features = self.features(x)
        if self.head is None:
            return features
        logits: Tensor = self.head(self.cells(features).flatten(1))
        return logits


def _block(n_in: int, layers: tuple[Layer, ...]) -> list[nn.Module]:
    modules: list[nn.Module] = []
    for layer in layers:
        if layer == "M":
            modules.append(nn.MaxPool3d((2, 2, 2), stride=(1, 2, 2)))
        else:
            conv = nn.Conv3d(n_in, layer, (3, 3, 3), padding=1, bias=False)
            modules.append(Unit(conv, nn.BatchNorm3d(layer), relu=True))
            n_in = layer
    return modules


def _head(plan: EchoPlan, n_classes: int) -> nn.Sequential:
    modules: list[nn.Module] = []
    before = plan.n_features
    for entry in plan.classifier:
        if isinstance(entry, int):
            modules += [nn.Linear(before, entry), nn.ReLU(inplace=True)]
            before = entry
        else:
            modules.append(nn.Dropout(entry))
    return nn.Sequential(*modules, nn.Linear(before, n_classes))


@lru_cache(maxsize=64)
def _shares(size: int, n: int) -> list[list[float]]:
    """A matrix that takes the mean of each of n cells of a row of `size` places."""
    rows = []
    for cell in range(n):
        start, stop = cell * size // n, -(-(cell + 1) * size // n)
        rows.append([float(start <= place < stop) / (stop - start) for place in range(size)])
    return rows
