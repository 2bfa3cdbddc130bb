"""Grad-CAM and Grad-CAM++: which cells of the last convolutional layer spoke for a class. Needs torch and captum."""

from collections.abc import Callable

import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from sonoplane.inference.attribution_cells import Cells, cells_of, hooked
from sonoplane.inference.attribution_network import Relevance
from sonoplane.models.network import PlaneNetwork

__all__ = ["grad_cam", "grad_cam_plus_plus", "last_layer"]


def grad_cam(network: PlaneNetwork) -> Relevance:
    """Selvaraju et al., ICCV 2017: the layer's maps, each weighted by the mean of the logit's gradient over it.

    A weight holds for a whole map. So where the head itself tells places apart, as the classifier of echo3dcnn does,
    this shows where the maps answer that speak for the class, not which of those places the head listened to.
    """
    layer = last_layer(network)
    told = LayerGradCam(network, layer)

    def cells(x: Tensor, target: int) -> Tensor:
        maps: Tensor = told.attribute(x, target=target, relu_attributions=True)
        return maps

    return _laid_over(network, layer, cells)


def grad_cam_plus_plus(network: PlaneNetwork) -> Relevance:
    """Chattopadhay et al., WACV 2018: like Grad-CAM, but small structures count as much as large ones, and each.

    With the layer's maps A_k, their places i and g = dy/dA_ki of the logit y, map k weighs the sum over its places of
    a_ki relu(g_ki), where a_ki = g_ki^2 / (2 g_ki^2 + g_ki^3 sum_j A_kj) (equations 14, 15 and 19). That is their
    choice of the score exp(y), whose higher derivatives are powers of g where y is piecewise linear in A, as here; the
    factor exp(y), the same for all places, is left out.
    """
    layer = last_layer(network)

    def cells(x: Tensor, target: int) -> Tensor:
        kept: list[Tensor] = []
        with hooked({layer: lambda _module, _given, answer: kept.append(answer)}):
            logit = network(x)[:, target]
        (maps,) = kept
        (gradient,) = torch.autograd.grad(logit, maps)
        maps, places = maps.detach(), tuple(range(2, x.ndim))
        below = 2 * gradient.square() + gradient.pow(3) * maps.sum(dim=places, keepdim=True)
        share = torch.where(below == 0, 0, gradient.square() / torch.where(below == 0, 1, below))
        weight = (share * gradient.relu()).sum(dim=places, keepdim=True)
        return (weight * maps).sum(dim=1, keepdim=True).relu()

    return _laid_over(network, layer, cells)


def last_layer(network: PlaneNetwork) -> nn.Module:
    """The last of the network that convolves before its head, so before a pool that comes last."""
    *_, last = (part for part in network.blocks[-1].children() if not isinstance(part, nn.MaxPool3d))
    return last


def _laid_over(network: PlaneNetwork, layer: nn.Module, told: Callable[[Tensor, int], Tensor]) -> Relevance:
    """Spread what is told of cells over the input; where cells lie is found out once."""
    cells: Cells | None = None

    def relevance(x: Tensor, target: int) -> Tensor:
        nonlocal cells
        if cells is None:
            cells = cells_of(network, layer, x)
        return cells.spread(told(x.detach().requires_grad_(), target).detach(), tuple(x.shape[2:]))

    return relevance
