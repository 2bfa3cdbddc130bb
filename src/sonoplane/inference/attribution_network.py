"""A bundle's network, frozen and ready to be asked for gradients. Needs torch."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from sonoplane.errors import UsageError
from sonoplane.inference.settings import RunSettings
from sonoplane.models.bundle import Bundle
from sonoplane.models.network import PlaneNetwork
from sonoplane.models.registry import load_network

__all__ = ["Relevance", "best_device", "open_network"]

Relevance: TypeAlias = Callable[[Tensor, int], Tensor]
"""From one frame (`1 1 height width`) or clip (`1 1 time height width`) and the number of a class to how much each
pixel counted, in the same shape."""


def open_network(bundle: Bundle, run: RunSettings) -> PlaneNetwork:
    """The network in evaluation mode; nothing that is asked of it leaves a gradient in its weights.

    No ReLU works in place: what a layer answered is still there when it is looked at.

    Raises:
        UsageError: the network has no head, so it answers no class.
    """
    if bundle.spec.options.get("features_only"):
        raise UsageError(
            "A network built with features_only has no classes, so there is no answer to explain.",
            advice="Train it with its head first.",
        )
    if run.threads:
        torch.set_num_threads(run.threads)
    torch.backends.cudnn.allow_tf32 = False  # float32 is what it says
    network = load_network(bundle).requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return network.to(best_device())


def best_device() -> torch.device:
    """A CUDA GPU where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
