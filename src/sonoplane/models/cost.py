"""What a network costs: its parameters, and the multiply-adds that a frame takes, counted without computing any."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from sonoplane.models.registry import available, network_spec, outline
from sonoplane.models.spec import NetworkSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sonoplane.models.network import PlaneNetwork

__all__ = ["Cost", "LayerRow", "ModelRow", "cost", "layer_table", "list_models"]

#: Height and width of the image that costs are told for where no other is given: the published network's.
IMAGE = (224, 288)
#: Frames of the clip that a network without a dense form is counted with.
CLIP = 10


class Cost(NamedTuple):
    """What a network takes."""

    parameters: int
    gflop_per_frame: float
    """2 x multiply-adds of all convolutions and fully connected layers, for one more frame of a long run.
    Where a network answers clips only: those of a clip of ten frames, over ten."""
    receptive_field: int
    """How many frames, in a row, one answer can depend on."""


class LayerRow(NamedTuple):
    """One layer of a network, in the order of computing."""

    name: str
    """The module, as in the names of the weights."""
    layer: str
    """What it is, with the kernel as time x height x width."""
    output: tuple[int, ...]
    """Channels, frames where it has time, height, width."""
    parameters: int
    gflop_per_frame: float


class ModelRow(TypedDict):
    """One registered network, as `sonoplane models --json` lists it."""

    name: str
    kind: str
    width: int
    parameters: int
    gflop_per_frame: float
    receptive_field: int
    streams: bool


def cost(spec: NetworkSpec, size: tuple[int, int] = IMAGE) -> Cost:
    """Parameters, and GFLOP a frame of this height and width. Needs torch.

    >>> spec = network_spec("sononet2d-16", n_classes=7)
    >>> cost(spec).parameters
    930334
    >>> round(cost(spec).gflop_per_frame / cost(spec, (112, 144)).gflop_per_frame, 2)
    4.0
    """
    network = outline(spec)
    count = sum(p.numel() for p in network.parameters())
    gflop = sum(row.gflop_per_frame for row in _rows(network, spec, size))
    return Cost(count, gflop, network.receptive_field)


def list_models(n_classes: int = 7) -> list[ModelRow]:
    """Every registered network with what it costs and how it sees time. Needs torch."""
    rows = []
    for name in available():
        spec = network_spec(name, n_classes=n_classes)
        parameters, gflop, receptive_field = cost(spec)
        rows.append(
            ModelRow(
                name=name,
                kind=spec.kind,
                width=spec.width,
                parameters=parameters,
                gflop_per_frame=round(gflop, 3),
                receptive_field=receptive_field,
                streams=spec.streams,
            )
        )
    return rows


def layer_table(spec: NetworkSpec) -> tuple[LayerRow, ...]:
    """Every layer but activations, for one image of 224 x 288 or a clip of ten. Needs torch.

    >>> [row.layer for row in layer_table(network_spec("smallnet", n_classes=7))][:3]
    ['Conv2d 7x7', 'MaxPool2d 2x2', 'Conv2d 5x5']
    """
    return _rows(outline(spec), spec, IMAGE)


def _rows(network: "PlaneNetwork", spec: NetworkSpec, size: tuple[int, int]) -> tuple[LayerRow, ...]:
    import torch

    network.eval()
    shape = (1, spec.in_channels, *([CLIP] if spec.takes_clips else []), *size)
    rows: list[LayerRow] = []
    hooks = [
        module.register_forward_hook(_counting(name, rows, spec))
        for name, module in network.named_modules()
        if not any(module.children())
        and not type(module).__name__.startswith(("ReLU", "Identity", "Dropout"))
    ]
    with torch.no_grad():
        network(torch.empty(shape, device="meta"))
    for hook in hooks:
        hook.remove()
    return tuple(rows)


def _counting(
    name: str, rows: list[LayerRow], spec: NetworkSpec
) -> Callable[["nn.Module", Any, "Tensor"], None]:
    def count(module: "nn.Module", _: Any, output: "Tensor") -> None:
        rows.append(
            LayerRow(
                name=name,
                layer=_title(module),
                output=tuple(output.shape[1:]),
                parameters=sum(p.numel() for p in module.parameters()),
                gflop_per_frame=_gflop(module, output, spec),
            )
        )

    return count


def _gflop(module: "nn.Module", output: "Tensor", spec: NetworkSpec) -> float:
    """One multiply-add is two operations; a convolution's kernel is applied at each place of its answer."""
    weight = getattr(module, "weight", None)
    if weight is None or weight.ndim < 2:
        return 0.0
    places = output[0, 0].numel() if weight.ndim > 2 else 1
    frames = 1 if not spec.takes_clips else output.shape[2] if spec.dense else CLIP
    return float(2 * weight.numel() * places / frames / 1e9)


def _title(module: "nn.Module") -> str:
    kernel = getattr(module, "kernel_size", None)
    sizes = (kernel,) * 2 if isinstance(kernel, int) else kernel
    title = type(module).__name__.replace("TimePool", "MaxPool").removeprefix("Time")
    return f"{title} {'x'.join(map(str, sizes))}" if sizes else title
