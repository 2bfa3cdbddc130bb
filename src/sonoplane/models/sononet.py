"""SonoNet (Baumgartner et al., IEEE TMI 36(11), 2017) in 2D, 3D and (2+1)D, of any width and number of classes."""

from torch import nn

from sonoplane.models.blocks import layer, pool
from sonoplane.models.plan import HEAD, SONONET
from sonoplane.models.score_maps import ScoreMapNetwork

__all__ = ["SonoNet"]


class SonoNet(ScoreMapNetwork):
    """Thirteen 3x3 convolutions in five blocks, each with batch norm and ReLU, and a head of two 1x1 ones.

    `kind` says how a 3x3 neighborhood reaches through time, `causal` that it reaches into the past only, and
    `mid_channels`, where the kind divides a convolution, how many channels there are between its parts.

    >>> import torch
    >>> network = SonoNet(width=4, n_classes=7)
    >>> network(torch.zeros(2, 1, 64, 96)).shape
    torch.Size([2, 7])
    >>> network.class_score_maps(torch.zeros(2, 1, 64, 96)).shape
    torch.Size([2, 7, 4, 6])
    >>> clips = SonoNet(width=2, n_classes=7, kind="3d")
    >>> clips.class_score_maps(torch.zeros(1, 1, 10, 32, 32)).shape
    torch.Size([1, 7, 6, 2, 2])
    >>> clips.dense(torch.zeros(1, 1, 10, 32, 32)).shape
    torch.Size([1, 10, 7])
    """

    def __init__(
        self,
        *,
        width: int,
        n_classes: int,
        in_channels: int = 1,
        kind: str = "2d",
        causal: bool = False,
        mid_channels: str = "out",
        features_only: bool = False,
    ) -> None:
        blocks, before = [], in_channels
        for multiples in SONONET:
            layers = []
            for multiple in multiples:
                after = multiple * width
                layers.append(layer(kind, before, after, causal=causal, mid_channels=mid_channels))
                before = after
            blocks.append(nn.Sequential(*layers))
        middle = HEAD["sononet"] * width
        head = nn.Sequential(
            layer(kind, before, middle, reach=1), layer(kind, middle, n_classes, reach=1, relu=False)
        )
        super().__init__(
            blocks=nn.Sequential(*blocks),
            pool=pool(kind, causal=causal),
            head=None if features_only else head,
        )
