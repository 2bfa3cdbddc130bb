"""Networks whose answer is known by hand: what they look at is where every method must point."""

from pathlib import Path

import numpy as np

from sonoplane.models.bundle import Bundle, save_bundle
from sonoplane.models.card import Card
from sonoplane.models.fit import weight_shapes
from sonoplane.models.plan import BATCH_NORM_EPS
from tests.models.tiny_networks import tiny_spec

#: Cells of the tiny echo network, in each of time, height and width.
CELLS = 2


def passing(name: str) -> dict[str, np.ndarray]:
    """Every convolution hands on its first channel; class 0 of score maps is that, class 1 nothing, class 2 less it."""
    spec, weights = tiny_spec(name), {}
    for key, shape in weight_shapes(spec).items():
        value = np.zeros(shape, np.float32)
        if key.endswith("running_var"):
            value[:] = 1 - BATCH_NORM_EPS
        elif key.endswith("norm.weight"):
            value[:] = 1
        elif key.endswith(".weight"):
            place = [size // 2 for size in shape[2:]]
            if spec.causal:
                place[0] = shape[2] - 1
            value[(0, 0, *place)] = 1
            if shape[0] == spec.n_classes:
                value[(2, 0, *place)] = -1
        weights[key] = value
    return weights


def looking_at_one_cell(place: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """The tiny echo network, whose class 0 is the mean of one cell (time, row, column) of its first channel."""
    weights = passing("echo3dcnn")
    weights["head.0.weight"][:] = 0
    weights["head.0.weight"][0, int(np.ravel_multi_index(place, (CELLS,) * 3))] = 1
    return weights


def bundled(
    folder: Path, name: str, weights: dict[str, np.ndarray], size: tuple[int, int] = (64, 96)
) -> Bundle:
    return save_bundle(
        folder,
        name=folder.name,
        version="1",
        spec=tiny_spec(name),
        card=Card(classes=("a", "b", "c"), size=size),
        weights=weights,
        recipe={},
    )


def share_within(relevance: np.ndarray, *places: slice) -> float:
    """Of what speaks for the class."""
    positive = relevance.clip(0)
    return float(positive[places].sum() / positive.sum())
