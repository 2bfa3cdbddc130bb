"""Activation maximization: the picture, or clip, that a filter of a network answers most strongly."""

from importlib.util import find_spec

import numpy as np
from jaxtyping import UInt8

from sonoplane.errors import MissingExtra
from sonoplane.inference.activation_settings import ActivationSettings
from sonoplane.inference.explaining import sight_of
from sonoplane.inference.filters import check_filter
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.ways import refuse_short, way_of
from sonoplane.models.bundle import Bundle

__all__ = ["maximize_activation"]


def maximize_activation(
    bundle: Bundle,
    layer: str,
    number: int,
    *,
    run: RunSettings,
    seed: int = 0,
    settings: ActivationSettings | None = None,
) -> UInt8[np.ndarray, "time height width"]:
    """A picture, or a clip as the network is given it, that makes a filter's mean answer large. Needs torch.

    `layer` is a name that `filters.layers` tells; of the last layer, the filters are the classes. The picture begins
    as noise drawn with `seed`, and goes up the gradient of what the layer answers before its ReLU. On its way to the
    network it is made into input as the card says, so it is one that the card could be given. It has the card's
    size. Of an ensemble, ask one of the members.

    After Yosinski et al., "Understanding neural networks through deep visualization" (ICML workshop 2015: blur and
    decay), and Olah et al., "Feature visualization" (Distill 2017: jitter, and the mean over places).

    Raises:
        BundleError: the bundle is an ensemble.
        MissingExtra: torch is not installed.
        UsageError: there is no such layer or filter; the clip is too short for the network.
    """
    check_filter(bundle, layer, number)
    if find_spec("torch") is None:
        raise MissingExtra(
            "Making a picture for a filter needs torch, which is not installed.",
            advice="Run `pip install sonoplane[train]`, or look at the first layer's filters, which need none.",
        )
    from sonoplane.inference.activation_ascent import ascend
    from sonoplane.inference.attribution_network import open_network

    way = way_of(bundle.spec, run)
    network = open_network(bundle, run)
    refuse_short(bundle.spec.name, way, network.min_frames)
    return ascend(
        network,
        network.get_submodule(layer),
        number,
        how=bundle.card.normalization,
        shape=(sight_of(bundle.spec, way).length, *bundle.card.size),
        seed=seed,
        settings=settings or ActivationSettings(),
    )
