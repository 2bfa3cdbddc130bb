"""The layers of SonoNet and SmallNet as data: what the networks and the readers of their weights share."""

from typing import NamedTuple, TypeAlias

__all__ = [
    "BATCH_NORM_EPS",
    "HEAD",
    "KERNELS",
    "SMALLNET",
    "SONONET",
    "UnitPlan",
    "has_time",
    "layer_names",
    "units",
]

Kernel: TypeAlias = tuple[int, int, int]
"""Time, height, width."""

#: Of the published weights.
BATCH_NORM_EPS = 1e-4

#: How a 3x3 neighborhood reaches through time: all that differs inside the family. Each entry is a
#: convolution with batch norm of its own; a row without time is built from 2D layers.
KERNELS: dict[str, tuple[Kernel, ...]] = {
    "2d": ((1, 3, 3),),
    "3d": ((3, 3, 3),),
    "2plus1d": ((1, 3, 3), (3, 1, 1)),
}

#: SonoNet's blocks, a max pool before each but the first: the widths of its 3x3 convolutions, in units of the
#: network's width.
SONONET: tuple[tuple[int, ...], ...] = ((1, 1), (2, 2), (4, 4, 4), (8, 8, 8), (8, 8, 8))

#: SmallNet's blocks, likewise: of each convolution the width (in units of the network's), size, stride, pad.
SMALLNET: tuple[tuple[tuple[int, int, int, int], ...], ...] = (
    ((1, 7, 2, 0),),
    ((2, 5, 2, 0),),
    ((4, 3, 1, 1), (4, 3, 1, 1)),
)

#: The width of the head's first 1x1 convolution, in units of the network's; the second answers the classes.
HEAD = {"sononet": 4, "smallnet": 2}


class UnitPlan(NamedTuple):
    """One convolution of a layer."""

    kernel: Kernel
    n_in: int
    n_out: int


def has_time(kind: str) -> bool:
    """Whether the networks of this kind look at several frames at once.

    >>> has_time("2d"), has_time("2plus1d")
    (False, True)
    """
    return any(time > 1 for time, _, _ in KERNELS[kind])


def units(
    kind: str, n_in: int, n_out: int, *, reach: int = 3, mid_channels: str = "out"
) -> tuple[UnitPlan, ...]:
    """The convolutions that make one layer of this kind.

    `reach` 3 is a neighborhood, 1 a single pixel of a single frame. Between two convolutions there are `n_out`
    channels; with `mid_channels="paper"` and reach 3 as many as give the parameters of the undivided kernel
    (Tran et al., R(2+1)D, CVPR 2018, section 3.5).

    >>> units("3d", 16, 32)
    (UnitPlan(kernel=(3, 3, 3), n_in=16, n_out=32),)
    >>> [plan.n_out for plan in units("2plus1d", 16, 32, mid_channels="paper")]
    [57, 32]
    """
    kernels = KERNELS[kind] if reach == 3 else tuple((1, 1, 1) for _ in KERNELS[kind])
    mid = n_out
    if mid_channels == "paper" and reach == 3:
        mid = max(1, 27 * n_in * n_out // (9 * n_in + 3 * n_out))
    widths = [n_in, *[mid] * (len(kernels) - 1), n_out]
    return tuple(map(UnitPlan, kernels, widths, widths[1:]))


def layer_names(blocks: tuple[tuple[object, ...], ...], n_units: int = 1) -> tuple[str, ...]:
    """The modules of a plan's convolutions in network order, each with its `conv` (and `norm`).

    >>> layer_names(SMALLNET)
    ('blocks.0.0.0', 'blocks.1.0.0', 'blocks.2.0.0', 'blocks.2.1.0', 'head.0.0', 'head.1.0')
    """
    layers = [f"blocks.{b}.{c}" for b, block in enumerate(blocks) for c in range(len(block))]
    return tuple(f"{name}.{unit}" for name in (*layers, "head.0", "head.1") for unit in range(n_units))
