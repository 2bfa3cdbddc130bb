"""2D weights for networks that see time: a run that repeats one frame then answers as the 2D network answers the frame.

A 2D kernel goes into one tap of a 3D kernel, the centered one or, in a causal network, the latest; the others are zero.
Spread evenly over the taps it would need time padded by repetition. In (2+1)D the spatial convolution is the 2D one,
and the convolution after it passes its input through: a kernel of one tap, and batch norm with variance 1 - eps, which
is the identity. ReLU twice is ReLU once.
"""

from collections.abc import Mapping

import numpy as np

from sonoplane.errors import WeightsError
from sonoplane.models.fit import COUNTER, check_fit, weight_shapes
from sonoplane.models.plan import BATCH_NORM_EPS, KERNELS, SONONET, has_time, layer_names
from sonoplane.models.spec import NetworkSpec, network_spec

__all__ = ["inflate"]

_NORM = ("norm.weight", "norm.bias", "norm.running_mean", "norm.running_var")


def inflate(weights: Mapping[str, np.ndarray], spec: NetworkSpec) -> dict[str, np.ndarray]:
    """Weights for the network `spec`, of the weights of a 2D SonoNet of the same width, or of the network itself.

    Where the weights answer another number of classes, the head is left out: it must be drawn and trained anew.

    Raises:
        WeightsError: the weights are those of another network; or `spec` has the R(2+1)D paper's mid channels, which
            are too few to pass a 2D network's channels on.

    >>> from sonoplane.models.spec import network_spec
    >>> flat = network_spec("sononet2d-2", n_classes=3)
    >>> drawn = {name: np.ones(shape, np.float32) for name, shape in weight_shapes(flat).items()}
    >>> inflate(drawn, network_spec("sononet3d-2", n_classes=3))["blocks.0.0.0.conv.weight"][0, 0, :, 0, 0]
    array([0., 1., 0.], dtype=float32)
    >>> inflate(drawn, network_spec("sononet3d-2-causal", n_classes=3))["blocks.0.0.0.conv.weight"][0, 0, :, 0, 0]
    array([0., 0., 1.], dtype=float32)
    """
    given = {name: array for name, array in weights.items() if not name.endswith(COUNTER)}
    wanted = weight_shapes(spec)
    source = _flat_spec(given, spec)
    if source is None:
        body = {name: array for name, array in given.items() if _in_body(name)}
        check_fit({name: shape for name, shape in wanted.items() if _in_body(name)}, body)
        fits = all(name in given and given[name].shape == shape for name, shape in wanted.items())
        return {name: array for name, array in given.items() if name in wanted} if fits else body
    check_fit(weight_shapes(source), given)
    if spec.options.get("mid_channels") == "paper":
        raise WeightsError(
            "2D weights cannot start a network with the paper's mid channels: it has too few of them.",
            advice='Take `mid_channels = "out"`, or train from drawn weights.',
        )
    inflated = given if not has_time(spec.kind) else _inflated(given, spec)
    same_head = source.n_classes == spec.n_classes
    return {
        name: array for name, array in inflated.items() if name in wanted and (same_head or _in_body(name))
    }


def _in_body(name: str) -> bool:
    return not name.startswith("head")


def _flat_spec(given: Mapping[str, np.ndarray], spec: NetworkSpec) -> NetworkSpec | None:
    """The 2D SonoNet that the weights are of; None where they do not look like one, or `spec` is of no such family."""
    first, last = given.get("blocks.0.0.0.conv.weight"), given.get("head.1.0.conv.weight")
    if spec.kind not in KERNELS or first is None or first.ndim != 4:
        return None
    return network_spec(
        f"sononet2d-{spec.width}",
        n_classes=spec.n_classes if last is None else last.shape[0],
        in_channels=spec.in_channels,
        options={"features_only": last is None},
    )


def _inflated(flat: Mapping[str, np.ndarray], spec: NetworkSpec) -> dict[str, np.ndarray]:
    kernels = KERNELS[spec.kind]
    weights: dict[str, np.ndarray] = {}
    for name in layer_names(SONONET):
        if f"{name}.conv.weight" not in flat:
            continue  # a network of features only
        layer, small = name.rpartition(".")[0], flat[f"{name}.conv.weight"]
        for unit, (time, _, _) in enumerate(kernels):
            own = f"{layer}.{unit}"
            taps = time if _in_body(name) else 1
            tap = taps - 1 if spec.causal else taps // 2
            if unit == 0:
                weights[f"{own}.conv.weight"] = _at(tap, taps, small)
                weights |= {f"{own}.{part}": np.array(flat[f"{name}.{part}"]) for part in _NORM}
            else:
                weights |= _passing(own, len(small), tap, taps)
    return weights


def _passing(name: str, n_channels: int, tap: int, taps: int) -> dict[str, np.ndarray]:
    """A unit whose answer is its input."""
    ones, zeros = np.ones(n_channels, np.float32), np.zeros(n_channels, np.float32)
    kernel = np.eye(n_channels, dtype=np.float32)[:, :, None, None]
    norm = (ones, zeros, zeros, ones - np.float32(BATCH_NORM_EPS))
    return {
        f"{name}.conv.weight": _at(tap, taps, kernel),
        **{f"{name}.{part}": array.copy() for part, array in zip(_NORM, norm, strict=True)},
    }


def _at(tap: int, taps: int, kernel: np.ndarray) -> np.ndarray:
    """A kernel over time that holds the given one at one tap, and zeros else."""
    deep = np.zeros((*kernel.shape[:2], taps, *kernel.shape[2:]), kernel.dtype)
    deep[:, :, tap] = kernel
    return deep
