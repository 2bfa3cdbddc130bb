"""The layers of SonoNet and SmallNet as data: what the networks and the readers of their weights share."""

__all__ = ["BATCH_NORM_EPS", "HEAD", "SMALLNET", "SONONET", "layer_names"]

#: Of the published weights.
BATCH_NORM_EPS = 1e-4

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


def layer_names(blocks: tuple[tuple[object, ...], ...]) -> tuple[str, ...]:
    """The modules of a plan's convolutions in network order, each with its `conv` (and `norm`).

    >>> layer_names(SMALLNET)
    ('blocks.0.0.0', 'blocks.1.0.0', 'blocks.2.0.0', 'blocks.2.1.0', 'head.0.0', 'head.1.0')
    """
    body = [f"blocks.{b}.{c}.0" for b, block in enumerate(blocks) for c in range(len(block))]
    return (*body, "head.0.0", "head.1.0")
