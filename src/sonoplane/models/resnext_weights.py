"""Public 3D ResNeXt weights, named as the code of Hara et al. leaves them: how they become ours, and gray."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from sonoplane.errors import UsageError, WeightsError
from sonoplane.models.fit import COUNTER, check_fit
from sonoplane.models.resnext_plan import DEPTHS, ResNextPlan, resnext_shapes
from sonoplane.models.spec import NetworkSpec, network_spec
from sonoplane.models.weights_layouts import own_numbers

__all__ = ["gray_resnext", "is_resnext", "resnext_layout", "translate_resnext", "with_channels"]

#: Their number of each convolution of a bottleneck.
_STEPS = {"reduce": 1, "spread": 2, "expand": 3}
#: Where a network begins, behind the prefix that all its names share (`module.` in the published files).
_BEGIN = re.compile(r"(?P<prefix>(?:[^.]+\.)*)conv1\.weight")
_OWN = re.compile(r"(conv1|bn1|layer[1-4]\.\d+|fc)\..+")


def is_resnext(keys: Collection[str]) -> bool:
    """Whether arrays of these names are a 3D residual network of bottlenecks, as that code names them.

    >>> is_resnext(["module.conv1.weight", "module.layer1.0.conv3.weight"]), is_resnext(["blocks.0.0.conv.weight"])
    (True, False)
    """
    return any(f"{prefix}layer1.0.conv3.weight" in keys for prefix in _prefixes(keys))


def resnext_layout(keys: Collection[str]) -> dict[str, str]:
    """Their name of each of our arrays, told by their names alone: the depth by the bottlenecks that are there.

    It holds a projection for every stage that can have one; a first stage as wide as the stem has none.
    Raises a WeightsError if they are of no such network, or of several.
    """
    prefixes = _prefixes(keys)
    if len(prefixes) > 1:
        raise WeightsError(
            f"The file holds several networks: {', '.join(prefix or '(bare)' for prefix in prefixes)}.",
            advice="Save the state of one of them alone, and import that.",
        )
    prefix = prefixes[0] if prefixes else ""
    steps = tuple(
        sum(bool(re.fullmatch(rf"layer{n}\.\d+\.conv2\.weight", key.removeprefix(prefix))) for key in keys)
        for n in range(1, 5)
    )
    depth = next((depth for depth, counts in DEPTHS.items() if counts == steps), None)
    if depth is None:
        raise WeightsError(
            f"These are the weights of no 3D ResNeXt: its stages have {', '.join(map(str, steps))} bottlenecks, "
            f"not {' or '.join(', '.join(map(str, known)) for known in DEPTHS.values())}.",
            advice="Use a file such as resnext-101-kinetics.pth.",
        )
    plan = ResNextPlan(depth=depth, shortcut="B" if f"{prefix}layer2.0.downsample.0.weight" in keys else "A")
    return {ours: prefix + _theirs(ours) for ours in resnext_shapes(plan, n_classes=1)}


def translate_resnext(
    arrays: Mapping[str, np.ndarray], *, stem_stride: int = 1, stem_pool: bool = True, whole: bool = True
) -> tuple[ResNextPlan, dict[str, np.ndarray]]:
    """Our plan, names and shapes for their arrays; only the stem's stride in time and its pool leave no trace in them.

    The input channels are those of `blocks.0.0.conv.weight`, the classes those of `head.0.conv.weight`. Names
    outside the network (a loss, a metric) are left out; so is a head that is not there or not of this form, if the
    network need not be `whole`. Raises a WeightsError that names what is missing, surplus or misshapen.
    """
    layout = resnext_layout(arrays.keys())
    prefix = layout["blocks.0.0.conv.weight"].removesuffix("conv1.weight")
    given = {
        key: array
        for key, array in arrays.items()
        if key.startswith(prefix) and _OWN.fullmatch(key[len(prefix) :]) and not key.endswith(COUNTER)
    }
    if not whole and not _has_head(given, layout):
        layout = {ours: theirs for ours, theirs in layout.items() if not ours.startswith("head")}
        given = {key: array for key, array in given.items() if key in layout.values()}
    first, spread = (given.get(layout[f"{name}.conv.weight"]) for name in ("blocks.0.0", "blocks.1.0.spread"))
    last = given.get(layout["head.0.conv.weight"]) if "head.0.conv.weight" in layout else np.empty((1, 0))
    if first is None or spread is None or last is None or (first.ndim, spread.ndim, last.ndim) != (5, 5, 2):
        raise WeightsError(
            "The weights look like a 3D ResNeXt, but the first or the last layer is missing or misshapen.",
            advice="Save the whole network, its last layer (fc) included.",
        )
    plan = replace(_plan(first, spread, layout), stem_stride=stem_stride, stem_pool=stem_pool)
    shapes = resnext_shapes(plan, n_classes=last.shape[0], in_channels=first.shape[1])
    shapes["head.0.conv.weight"] = shapes["head.0.conv.weight"][:2]
    shapes = {ours: shape for ours, shape in shapes.items() if ours in layout}
    check_fit({layout[ours]: shape for ours, shape in shapes.items()}, given)
    return plan, {ours: _numbers(layout[ours], given[layout[ours]]) for ours in shapes}


def gray_resnext(
    arrays: Mapping[str, np.ndarray], *, whole: bool = True
) -> tuple[NetworkSpec, dict[str, np.ndarray]]:
    """The registry's network that their arrays belong to, taking gray clips, and its weights.

    If it need not be `whole` and its head is left out, the spec is one of features only. Raises as
    `translate_resnext` does.
    """
    plan, weights = translate_resnext(arrays, whole=whole)
    head = weights.get("head.0.conv.weight")
    options = plan.options if head is not None else {**plan.options, "features_only": True}
    n_classes = 1 if head is None else head.shape[0]
    spec = network_spec(f"resnext3d-{plan.depth}", n_classes=n_classes, options=options)
    return spec, with_channels(weights, 1)


def with_channels(weights: Mapping[str, np.ndarray], n_channels: int) -> dict[str, np.ndarray]:
    """Our weights for another number of input channels: the first convolution is summed over its channels and shared.

    So a gray image, in `n_channels` channels, answers exactly as when it is repeated for each channel of the
    pretrained network. The numbers are those behind the normalization: it must be the same for every channel.

    >>> stem = {"blocks.0.0.conv.weight": np.ones((4, 3, 7, 7, 7), np.float32)}
    >>> float(with_channels(stem, 1)["blocks.0.0.conv.weight"][0, 0, 0, 0, 0])
    3.0
    """
    first = weights["blocks.0.0.conv.weight"]
    if first.shape[1] == n_channels:
        return dict(weights)
    share = first.sum(axis=1, keepdims=True, dtype=np.float64) / n_channels
    return {**weights, "blocks.0.0.conv.weight": np.repeat(share, n_channels, axis=1).astype(np.float32)}


def _prefixes(keys: Collection[str]) -> list[str]:
    """What stands before each network's names; `layer1.0.conv1` is no beginning."""
    found = [match["prefix"] for match in map(_BEGIN.fullmatch, keys) if match]
    return sorted(prefix for prefix in found if not re.search(r"(^|\.)layer\d+\.\d+\.$", prefix))


def _theirs(ours: str) -> str:
    """Their name of one of our arrays.

    >>> _theirs("blocks.2.0.shortcut.norm.bias"), _theirs("blocks.0.0.norm.bias"), _theirs("head.0.conv.bias")
    ('layer2.0.downsample.1.bias', 'bn1.bias', 'fc.bias')
    """
    block, *path, kind, part = ours.removeprefix("blocks.").split(".")
    conv = kind == "conv"
    if block == "head":
        return f"fc.{part}"
    if block == "0":
        return f"{'conv1' if conv else 'bn1'}.{part}"
    place, step = path
    if step == "shortcut":
        return f"layer{block}.{place}.downsample.{0 if conv else 1}.{part}"
    return f"layer{block}.{place}.{'conv' if conv else 'bn'}{_STEPS[step]}.{part}"


def _plan(first: np.ndarray, spread: np.ndarray, layout: Mapping[str, str]) -> ResNextPlan:
    """Depth, groups, stem and shortcut, by the names and the shapes of two convolutions."""
    depth = 2 + 3 * sum(name.endswith("spread.conv.weight") for name in layout)  # three layers a bottleneck
    cardinality, group_width = spread.shape[0] // spread.shape[1], spread.shape[1]
    if cardinality == 1:
        raise WeightsError(
            f"These are the weights of a 3D ResNet-{depth}, not of a ResNeXt: its convolutions have no groups.",
            advice="Use a file such as resnext-101-kinetics.pth.",
        )
    try:
        return ResNextPlan(
            depth=depth,
            cardinality=cardinality,
            group_width=group_width,
            stem=first.shape[0],
            stem_frames=first.shape[2],
            shortcut="B" if "blocks.2.0.shortcut.conv.weight" in layout else "A",
        )
    except UsageError as error:
        raise WeightsError(error.message, advice=error.advice) from error


def _has_head(given: Mapping[str, np.ndarray], layout: Mapping[str, str]) -> bool:
    """Whether there is one fully connected layer, as wide as the last stage."""
    stages = [name for name in layout if name.endswith("expand.norm.bias")]
    names = (layout["head.0.conv.weight"], layout["head.0.conv.bias"], layout[stages[-1]])
    if not all(name in given for name in names):
        return False
    weight, bias, wide = (given[name].shape for name in names)
    return len(weight) == 2 and weight == (*bias, *wide)


def _numbers(theirs: str, array: np.ndarray) -> np.ndarray:
    """In float32; a fully connected layer becomes a convolution of one place."""
    numbers = own_numbers(theirs, array)
    return numbers[:, :, None, None, None] if numbers.ndim == 2 else numbers
