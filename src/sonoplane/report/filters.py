"""What the filters of a network look for becomes one HTML page that needs no other file."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt8
from PIL import Image as Pillow

from sonoplane.records import BundleName
from sonoplane.report.html import render
from sonoplane.report.pictures import Picture

__all__ = ["FilterView", "filters_html"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterView:
    """What a filter looks for."""

    layer: str
    name: str
    """The filter's number, or the class that it answers."""
    pixels: UInt8[np.ndarray, "time height width"] = field(repr=False)
    """A picture, or a clip."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    layer: str
    shown: tuple[tuple[str, tuple[str, ...]], ...]
    """Names, with the pictures of each."""


def filters_html(
    bundle: BundleName,
    network: str,
    *,
    first: Iterable[UInt8[np.ndarray, "time rows columns"]],
    views: Sequence[FilterView],
    layers: Sequence[tuple[str, int]],
    seed: int,
) -> str:
    """The page of one network: the filters of its first layer, a pixel for each weight, then `views`.

    `layers` are the names of all layers and how many filters each has, for whoever wants to see more.
    """
    rows = [
        _Row(
            layer=layer,
            shown=tuple((view.name, _addresses(view.pixels)) for view in views if view.layer == layer),
        )
        for layer in dict.fromkeys(view.layer for view in views)
    ]
    return render(
        "filters.html.j2",
        bundle=bundle,
        network=network,
        first=[_addresses(pixels) for pixels in first],
        rows=rows,
        layers=layers,
        seed=seed,
    )


def _addresses(pixels: UInt8[np.ndarray, "time height width"]) -> tuple[str, ...]:
    """Each frame as a `data:` address, pixel for pixel."""
    addresses = []
    for frame in pixels:
        memory = io.BytesIO()
        Pillow.fromarray(frame).save(memory, format="PNG", optimize=True)
        addresses.append(Picture(title="", caption="", data=memory.getvalue()).address)
    return tuple(addresses)
