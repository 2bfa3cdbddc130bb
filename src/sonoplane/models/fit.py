"""Whether weights fit a network: the shapes that it has, and what is missing, surplus or of another shape."""

from collections.abc import Mapping

import numpy as np

from sonoplane.errors import WeightsError
from sonoplane.models.plan import HEAD, SMALLNET, SONONET, layer_names
from sonoplane.models.spec import NetworkSpec

__all__ = ["COUNTER", "check_fit", "weight_shapes"]

#: Batch norm's count of training steps; no answer depends on it, so weights neither need nor keep it.
COUNTER = "num_batches_tracked"


def weight_shapes(spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    """The name and shape of every array of a 2D network, told without building it.

    >>> from sonoplane.models.spec import network_spec
    >>> weight_shapes(network_spec("sononet2d-16", n_classes=7))["blocks.1.0.0.conv.weight"]
    (32, 16, 3, 3)
    """
    small = spec.kind == "smallnet"
    names = layer_names(SMALLNET) if small else layer_names(SONONET)
    sizes = [(row[0] * spec.width, row[1]) for block in SMALLNET for row in block]
    if not small:
        sizes = [(multiple * spec.width, 3) for block in SONONET for multiple in block]
    sizes += [(HEAD["smallnet" if small else "sononet"] * spec.width, 1), (spec.n_classes, 1)]
    shapes: dict[str, tuple[int, ...]] = {}
    before = spec.in_channels
    for name, (n_out, reach) in zip(names, sizes, strict=True):
        if name.startswith("head") and spec.options.get("features_only"):
            break
        shapes[f"{name}.conv.weight"] = (n_out, before, reach, reach)
        vectors = ["conv.bias"] if small else [f"norm.{part}" for part in _NORM]
        shapes |= {f"{name}.{vector}": (n_out,) for vector in vectors}
        before = n_out
    return shapes


def check_fit(shapes: Mapping[str, tuple[int, ...]], given: Mapping[str, np.ndarray]) -> None:
    """Raise a WeightsError that names what is missing, surplus or of another shape."""
    found = {
        "missing": [key for key in shapes if key not in given],
        "surplus": [key for key in given if key not in shapes],
        "of another shape": [
            f"{key} {given[key].shape} instead of {shape}"
            for key, shape in shapes.items()
            if key in given and given[key].shape != shape
        ],
    }
    said = [f"{what}: {_some(names)}" for what, names in found.items() if names]
    if said:
        raise WeightsError(
            f"The weights do not fit the network ({'; '.join(said)}).",
            advice="Use the network, width and number of classes that they were trained with.",
        )


_NORM = ("weight", "bias", "running_mean", "running_var")


def _some(names: list[str], most: int = 4) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
