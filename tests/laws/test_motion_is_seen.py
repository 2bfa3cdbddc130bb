"""Law: where only motion tells two planes apart, 3D and (2+1)D tell them and 2D cannot; the others all tell alike."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from studies.motion.run import Score, Setup, study


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn")
    ) as alone:  # where shapes are not checked call by call
        return alone.submit(study, 0, Setup(test=12)).result()


@pytest.mark.parametrize("kind", ["3d", "2plus1d"])
def test_motion_tells_the_pair_apart(scores: dict[str, Score], kind: str) -> None:
    assert scores[kind].pair >= scores["2d"].pair + 0.3


@pytest.mark.parametrize("kind", ["3d", "2plus1d"])
def test_what_one_frame_tells_is_told_as_well(scores: dict[str, Score], kind: str) -> None:
    assert scores[kind].others >= scores["2d"].others - 0.05
