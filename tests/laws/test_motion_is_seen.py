"""Law: where only motion tells two planes apart, 3D and (2+1)D tell them and 2D cannot; the others all tell alike."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from studies.motion.run import Setup, study


@pytest.mark.parametrize("kind", ["3d", pytest.param("2plus1d", marks=pytest.mark.slow)])
def test_motion_tells_the_pair_apart_and_what_one_frame_tells_is_told_as_well(kind: str) -> None:
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn")
    ) as alone:  # where shapes are not checked call by call
        scores = alone.submit(study, 0, Setup(test=12), ("2d", kind)).result()
    assert scores[kind].pair >= scores["2d"].pair + 0.3
    assert scores[kind].others >= scores["2d"].others - 0.05
