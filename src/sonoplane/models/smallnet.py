"""SmallNet, the fast baseline of the SonoNet paper (Baumgartner et al., 2017): few layers, no batch norm."""

from torch import nn

from sonoplane.models.blocks import Unit
from sonoplane.models.plan import HEAD, SMALLNET
from sonoplane.models.score_maps import ScoreMapNetwork

__all__ = ["SmallNet"]


class SmallNet(ScoreMapNetwork):
    """Four convolutions with biases and ReLU, two of them with stride 2, and a head of two 1x1 ones.

    >>> import torch
    >>> SmallNet(n_classes=14)(torch.zeros(2, 1, 224, 288)).shape
    torch.Size([2, 14])
    """

    def __init__(
        self, *, n_classes: int, width: int = 32, in_channels: int = 1, features_only: bool = False
    ) -> None:
        blocks, before = [], in_channels
        for plan in SMALLNET:
            layers = []
            for multiple, size, stride, padding in plan:
                layers.append(_layer(before, multiple * width, size, stride=stride, padding=padding))
                before = multiple * width
            blocks.append(nn.Sequential(*layers))
        middle = HEAD["smallnet"] * width
        head = nn.Sequential(_layer(before, middle, 1), _layer(middle, n_classes, 1, relu=False))
        super().__init__(
            blocks=nn.Sequential(*blocks), pool=nn.MaxPool2d(2), head=None if features_only else head
        )


def _layer(
    n_in: int, n_out: int, size: int, *, stride: int = 1, padding: int = 0, relu: bool = True
) -> nn.Sequential:
    conv = nn.Conv2d(n_in, n_out, size, stride=stride, padding=padding)
    return nn.Sequential(Unit(conv, None, relu=relu))
