"""What grades the product: a pixel-linear model and a guessed box must fail on the phantom."""

from typing import Literal

import pytest

from sonoplane.video.phantom import PhantomSettings
from studies.phantom.floors import floors, pair_floors, pair_runs, thumbnails


@pytest.mark.parametrize(
    ("preset", "step", "exams"), [("liver-sweep", 5, (1, 1)), ("echo-views", 40, (3, 3))]
)
def test_nothing_without_a_network_gets_far(
    preset: Literal["liver-sweep", "echo-views"], step: int, exams: tuple[int, int]
) -> None:
    reached = floors(thumbnails(preset, step=step, exams=exams))
    assert reached.pop("centred box of mean size, IoU >= 0.5") < 0.4
    assert len(reached) == 3
    assert max(reached.values()) < 0.6


def test_of_the_pair_a_single_frame_tells_nothing_and_its_change_nearly_all() -> None:
    small = PhantomSettings(height=160, width=200, beams=64, samples=128, fps=10, frames=108)
    without, with_time = pair_floors(pair_runs("vessels", settings=small), fps=10).values()
    assert without <= 0.6
    assert with_time >= 0.85
