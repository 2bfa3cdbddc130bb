"""One small network of every family and form: what laws over all networks run on."""

import torch
from torch import Tensor, nn

from sonoplane.models.network import PlaneNetwork
from sonoplane.models.registry import build, network_spec
from sonoplane.models.spec import FAMILIES, NetworkSpec, Option

#: By family: the name of a small member, and options that make it smaller.
TINY: dict[str, tuple[str, dict[str, Option]]] = {
    "sononet2d": ("sononet2d-2", {}),
    "sononet3d": ("sononet3d-2", {}),
    "sononet2plus1d": ("sononet2plus1d-2", {}),
    "smallnet": ("smallnet-4", {}),
    "echo3dcnn": ("echo3dcnn", {"plan": "tiny"}),
    **{
        f"resnext3d-{depth}": (f"resnext3d-{depth}", {"cardinality": 2, "group_width": 2, "stem": 4})
        for depth in (50, 101, 152)
    },
}

#: Every family once, causal forms too.
NAMES = tuple(
    TINY[family][0] + form
    for family, row in FAMILIES.items()
    for form in (("", "-causal") if row.sees == "run" else ("",))
)


def tiny_spec(name: str, *, n_classes: int = 3, in_channels: int = 1) -> NetworkSpec:
    spec = network_spec(name, n_classes=n_classes, in_channels=in_channels)
    return network_spec(
        name, n_classes=n_classes, in_channels=in_channels, options=TINY[spec.family][1] | dict(spec.options)
    )


def tiny(name: str, *, n_classes: int = 3, in_channels: int = 1) -> PlaneNetwork:
    """In evaluation mode, with batch norm statistics and parameters that are all different."""
    return lived_in(build(tiny_spec(name, n_classes=n_classes, in_channels=in_channels), seed=0)).eval()


def lived_in(network: PlaneNetwork) -> PlaneNetwork:
    draw = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.weight.data.uniform_(0.5, 1.5, generator=draw)
            module.running_var.uniform_(0.5, 1.5, generator=draw)
            module.bias.data.normal_(0, 0.1, generator=draw)
            module.running_mean.normal_(0, 0.1, generator=draw)
    return network


def some_input(name: str, n_frames: int = 6, *, batch: int = 2, size: tuple[int, int] = (64, 80)) -> Tensor:
    """Noise that the network takes: frames or clips."""
    spec = tiny_spec(name)
    time = [n_frames] if spec.takes_clips else []
    return torch.randn(batch, spec.in_channels, *time, *size, generator=torch.Generator().manual_seed(0))
