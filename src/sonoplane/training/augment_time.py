"""Orders in which the frames of a clip may come: jittered, with losses, shuffled.

An order tells which frame stands at each place. Each is a plain function of numbers between 0 and 1.
"""

from typing import TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["dropped", "jittered", "shuffled"]

Chance: TypeAlias = Float[Tensor, "batch time"]
Order: TypeAlias = Int64[Tensor, "batch time"]


def jittered(chance: Chance, frames: float) -> Order:
    """Each frame is taken up to so many frames early or late, in order; the last stays, as a clip's label is its.

    >>> jittered(torch.tensor([[0.0, 0.0, 0.9, 0.1, 0.5]]), 1.0).tolist()
    [[0, 0, 2, 3, 4]]
    """
    time = chance.shape[1]
    taken = torch.arange(time) + frames * (2 * chance - 1)
    order = taken.round().clamp(0, time - 1).long().sort(dim=1).values
    order[:, -1:] = time - 1
    return order


def dropped(chance: Chance, share: float) -> Order:
    """A frame whose chance is below `share` is lost, and the one before it stays on screen; never first or last.

    >>> dropped(torch.tensor([[0.0, 0.9, 0.1, 0.2, 0.9, 0.0]]), 0.3).tolist()
    [[0, 1, 1, 1, 4, 5]]
    """
    time = chance.shape[1]
    kept = torch.where(chance < share, torch.zeros((), dtype=torch.long), torch.arange(time))
    kept[:, -1:] = time - 1
    return kept.cummax(dim=1).values


def shuffled(chance: Chance) -> Order:
    """Every order is as likely as every other.

    >>> shuffled(torch.tensor([[0.3, 0.9, 0.1]])).tolist()
    [[2, 0, 1]]
    """
    return chance.argsort(dim=1)
