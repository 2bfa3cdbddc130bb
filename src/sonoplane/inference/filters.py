"""What a network's first layer looks for, straight from its weights: one small picture for each filter."""

import numpy as np
from jaxtyping import Float, UInt8

from sonoplane.errors import UsageError
from sonoplane.models.bundle import Bundle
from sonoplane.models.fit import weight_shapes

__all__ = ["check_filter", "first_filters", "layers"]


def first_filters(bundle: Bundle) -> UInt8[np.ndarray, "filters time height width"]:
    """The filters of a bundle's first layer, a pixel for each weight.

    Middle gray (128) is a weight of zero, white a positive and black a negative one, each filter on its own scale. A
    filter over several frames is a clip. Of a network that divides its convolutions, the first is within the frame.
    An ensemble has no weights of its own: ask one of its members.

    Raises:
        BundleError: the bundle is an ensemble.
    """
    weight = bundle.weights()[f"{next(iter(layers(bundle)))}.conv.weight"]
    filters = weight if weight.ndim == 5 else weight[:, :, None]
    return _gray(filters.mean(axis=1))


def layers(bundle: Bundle) -> dict[str, int]:
    """The names of a network's layers in its order, and how many filters each has.

    Only layers with weights count. The last answers the classes. Of an ensemble they are the first member's.
    """
    return {
        name.removesuffix(".weight").removesuffix(".conv"): shape[0]
        for name, shape in weight_shapes(bundle.spec).items()
        if name.endswith(".weight") and len(shape) > 1
    }


def check_filter(bundle: Bundle, layer: str, number: int) -> None:
    """Raise a UsageError where a network has no such layer, or the layer no such filter."""
    there = layers(bundle)
    if layer not in there:
        raise UsageError(
            f"'{bundle.spec.name}' has no layer '{layer}'.", advice=f"Name one of {', '.join(there)}."
        )
    if not 0 <= number < there[layer]:
        last = there[layer] - 1
        raise UsageError(
            f"Layer '{layer}' has no filter {number}.",
            advice=f"Give numbers from 0 to {last}, such as {layer}:{last}.",
        )


def _gray(
    filters: Float[np.ndarray, "filters time height width"],
) -> UInt8[np.ndarray, "filters time height width"]:
    """Each filter between 1 and 255, zero at 128."""
    largest = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    return np.round(128 + 127 * filters / np.where(largest == 0, 1, largest)).astype(np.uint8)
