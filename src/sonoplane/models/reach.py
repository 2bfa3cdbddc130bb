"""How far a network that answers every frame looks through time, told from its spec alone, without torch."""

from sonoplane.models.plan import KERNELS, SONONET
from sonoplane.models.spec import NetworkSpec

__all__ = ["frames_ahead", "frames_seen"]


def frames_seen(spec: NetworkSpec) -> int:
    """How many frames, in a row, the answer for one of them can depend on.

    >>> from sonoplane.models.spec import network_spec
    >>> frames_seen(network_spec("sononet3d-16-causal", n_classes=7))
    31
    """
    return 1 + _layers() * sum(time - 1 for time in _times(spec)) + _pools() if spec.takes_clips else 1


def frames_ahead(spec: NetworkSpec) -> int:
    """How many frames after a frame must have come before it can be answered; none in a causal network.

    Of the frames that the pools take, half are missing at the end: see `score_maps.py`.

    >>> from sonoplane.models.spec import network_spec
    >>> frames_ahead(network_spec("sononet3d-16", n_classes=7))
    15
    """
    if spec.streams:
        return 0
    return _layers() * sum(time // 2 for time in _times(spec)) + _pools() - _pools() // 2


def _times(spec: NetworkSpec) -> list[int]:
    return [time for time, _, _ in KERNELS[spec.kind]]


def _layers() -> int:
    return sum(len(block) for block in SONONET)


def _pools() -> int:
    """Before each block but the first, each two frames long."""
    return len(SONONET) - 1
