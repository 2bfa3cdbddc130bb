"""From a name to a network: every network that can be built, and its weights as plain arrays."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from sonoplane.errors import MissingExtra
from sonoplane.models.bundle import Bundle
from sonoplane.models.fit import COUNTER, check_fit
from sonoplane.models.inflation import inflate
from sonoplane.models.resnext_plan import depth_of
from sonoplane.models.spec import FAMILIES, NetworkSpec, available, network_spec

if TYPE_CHECKING:
    from sonoplane.models.network import PlaneNetwork
else:  # the clinic's install has no torch: there the type is not looked at
    PlaneNetwork: TypeAlias = Any

__all__ = [
    "FAMILIES",
    "NetworkSpec",
    "available",
    "build",
    "load_network",
    "load_weights",
    "network_spec",
    "outline",
    "start_from",
    "weights_of",
]


def build(
    spec: NetworkSpec, *, init: Literal["normal", "uniform"] = "normal", seed: int | None = None
) -> PlaneNetwork:
    """A new network with drawn weights (Kaiming); the same for the same seed. Needs torch.

    To begin with weights that are there, see `start_from`.
    """
    _need_torch()
    import torch

    from sonoplane.models.blocks import initialize

    network = _BUILDERS[spec.family](spec)
    initialize(network, init, None if seed is None else torch.Generator().manual_seed(seed))
    return network


def outline(spec: NetworkSpec) -> PlaneNetwork:
    """A network without weights, on torch's meta device: quick to make, good for counting. Needs torch."""
    _need_torch()
    import torch

    with torch.device("meta"):
        return _BUILDERS[spec.family](spec)


def load_network(bundle: Bundle) -> PlaneNetwork:
    """A bundle's network with its weights, ready to answer (evaluation mode). Needs torch."""
    network = build(bundle.spec)
    load_weights(network, bundle.weights())
    return network.eval()


def load_weights(network: PlaneNetwork, weights: Mapping[str, np.ndarray]) -> None:
    """Put weights into a network; every array must have its place and its shape."""
    import torch

    state = {key: value for key, value in network.state_dict().items() if not key.endswith(COUNTER)}
    given = {key: value for key, value in weights.items() if not key.endswith(COUNTER)}
    check_fit({key: tuple(value.shape) for key, value in state.items()}, given)
    with torch.no_grad():
        for key, value in state.items():
            value.copy_(torch.from_numpy(np.array(given[key])))


def start_from(
    network: PlaneNetwork, spec: NetworkSpec, weights: Mapping[str, np.ndarray]
) -> tuple[str, ...]:
    """Begin a training with weights that are there: those of the same network, or of a 2D SonoNet of its width.

    2D weights are inflated (see `inflation.py`). Where they answer another number of classes, the network keeps its
    own head, as it was drawn; the names of the arrays that were kept so are given back, to be told to the user.
    Raises a WeightsError where the weights belong to another network.
    """
    given = inflate(weights, spec)
    own = weights_of(network)
    kept = tuple(name for name in own if name not in given)
    load_weights(network, {name: given.get(name, own[name]) for name in own})
    return kept


def weights_of(network: PlaneNetwork) -> dict[str, np.ndarray]:
    """A network's weights as float32 arrays, copied from wherever they are."""
    return {
        key: value.detach().cpu().float().numpy().copy()
        for key, value in network.state_dict().items()
        if not key.endswith(COUNTER)
    }


def _need_torch() -> None:
    if find_spec("torch") is None:
        raise MissingExtra(
            "Building a network needs torch, which is not installed.",
            advice="Install sonoplane[train], or predict from an exported bundle.",
        )


def _sizes(spec: NetworkSpec) -> dict[str, Any]:
    return {"n_classes": spec.n_classes, "in_channels": spec.in_channels, **spec.options}


def _sononet(spec: NetworkSpec) -> PlaneNetwork:
    from sonoplane.models.sononet import SonoNet

    return SonoNet(kind=spec.kind, causal=spec.causal, width=spec.width, **_sizes(spec))


def _smallnet(spec: NetworkSpec) -> PlaneNetwork:
    from sonoplane.models.smallnet import SmallNet

    return SmallNet(width=spec.width, **_sizes(spec))


def _echo(spec: NetworkSpec) -> PlaneNetwork:
    from sonoplane.models.echo3d import Echo3d

    return Echo3d(**_sizes(spec))


def _resnext(spec: NetworkSpec) -> PlaneNetwork:
    from sonoplane.models.resnext3d import ResNext3d

    return ResNext3d(depth=depth_of(spec), **_sizes(spec))


#: How a network is made, by family.
_BUILDERS: dict[str, Callable[[NetworkSpec], PlaneNetwork]] = {
    "sononet2d": _sononet,
    "sononet3d": _sononet,
    "sononet2plus1d": _sononet,
    "smallnet": _smallnet,
    "echo3dcnn": _echo,
    "resnext3d-50": _resnext,
    "resnext3d-101": _resnext,
    "resnext3d-152": _resnext,
}
