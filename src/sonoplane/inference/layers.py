"""A SonoNet or SmallNet as a chain of folded layers, from its weights alone: what its graphs are written from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32

from sonoplane.models.plan import BATCH_NORM_EPS, KERNELS, SMALLNET, SONONET, has_time, layer_names
from sonoplane.models.spec import NetworkSpec

__all__ = ["Conv", "Layer", "Pool", "is_chain", "layers_of", "lost"]

Weights: TypeAlias = Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True, slots=True)
class Conv:
    """A convolution that batch norm was folded into."""

    weight: Float32[np.ndarray, "n_out n_in time height width"] = field(repr=False)
    bias: Float32[np.ndarray, "n_out"] = field(repr=False)
    relu: bool
    stride: int = 1
    """Within the frame."""
    pad: int = 1
    """Rows and columns of zeros around the frame."""
    past: int = 0
    """Frames of zeros before the first."""
    future: int = 0
    """Frames of zeros after the last."""

    @property
    def reach(self) -> int:
        """How many frames it sees besides one."""
        return int(self.weight.shape[2]) - 1

    @property
    def padded(self) -> bool:
        """Whether frames beyond the ends count as zeros."""
        return self.reach > 0

    @property
    def lost(self) -> int:
        """How many frames shorter the answer is than the input."""
        return self.reach - self.past - self.future


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """The largest of each 2 x 2 places, and, where there is time, of each two frames."""

    reach: int = 0
    past: int = 0
    future: int = 0

    @property
    def padded(self) -> bool:
        """Whether frames beyond the ends count as zeros."""
        return self.past > 0

    @property
    def lost(self) -> int:
        """How many frames shorter the answer is than the input."""
        return self.reach - self.past


Layer: TypeAlias = Conv | Pool


def is_chain(spec: NetworkSpec) -> bool:
    """Whether a network is such a chain, with a class score map at its end.

    >>> from sonoplane.models.spec import network_spec
    >>> [is_chain(network_spec(name, n_classes=7)) for name in ("sononet3d-16", "smallnet", "echo3dcnn")]
    [True, True, False]
    """
    return (spec.kind in KERNELS or spec.kind == "smallnet") and not spec.options.get("features_only")


def layers_of(spec: NetworkSpec, weights: Weights) -> tuple[Layer, ...]:
    """The layers in the order in which a frame meets them."""
    return tuple(_small(weights) if spec.kind == "smallnet" else _sono(spec, weights))


def lost(layers: tuple[Layer, ...]) -> int:
    """How many frames fewer there are score maps than frames."""
    return sum(layer.lost for layer in layers)


def _sono(spec: NetworkSpec, weights: Weights) -> Iterator[Layer]:
    timed = has_time(spec.kind)
    n_units = len(KERNELS[spec.kind])
    names = iter(layer_names(SONONET, n_units))
    for index, block in enumerate(SONONET):
        if index:
            yield Pool(reach=int(timed), past=int(timed and spec.causal))
        for _ in range(len(block) * n_units):
            yield _conv(weights, next(names), causal=spec.causal)
    for name in names:
        yield _conv(weights, name, causal=spec.causal, relu=not name.startswith("head.1."))


def _small(weights: Weights) -> Iterator[Layer]:
    names = iter(layer_names(SMALLNET))
    for index, block in enumerate(SMALLNET):
        if index:
            yield Pool()
        for _, _, stride, pad in block:
            yield _conv(weights, next(names), stride=stride, pad=pad)
    for name in names:
        yield _conv(weights, name, relu=not name.startswith("head.1."))


def _conv(
    weights: Weights,
    name: str,
    *,
    relu: bool = True,
    causal: bool = False,
    stride: int = 1,
    pad: int | None = None,
) -> Conv:
    weight, bias = _folded(weights, name)
    if weight.ndim == 4:
        weight = weight[:, :, None]
    reach = weight.shape[2] - 1
    return Conv(
        weight=weight.astype(np.float32),
        bias=bias.astype(np.float32),
        relu=relu,
        stride=stride,
        pad=weight.shape[3] // 2 if pad is None else pad,
        past=reach if causal else reach // 2,
        future=0 if causal else reach - reach // 2,
    )


def _folded(weights: Weights, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias in float64, batch norm folded in where there is one."""
    weight = weights[f"{name}.conv.weight"].astype(np.float64)
    bias = weights.get(f"{name}.conv.bias", np.zeros(len(weight))).astype(np.float64)
    if f"{name}.norm.weight" not in weights:
        return weight, bias
    gamma, beta, mean, variance = (
        weights[f"{name}.norm.{part}"].astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + BATCH_NORM_EPS)
    return weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), (bias - mean) * scale + beta
