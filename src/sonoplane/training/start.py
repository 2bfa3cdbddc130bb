"""The weights that a training begins with, where they are not drawn."""

from pathlib import Path

from sonoplane.errors import UsageError, WeightsError
from sonoplane.models.bundle import Bundle
from sonoplane.models.network import PlaneNetwork
from sonoplane.models.registry import start_from
from sonoplane.models.spec import NetworkSpec
from sonoplane.models.weights import import_weights

__all__ = ["begin_with"]


def begin_with(network: PlaneNetwork, spec: NetworkSpec, start: str) -> str:
    """Put the weights of a bundle or a weights file into a network; a sentence on what was taken and what was not.

    Weights of a 2D SonoNet are inflated for networks of clips. A head for other classes stays as it was drawn.

    Raises:
        UsageError: there is nothing of that name.
        WeightsError: the weights are of another network, or of no known layout.
    """
    path = Path(start)
    if path.is_dir():
        bundle = Bundle.load(path)
        source, weights = bundle.spec, bundle.weights()
    elif path.is_file():
        try:
            source, weights, _ = import_weights(path)
        except WeightsError as error:
            raise WeightsError(
                error.message,
                advice="If it is of a known layout, make a bundle of it by `sonoplane weights import`,"
                " which can be told its classes, and start with that.",
            ) from error
    else:
        raise UsageError(
            f"There is no bundle and no file '{path.name}' to start with.", advice="Check network.start."
        )
    kept = start_from(network, spec, weights)
    taken = "" if source.name == spec.name else f", inflated to {spec.name}"
    drawn = f"; {len(kept)} of its arrays are drawn anew (the head)" if kept else ", its head too"
    return f"Starts with the weights of {source.name} from '{path.name}'{taken}{drawn}."
