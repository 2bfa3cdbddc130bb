from itertools import pairwise

import pytest
import torch
from torch.optim import lr_scheduler

from sonoplane.training.schedule import share_of_rate
from sonoplane.training.settings import TrainingSettings

LOSSES = [1.0, 0.9, 0.95, 0.92, 0.91, 0.9, 0.89999, 0.8, 0.85, 0.85, 0.85, 0.85, 0.85, 0.9, 0.9, 0.9]


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)


def ours(settings: TrainingSettings) -> list[float]:
    return [
        share_of_rate(settings, step=0, steps=1, epoch=epoch, losses=LOSSES[:epoch])
        for epoch in range(len(LOSSES))
    ]


def test_plateau_is_that_of_torch() -> None:
    theirs = optimizer()
    scheduler = lr_scheduler.ReduceLROnPlateau(theirs, factor=0.7, patience=2)
    rates = []
    for loss in LOSSES:
        rates.append(theirs.param_groups[0]["lr"])
        scheduler.step(loss)
    assert ours(TrainingSettings(schedule="plateau", schedule_epochs=2)) == pytest.approx(rates)
    assert rates[-1] < 0.5


@pytest.mark.parametrize(
    ("settings", "make"),
    [
        (TrainingSettings(schedule="step"), lambda o: lr_scheduler.StepLR(o, 5, 0.8)),
        (
            TrainingSettings(schedule="multi-step", milestones=(3, 9), schedule_factor=0.5),
            lambda o: lr_scheduler.MultiStepLR(o, [3, 9], 0.5),
        ),
    ],
)
def test_steps_are_those_of_torch(settings: TrainingSettings, make) -> None:  # type: ignore[no-untyped-def]  # a scheduler
    theirs = optimizer()
    scheduler = make(theirs)
    rates = []
    for _ in LOSSES:
        rates.append(theirs.param_groups[0]["lr"])
        theirs.step()
        scheduler.step()
    assert ours(settings) == pytest.approx(rates)


def test_no_schedule_keeps_the_rate() -> None:
    assert set(ours(TrainingSettings(schedule="none"))) == {1.0}


def test_a_cosine_without_warm_up_begins_at_its_largest() -> None:
    settings = TrainingSettings(warm_up=0)
    rates = [share_of_rate(settings, step=step, steps=50, epoch=0) for step in range(50)]
    assert rates[0] == 1
    assert all(0 < later <= before for before, later in pairwise(rates))
