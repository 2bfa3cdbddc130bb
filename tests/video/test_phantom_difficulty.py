"""What grades the product: a pixel-linear model and a guessed box must fail on the phantom."""

from typing import Literal

import pytest

from studies.phantom.floors import floors, thumbnails


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
