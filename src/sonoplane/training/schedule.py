"""The learning rate of every step: a pure function of how far training is and how it went."""

import math
from collections.abc import Sequence

from sonoplane.training.settings import TrainingSettings

__all__ = ["share_of_rate"]

#: What the rate falls to, where no factor is given.
FACTORS = {"plateau": 0.7, "step": 0.8, "multi-step": 0.1}

#: Of the loss: less is no fall (as torch's ReduceLROnPlateau has it).
_FALL = 1e-4


def share_of_rate(
    settings: TrainingSettings, *, step: int, steps: int, epoch: int, losses: Sequence[float] = ()
) -> float:
    """How much of the largest rate a step has; steps and epochs count from 0, `losses` are those of validation.

    >>> cosine = TrainingSettings()
    >>> [round(share_of_rate(cosine, step=step, steps=10, epoch=0), 2) for step in range(10)]
    [0.5, 1.0, 1.0, 0.96, 0.85, 0.69, 0.5, 0.31, 0.15, 0.04]
    >>> falling = TrainingSettings(schedule="multi-step", milestones=(1, 3))
    >>> [round(share_of_rate(falling, step=0, steps=1, epoch=epoch), 3) for epoch in range(4)]
    [1.0, 0.1, 0.1, 0.01]
    """
    if settings.schedule == "none":
        return 1.0
    if settings.schedule == "cosine":
        return _cosine(step, steps, settings.warm_up)
    factor = settings.schedule_factor or FACTORS[settings.schedule]
    falls = {
        "plateau": lambda: _plateaus(losses, settings.schedule_epochs),
        "multi-step": lambda: sum(epoch >= milestone for milestone in settings.milestones),
        "step": lambda: epoch // settings.schedule_epochs,
    }
    return float(factor ** falls[settings.schedule]())


def _cosine(step: int, steps: int, warm_up: float) -> float:
    """Up in equal steps, then half a cosine down."""
    warm = max(1, int(steps * warm_up))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _plateaus(losses: Sequence[float], patience: int) -> int:
    """How often the loss has not fallen for more than so many epochs."""
    n_plateaus, best, waited = 0, math.inf, 0
    for loss in losses:
        if loss < best * (1 - _FALL):
            best, waited = loss, 0
        else:
            waited += 1
        if waited > patience:
            n_plateaus, waited = n_plateaus + 1, 0
    return n_plateaus
