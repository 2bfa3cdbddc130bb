"""The weights that a training begins with, where they are not drawn."""

from pathlib import Path

from sonoplane.errors import UsageError, WeightsError
from sonoplane.models.bundle import Bundle
from sonoplane.models.network import PlaneNetwork
from sonoplane.models.plan import KERNELS
from sonoplane.models.registry import start_from
from sonoplane.models.spec import CAUSAL, NetworkSpec
from sonoplane.models.weights import read_start

__all__ = ["begin_with"]


def begin_with(network: PlaneNetwork, spec: NetworkSpec, start: str) -> str:
    """Put the weights of a bundle or a weights file into a network; a sentence on what was taken and what was not.

    Weights of a 2D SonoNet are inflated for networks of clips. A head that answers another number of classes, or is of
    another form, is not taken: the network's own stays as it was drawn. What the classes of a file are called, nobody
    need know.

    Raises:
        UsageError: there is nothing of that name.
        WeightsError: the weights are of another network, or of no known layout.
    """
    path = Path(start)
    if path.is_dir():
        bundle = Bundle.load(path)
        source, weights = bundle.spec, bundle.weights()
    elif path.is_file():
        source, weights = read_start(path, spec)
    else:
        raise UsageError(
            f"There is no bundle and no file '{path.name}' to start with.", advice="Check network.start."
        )
    if source.in_channels != spec.in_channels or not _is_kin(source, spec):
        raise WeightsError(
            f"'{path.name}' holds the weights of {_told(source)}: {_told(spec)} cannot begin with them.",
            advice=f"Begin with weights of {' or '.join(_beginnings(spec))}, or train what fits these.",
        )
    kept = start_from(network, spec, weights)
    taken = f"Starts with the weights of {source.name} from '{path.name}'{_changed(source, spec)}"
    return f"{taken}; {_head_told(source, spec)}." if kept else f"{taken}, its head too."


def _is_kin(source: NetworkSpec, spec: NetworkSpec) -> bool:
    """Whether one can begin as the other, but for options."""
    return source.width == spec.width and source.family in _families(spec)


def _families(spec: NetworkSpec) -> tuple[str, ...]:
    """Those whose weights can start this network, its own first."""
    return (spec.family, "sononet2d") if spec.kind in KERNELS and spec.takes_clips else (spec.family,)


def _beginnings(spec: NetworkSpec) -> list[str]:
    sized = spec.name.removesuffix(CAUSAL).removeprefix(spec.family)
    return [family + sized for family in _families(spec)]


def _told(spec: NetworkSpec) -> str:
    return spec.name if spec.in_channels == 1 else f"{spec.name} for {spec.in_channels} channels"


def _changed(source: NetworkSpec, spec: NetworkSpec) -> str:
    if source.family != spec.family:
        return f", inflated to {spec.name}"
    if source.causal != spec.causal:
        return f", their reach through time moved as {spec.name} has it"
    return ""


def _head_told(source: NetworkSpec, spec: NetworkSpec) -> str:
    """Why the head was not taken."""
    if source.options.get("features_only"):
        return "no head of this form is there, so it is drawn anew"
    if source.n_classes != spec.n_classes:
        return f"the head is drawn anew, for {spec.n_classes} classes in place of {source.n_classes}"
    return "the head, of another form, is drawn anew"
