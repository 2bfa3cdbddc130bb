"""What a network's first layer looks for, straight from its weights: one small picture for each filter."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt8

from sonoplane.errors import UsageError
from sonoplane.models.bundle import Bundle
from sonoplane.models.fit import weight_shapes

__all__ = ["FilterGrid", "first_filters", "layers"]

_GAP = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterGrid:
    """Filters side by side, in reading order, with a black line between them."""

    pixels: UInt8[np.ndarray, "time height width"] = field(repr=False)
    """One image, or as many as the filters see frames."""
    n_filters: int
    rows: int
    columns: int
    cell: tuple[int, int]
    """Height and width of each, without the line."""

    def filter(self, number: int) -> UInt8[np.ndarray, "time height width"]:
        """One filter's picture."""
        if not 0 <= number < self.n_filters:
            raise UsageError(
                f"There is no filter {number}.", advice=f"Give a number from 0 to {self.n_filters - 1}."
            )
        (height, width), (row, column) = self.cell, divmod(number, self.columns)
        top, left = row * (height + _GAP), column * (width + _GAP)
        return self.pixels[:, top : top + height, left : left + width]


def first_filters(bundle: Bundle, *, zoom: int = 8) -> FilterGrid:
    """The filters of a bundle's first layer, each weight a square of `zoom` pixels.

    Middle gray (128) is a weight of zero, white a positive and black a negative one, each filter on its own scale. A
    filter over several frames is a clip. Of a network that divides its convolutions, the first is within the frame.
    An ensemble has no weights of its own: ask one of its members.

    Raises:
        BundleError: the bundle is an ensemble.
    """
    weight = bundle.weights()[f"{next(iter(layers(bundle)))}.conv.weight"]
    filters = weight if weight.ndim == 5 else weight[:, :, None]
    pictures = _gray(filters.mean(axis=1)).repeat(zoom, axis=2).repeat(zoom, axis=3)
    return _grid(pictures)


def layers(bundle: Bundle) -> dict[str, int]:
    """The names of a network's layers in its order, and how many filters each has.

    Only layers with weights count. The last answers the classes. Of an ensemble they are the first member's.
    """
    return {
        name.removesuffix(".weight").removesuffix(".conv"): shape[0]
        for name, shape in weight_shapes(bundle.spec).items()
        if name.endswith(".weight") and len(shape) > 1
    }


def _gray(
    filters: Float[np.ndarray, "filters time height width"],
) -> UInt8[np.ndarray, "filters time height width"]:
    """Each filter between 1 and 255, zero at 128."""
    largest = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    return np.round(128 + 127 * filters / np.where(largest == 0, 1, largest)).astype(np.uint8)


def _grid(pictures: UInt8[np.ndarray, "filters time height width"]) -> FilterGrid:
    """As nearly square as can be."""
    n_filters, n_frames, height, width = pictures.shape
    columns = int(np.ceil(np.sqrt(n_filters)))
    rows = -(-n_filters // columns)
    pixels = np.zeros((n_frames, rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP), np.uint8)
    grid = FilterGrid(pixels=pixels, n_filters=n_filters, rows=rows, columns=columns, cell=(height, width))
    for number, picture in enumerate(pictures):
        grid.filter(number)[:] = picture
    return grid
