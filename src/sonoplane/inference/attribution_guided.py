"""Guided back-propagation (Springenberg et al., "Striving for simplicity", ICLR workshop 2015). Needs torch.

A gradient that on its way back passes a ReLU only where it is above zero: what speaks against the class is left out.
"""

import torch
from torch import Tensor, nn

from sonoplane.inference.attribution_network import Relevance
from sonoplane.models.network import PlaneNetwork
from sonoplane.models.resnext3d import ResNext3d
from sonoplane.models.score_maps import ScoreMapNetwork

__all__ = ["guided_backprop"]


def guided_backprop(network: PlaneNetwork) -> Relevance:
    """Absolute guided gradients; the network is this method's own from now on.

    They start from the class score map, its negative places set to zero, where the network has one (SonoNet paper,
    IEEE TMI 36(11), 2017, section III-D): places that showed the class count as much as they showed it. A map without
    a positive place tells of no pixel. Other networks start from the logit.

    Such a map is sharp, but hangs less on the weights than those of other methods: with a head that knows nothing it
    is still much the same (Adebayo et al., NeurIPS 2018, and so here). What it shows, check by another method.
    """
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.register_full_backward_hook(_above_zero)

    def relevance(x: Tensor, target: int) -> Tensor:
        x = x.detach().requires_grad_()
        if isinstance(network, ScoreMapNetwork | ResNext3d):
            answer = network.class_score_maps(x)[:, target]
            start = answer.detach().relu()
        else:
            answer = network(x)[:, target]
            start = torch.ones_like(answer)
        (gradient,) = torch.autograd.grad(answer, x, start)
        return gradient.abs()

    return relevance


def _above_zero(
    module: nn.Module, before: tuple[Tensor, ...], after: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    return tuple(gradient.relu() for gradient in before)
