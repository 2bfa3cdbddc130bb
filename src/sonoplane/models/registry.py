"""From a name to a network: every network that can be built, and its weights as plain arrays."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from sonoplane.errors import MissingExtra
from sonoplane.models.bundle import Bundle
from sonoplane.models.fit import COUNTER, check_fit
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
    "weights_of",
]


def build(
    spec: NetworkSpec, *, init: Literal["normal", "uniform"] = "normal", seed: int | None = None
) -> PlaneNetwork:
    """A new network with drawn weights (Kaiming); the same for the same seed. Needs torch."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Building a network needs torch, which is not installed.",
            advice="Install sonoplane[train], or predict from an exported bundle.",
        ) from error
    from sonoplane.models.blocks import initialize
    from sonoplane.models.smallnet import SmallNet
    from sonoplane.models.sononet import SonoNet

    sizes: dict[str, Any] = {
        "width": spec.width,
        "n_classes": spec.n_classes,
        "in_channels": spec.in_channels,
        **spec.options,
    }
    network: PlaneNetwork
    network = SmallNet(**sizes) if spec.kind == "smallnet" else SonoNet(kind=spec.kind, **sizes)
    initialize(network, init, None if seed is None else torch.Generator().manual_seed(seed))
    return network


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


def weights_of(network: PlaneNetwork) -> dict[str, np.ndarray]:
    """A network's weights as float32 arrays, copied from wherever they are."""
    return {
        key: value.detach().cpu().float().numpy().copy()
        for key, value in network.state_dict().items()
        if not key.endswith(COUNTER)
    }
