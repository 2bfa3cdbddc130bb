"""Whether weights fit a network: the shapes that it has, and what is missing, surplus or of another shape."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sonoplane.errors import WeightsError
from sonoplane.models.echo_plan import echo_plan, echo_shapes
from sonoplane.models.plan import HEAD, KERNELS, SMALLNET, SONONET, UnitPlan, has_time, layer_names, units
from sonoplane.models.resnext_plan import ResNextPlan, depth_of, resnext_shapes
from sonoplane.models.spec import NetworkSpec

__all__ = ["COUNTER", "SHAPES", "check_fit", "weight_shapes"]

#: Batch norm's count of training steps; no answer depends on it, so weights neither need nor keep it.
COUNTER = "num_batches_tracked"


def weight_shapes(spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    """The name and shape of every array of a network, told without building it.

    >>> from sonoplane.models.spec import network_spec
    >>> weight_shapes(network_spec("sononet2d-16", n_classes=7))["blocks.1.0.0.conv.weight"]
    (32, 16, 3, 3)
    >>> weight_shapes(network_spec("sononet2plus1d-16", n_classes=7))["blocks.1.0.1.conv.weight"]
    (32, 32, 3, 1, 1)
    """
    shapes = SHAPES[spec.family](spec)
    if spec.options.get("features_only"):
        return {name: shape for name, shape in shapes.items() if not name.startswith("head")}
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


def _sononet(spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    widths = [multiple * spec.width for block in SONONET for multiple in block]
    layers = [(n_out, 3) for n_out in widths] + [(HEAD["sononet"] * spec.width, 1), (spec.n_classes, 1)]
    mid_channels = str(spec.options.get("mid_channels", "out"))
    plans: list[UnitPlan] = []
    before = spec.in_channels
    for n_out, reach in layers:
        plans += units(spec.kind, before, n_out, reach=reach, mid_channels=mid_channels)
        before = n_out
    shapes: dict[str, tuple[int, ...]] = {}
    for name, plan in zip(layer_names(SONONET, len(KERNELS[spec.kind])), plans, strict=True):
        kernel = plan.kernel if has_time(spec.kind) else plan.kernel[1:]
        shapes[f"{name}.conv.weight"] = (plan.n_out, plan.n_in, *kernel)
        shapes |= {f"{name}.norm.{part}": (plan.n_out,) for part in _NORM}
    return shapes


def _smallnet(spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    layers = [(multiple * spec.width, size) for block in SMALLNET for multiple, size, _, _ in block]
    layers += [(HEAD["smallnet"] * spec.width, 1), (spec.n_classes, 1)]
    shapes: dict[str, tuple[int, ...]] = {}
    before = spec.in_channels
    for name, (n_out, size) in zip(layer_names(SMALLNET), layers, strict=True):
        shapes[f"{name}.conv.weight"] = (n_out, before, size, size)
        shapes[f"{name}.conv.bias"] = (n_out,)
        before = n_out
    return shapes


def _echo(spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    return echo_shapes(echo_plan(**_own(spec)), n_classes=spec.n_classes, in_channels=spec.in_channels)


def _resnext(spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    plan = ResNextPlan(depth=depth_of(spec), **_own(spec))
    return resnext_shapes(plan, n_classes=spec.n_classes, in_channels=spec.in_channels)


def _own(spec: NetworkSpec) -> dict[str, Any]:
    """The options of the family's plan."""
    return {option: value for option, value in spec.options.items() if option != "features_only"}


#: How the shapes are told, by family.
SHAPES: dict[str, Callable[[NetworkSpec], dict[str, tuple[int, ...]]]] = {
    "sononet2d": _sononet,
    "sononet3d": _sononet,
    "sononet2plus1d": _sononet,
    "smallnet": _smallnet,
    "echo3dcnn": _echo,
    "resnext3d-50": _resnext,
    "resnext3d-101": _resnext,
    "resnext3d-152": _resnext,
}


def _some(names: list[str], most: int = 4) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
