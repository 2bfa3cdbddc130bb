"""SonoNet (Baumgartner et al., IEEE TMI 36(11), 2017), of any width and number of classes."""

from torch import nn

from sonoplane.models.blocks import layer, pool
from sonoplane.models.network import PlaneNetwork
from sonoplane.models.plan import HEAD, SONONET

__all__ = ["SonoNet"]


class SonoNet(PlaneNetwork):
    """Thirteen 3x3 convolutions in five blocks, each with batch norm and ReLU, and a head of two 1x1 ones.

    >>> import torch
    >>> network = SonoNet(width=4, n_classes=7)
    >>> network(torch.zeros(2, 1, 64, 96)).shape
    torch.Size([2, 7])
    >>> network.class_score_maps(torch.zeros(2, 1, 64, 96)).shape
    torch.Size([2, 7, 4, 6])
    """

    def __init__(
        self,
        *,
        width: int,
        n_classes: int,
        in_channels: int = 1,
        kind: str = "2d",
        features_only: bool = False,
    ) -> None:
        blocks, before = [], in_channels
        for multiples in SONONET:
            layers = []
            for multiple in multiples:
                layers.append(layer(kind, before, multiple * width))
                before = multiple * width
            blocks.append(nn.Sequential(*layers))
        middle = HEAD["sononet"] * width
        head = nn.Sequential(
            layer(kind, before, middle, reach=1), layer(kind, middle, n_classes, reach=1, relu=False)
        )
        super().__init__(blocks=nn.Sequential(*blocks), pool=pool(kind), head=None if features_only else head)
