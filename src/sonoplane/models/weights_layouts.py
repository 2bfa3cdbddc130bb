"""The layouts that weights come in: which foreign name is which of ours, and how the numbers differ."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sonoplane.errors import UsageError, WeightsError
from sonoplane.models.fit import COUNTER, check_fit, weight_shapes
from sonoplane.models.plan import BATCH_NORM_EPS, KERNELS, SMALLNET, SONONET, layer_names
from sonoplane.models.spec import CAUSAL, NetworkSpec, Option, network_spec

__all__ = ["KNOWN_FAMILIES", "LAYOUTS", "Layout", "own_numbers", "translate", "without_prefix"]

_NORM = ("norm.weight", "norm.bias", "norm.running_mean", "norm.running_var")
_TORCH = ("0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var")


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """One way in which somebody names the arrays of a network."""

    title: str
    family: str
    """The first part of the network's name in the registry."""
    deep_family: str | None = None
    """Likewise, where the same names stand for kernels over time, height and width."""
    names: dict[str, str]
    """Their name of each of our arrays."""
    flipped: bool = False
    """Filters are stored for true convolution, upside down and left to right."""
    inverse_std: bool = False
    """1 / sqrt(variance + eps) is stored in place of the variance."""

    @property
    def body(self) -> "Layout":
        """The same without the head."""
        return replace(self, names={o: t for o, t in self.names.items() if not o.startswith("head")})


def _lasagne(layers: tuple[str, ...], parts: tuple[str, ...]) -> dict[str, str]:
    ours = [f"{name}.{part}" for name in layers for part in parts]
    return {name: f"arr_{index}" for index, name in enumerate(ours)}


def _pytorch(body: list[str], head: str) -> dict[str, str]:
    """`body` holds their name of each 3x3 convolution; the head's are 0 and 3 of one sequence."""
    ours = ("conv.weight", *_NORM)
    names: dict[str, str] = {}
    for name, theirs in zip(layer_names(SONONET), body, strict=False):
        names |= {f"{name}.{own}": f"{theirs}.{part}" for own, part in zip(ours, _TORCH, strict=True)}
    for name, first in (("head.0.0", 0), ("head.1.0", 3)):
        for own, part in zip(ours, _TORCH, strict=True):
            step, kind = part.split(".")
            names[f"{name}.{own}"] = f"{head}.{first + int(step)}.{kind}"
    return names


def _own(layers: tuple[str, ...], parts: tuple[str, ...]) -> dict[str, str]:
    return {f"{name}.{part}": f"{name}.{part}" for name in layers for part in parts}


_CONVOLUTIONS = [(block, conv) for block, row in enumerate(SONONET) for conv in range(len(row))]

#: Every layout that is understood.
LAYOUTS = (
    Layout(
        title="SonoNet in Lasagne",
        family="sononet2d",
        names=_lasagne(
            layer_names(SONONET),
            ("conv.weight", "norm.bias", "norm.weight", "norm.running_mean", "norm.running_var"),
        ),
        inverse_std=True,
    ),
    Layout(
        title="SmallNet in Lasagne",
        family="smallnet",
        names=_lasagne(layer_names(SMALLNET), ("conv.weight", "conv.bias")),
        flipped=True,
    ),
    Layout(
        title="SonoNet in PyTorch, `features.<block>.<conv>`",
        family="sononet2d",
        deep_family="sononet3d",
        names=_pytorch([f"features.{block}.{conv}" for block, conv in _CONVOLUTIONS], "adaption"),
    ),
    Layout(
        title="SonoNet in PyTorch, `_features.<n>`",
        family="sononet2d",
        deep_family="sononet3d",
        names=_pytorch(
            [f"_features.{n + block}" for n, (block, _) in enumerate(_CONVOLUTIONS)], "_adaptation"
        ),
    ),
    Layout(
        title="SonoNet in sonoplane",
        family="sononet2d",
        deep_family="sononet3d",
        names=_own(layer_names(SONONET), ("conv.weight", *_NORM)),
    ),
    Layout(
        title="(2+1)D SonoNet in sonoplane",
        family="sononet2plus1d",
        deep_family="sononet2plus1d",
        names=_own(layer_names(SONONET, len(KERNELS["2plus1d"])), ("conv.weight", *_NORM)),
    ),
    Layout(
        title="SmallNet in sonoplane",
        family="smallnet",
        names=_own(layer_names(SMALLNET), ("conv.weight", "conv.bias")),
    ),
)

#: The families that these are of.
KNOWN_FAMILIES = {family for known in LAYOUTS for family in (known.family, known.deep_family) if family}


def translate(
    arrays: Mapping[str, np.ndarray], *, causal: bool = False, whole: bool = True
) -> tuple[NetworkSpec, dict[str, np.ndarray], Layout]:
    """Our names, numbers and spec for foreign arrays; what is missing, surplus or misshapen is named.

    Kind, width, channels and classes are told by the shapes; that a network is `causal` no shape tells. A prefix that
    all names of the network share (`model.`, `module.`, `net.`) is taken off, and names outside it (a loss, a metric)
    are left out. If it need not be `whole`, so is a head that is not there or not ours; the spec is then one of
    features only.
    """
    given = without_prefix({key: value for key, value in arrays.items() if not key.endswith(COUNTER)})
    layout = max(LAYOUTS, key=lambda known: _likeness(set(known.names.values()), set(given)))
    if _likeness(set(layout.names.values()), set(given)) == 0:
        raise WeightsError(
            f"These {len(given)} arrays are of no known layout.",
            advice="The known ones are: " + "; ".join(known.title for known in LAYOUTS) + ".",
        )
    if not whole:
        layout = layout if _has_head(layout, given, causal=causal) else layout.body
        given = {theirs: given[theirs] for theirs in layout.names.values() if theirs in given}
    spec = _spec(layout, given, causal=causal)
    shapes = weight_shapes(spec)
    check_fit({theirs: shapes[ours] for ours, theirs in layout.names.items()}, given)
    return (
        spec,
        {ours: _numbers(layout, ours, given[theirs]) for ours, theirs in layout.names.items()},
        layout,
    )


def own_numbers(name: str, array: np.ndarray) -> np.ndarray:
    """An array of a file in float32; a WeightsError where it holds something else than finite numbers.

    >>> own_numbers("w", np.ones(2, np.float16)).dtype
    dtype('float32')
    """
    if not np.issubdtype(array.dtype, np.floating):
        raise WeightsError(
            f"{name} holds {array.dtype}, not floating-point numbers.",
            advice="Save the weights as float32, not quantized.",
        )
    with np.errstate(over="ignore"):
        numbers = np.array(array, np.float32, order="C")
    if not np.isfinite(numbers).all():
        raise WeightsError(f"{name} holds values that are no finite numbers.", advice="Get the file again.")
    return numbers


_ROOT = re.compile(r"(?P<prefix>(?:[^.]+\.)*?)(?P<rest>(?:_?features|adaption|_adaptation|blocks|head)\..+)")


def without_prefix(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a network without what all their names begin with; a WeightsError where there are several."""
    matches = {key: _ROOT.fullmatch(key) for key in arrays}
    prefixes = sorted({match["prefix"] for match in matches.values() if match})
    if len(prefixes) > 1:
        raise WeightsError(
            f"The file holds several networks: {', '.join(prefix or '(bare)' for prefix in prefixes)}.",
            advice="Save the state of one of them alone, and import that.",
        )
    prefix = prefixes[0] if prefixes else ""
    return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}


def _likeness(theirs: set[str], given: set[str]) -> float:
    return len(theirs & given) / len(theirs | given)


def _has_head(layout: Layout, given: Mapping[str, np.ndarray], *, causal: bool) -> bool:
    """Whether the head is there, and of our form."""
    head = {ours: theirs for ours, theirs in layout.names.items() if ours not in layout.body.names}
    if not all(theirs in given for theirs in head.values()):
        return False
    try:
        shapes = weight_shapes(_spec(layout, given, causal=causal))
    except WeightsError:
        return False
    return all(given[theirs].shape == shapes[ours] for ours, theirs in head.items())


def _spec(layout: Layout, given: Mapping[str, np.ndarray], *, causal: bool) -> NetworkSpec:
    """Kind, width, channels and classes, by the shapes of the first and the last layer."""
    units = [name for name in ("blocks.0.0.0", "blocks.0.0.1") if f"{name}.conv.weight" in layout.names]
    last = f"head.1.{len(units) - 1}"
    has_head = f"{last}.conv.weight" in layout.names
    names = [f"{name}.conv.weight" for name in (units[0], units[-1], last if has_head else units[-1])]
    if not all(layout.names[name] in given for name in names):
        missing = [name for name in layout.names.values() if name not in given]
        raise WeightsError(
            f"The weights look like {layout.title}, but {', '.join(missing[:4])} "
            f"{'is' if len(missing) == 1 else 'are'} missing ({len(missing)} in all).",
            advice="Save the whole network, its last layer included.",
        )
    first, wide, final = (given[layout.names[name]].shape for name in names)
    family = {4: layout.family, 5: layout.deep_family}.get(len(first))
    if family is None or not len(first) == len(wide) == len(final):
        raise WeightsError(
            f"The weights look like {layout.title}, but its first or last convolution has an unknown form.",
            advice="Only 2D and 3D kernels can be imported; of this layout perhaps only 2D ones.",
        )
    options: dict[str, Option] = {"mid_channels": "paper"} if first[0] != wide[0] else {}
    if not has_head:
        options["features_only"] = True
    try:
        return network_spec(
            f"{family}-{wide[0]}{CAUSAL if causal else ''}",
            n_classes=final[0] if has_head else 1,
            in_channels=first[1],
            options=options,
        )
    except UsageError as error:
        raise WeightsError(error.message, advice=error.advice) from error


def _numbers(layout: Layout, name: str, array: np.ndarray) -> np.ndarray:
    """Our numbers for theirs, in float32."""
    array = np.asarray(own_numbers(layout.names[name], array), np.float64)
    if layout.inverse_std and name.endswith("running_var"):
        with np.errstate(divide="ignore"):
            array = array**-2 - BATCH_NORM_EPS
    if layout.flipped and name.endswith("conv.weight"):
        array = array[:, :, ::-1, ::-1]
    return own_numbers(layout.names[name], array)
