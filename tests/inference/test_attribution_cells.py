import numpy as np
import pytest
import torch

from sonoplane.inference.attribution_cells import Cells, cells_of
from sonoplane.inference.attribution_grad_cam import last_layer
from tests.models.tiny_networks import some_input, tiny

PLACES = {
    "sononet2d-2": ((7.5, 7.5), (16, 16)),
    "sononet3d-2": ((2, 7.5, 7.5), (1, 16, 16)),
    "sononet2plus1d-2": ((2, 7.5, 7.5), (1, 16, 16)),
    "sononet3d-2-causal": ((0, 7.5, 7.5), (1, 16, 16)),
    "sononet2plus1d-2-causal": ((0, 7.5, 7.5), (1, 16, 16)),
    "smallnet-4": ((16, 16), (16, 16)),
    "echo3dcnn": ((0.5, 0.5, 0.5), (1, 2, 2)),
    "resnext3d-50": ((0, 0, 0), (16, 32, 32)),
}


@pytest.mark.parametrize("name", PLACES)
def test_cells_of_the_last_layer_lie_where_the_layers_before_put_them(name: str) -> None:
    network = tiny(name)
    cells = cells_of(network, last_layer(network), some_input(name))
    assert (cells.start, cells.step) == PLACES[name]


def test_a_cell_lies_in_the_middle_of_what_it_sees() -> None:
    network = tiny("smallnet-4")
    reached = np.zeros((144, 160), bool)
    for seed in range(20):
        x = torch.randn(1, 1, 144, 160, generator=torch.Generator().manual_seed(seed)).requires_grad_()
        (gradient,) = torch.autograd.grad(network.features(x)[0, :, 3, 4].sum(), x)
        reached |= gradient[0, 0].numpy() != 0
    rows, columns = np.nonzero(reached.any(axis=1))[0], np.nonzero(reached.any(axis=0))[0]
    cells = cells_of(network, last_layer(network), x)
    row, column = (
        start + place * step for start, place, step in zip(cells.start, (3, 4), cells.step, strict=True)
    )
    assert ((rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2) == pytest.approx((row, column), abs=1)


def test_maps_are_linear_between_cells_in_time_and_space() -> None:
    maps = torch.arange(8.0).reshape(1, 1, 2, 2, 2)
    laid = Cells(start=(1, 0, 0.5), step=(2, 4, 2)).spread(maps, (5, 5, 4))[0, 0]
    assert laid.shape == (5, 5, 4)
    assert laid[:, 0, 0].tolist() == [0, 0, 2, 4, 4]
    assert laid[0, :, 0].tolist() == [0, 0.5, 1, 1.5, 2]
    assert laid[0, 0].tolist() == [0, 0.25, 0.75, 1]
