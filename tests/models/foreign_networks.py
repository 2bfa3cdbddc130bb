"""SonoNets of width 4 as other code writes and saves them."""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

PLAN = [4, 4, "M", 8, 8, "M", 16, 16, 16, "M", 32, 32, 32, "M", 32, 32, 32]


def block(n_in: int, n_out: int) -> nn.Sequential:
    conv = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(n_out, eps=1e-4), nn.ReLU())


class Flat(nn.Module):
    """The layout `_features.<n>.<0|1>` with `_adaptation`."""

    def __init__(self, n_classes: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for width in PLAN:
            layers.append(nn.MaxPool2d(2) if width == "M" else block(before, int(width)))
            before = before if width == "M" else int(width)
        self._features = nn.Sequential(*layers)
        self._adaptation = head(n_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self._adaptation(self._features(x)).mean(dim=(2, 3))


class Nested(nn.Module):
    """The layout `features.<block>.<conv>.<0|1>` with `adaption`."""

    def __init__(self, n_classes: int = 3) -> None:
        super().__init__()
        blocks: list[list[nn.Module]] = [[]]
        before = 1
        for width in PLAN:
            if width == "M":
                blocks[-1].append(nn.MaxPool2d(2))
                blocks.append([])
            else:
                blocks[-1].append(block(before, int(width)))
                before = int(width)
        self.features = nn.Sequential(*(nn.Sequential(*layers) for layers in blocks))
        self.adaption = head(n_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.adaption(self.features(x)).mean(dim=(2, 3))


def head(n_classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(32, 16, 1, bias=False),
        nn.BatchNorm2d(16, eps=1e-4),
        nn.ReLU(),
        nn.Conv2d(16, n_classes, 1, bias=False),
        nn.BatchNorm2d(n_classes, eps=1e-4),
    )


def lived_in(network: nn.Module) -> nn.Module:
    """With batch norm statistics and parameters that are all different."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.running_var):
                values.data.uniform_(0.5, 1.5)
            for values in (module.bias, module.running_mean):
                values.data.normal_(0, 0.1)
    return network.eval()


def lasagne(n_classes: int) -> dict[str, np.ndarray]:
    """A SonoNet of width 4 as Lasagne saves it."""
    rng = np.random.default_rng(0)
    widths = [1, 4, 4, 8, 8, 16, 16, 16, 32, 32, 32, 32, 32, 32, 16, n_classes]
    arrays: list[np.ndarray] = []
    for layer, (before, after) in enumerate(pairwise(widths)):
        size = 3 if layer < 13 else 1
        arrays += [rng.normal(size=(after, before, size, size)), *rng.uniform(0.5, 1, (4, after))]
    return {f"arr_{index}": array.astype(np.float32) for index, array in enumerate(arrays)}
