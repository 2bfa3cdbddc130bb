"""Integrated gradients and occlusion: what changes when pixels become gray. Needs torch and captum.

Gray is each frame's own mean, everywhere: a frame without a picture. Black would not do: in ultrasound it is a finding
(fluid, shadow), and most of what surrounds the sector. The gray frame is the same whatever the card's normalization,
and zero where that standardizes each frame, which is what the card makes of any frame without a picture.
"""

import math
from collections.abc import Callable

import torch
from captum.attr import IntegratedGradients, Occlusion
from torch import Tensor

from sonoplane.inference.attribution_network import Relevance
from sonoplane.inference.attribution_settings import AttributionSettings
from sonoplane.models.network import PlaneNetwork

__all__ = ["integrated_gradients", "occlusion"]


def integrated_gradients(
    network: PlaneNetwork,
    settings: AttributionSettings,
    batch: int,
    on_missing: Callable[[float], object] = lambda share: None,
) -> Relevance:
    """Sundararajan et al., ICML 2017: the logit's change from the gray frames to the frames, shared among the pixels.

    The gradient jumps on the way from one to the other, so steps are doubled until what the pixels got adds up to that
    change, or there are too many: then `on_missing` is told which share of the change is not accounted for.
    """
    told = IntegratedGradients(network)

    def relevance(x: Tensor, target: int) -> Tensor:
        gray = _gray(x)
        with torch.no_grad():
            change = (network(x) - network(gray))[0, target].item()
        steps = settings.steps
        while True:
            maps: Tensor = told.attribute(
                x, gray, target, n_steps=steps, method="gausslegendre", internal_batch_size=batch
            )
            missing = abs(maps.sum(dtype=torch.float64).item() - change)
            if missing <= settings.tolerance * abs(change):
                break
            if 2 * steps > settings.most_steps:
                on_missing(missing / max(abs(change), 1e-12))
                break
            steps *= 2
        return maps.detach().float()

    return relevance


def occlusion(network: PlaneNetwork, settings: AttributionSettings, batch: int) -> Relevance:
    """Zeiler and Fergus, ECCV 2014: how much lower the logit is with a gray square on a pixel, on average.

    In a clip the square lies over several frames.
    """
    told = Occlusion(network)

    def relevance(x: Tensor, target: int) -> Tensor:
        side = max(1, round(settings.box * min(x.shape[-2:])))
        lasts = [max(1, round(settings.frames * n_frames)) for n_frames in x.shape[2:-2]]
        window = (x.shape[1], *lasts, side, side)
        strides = (x.shape[1], *(math.ceil(length / 2) for length in window[1:]))
        maps: Tensor = told.attribute(
            x,
            sliding_window_shapes=window,
            strides=strides,
            baselines=_gray(x),
            target=target,
            perturbations_per_eval=batch,
        )
        return maps

    return relevance


def _gray(x: Tensor) -> Tensor:
    """Each frame's mean, in its place."""
    return x.mean(dim=(-2, -1), keepdim=True).expand_as(x).contiguous()
