"""Colors, boxes and words on frames: where they belong, and nowhere else."""

from itertools import pairwise

import numpy as np
import pytest

from sonoplane.records import Box
from sonoplane.report.overlays import (
    Strength,
    boxed,
    captioned,
    drawable,
    heated,
    overlay,
    strip_height,
    strongest,
)
from tests.report.sweeps import sector

WITHIN = Box(left=40, top=12, right=600, bottom=462)


def bump(x: int, y: int, strength: float = 1.0) -> np.ndarray:
    rows, columns = np.mgrid[: WITHIN.height, : WITHIN.width]
    return (strength * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2000)).astype(np.float32)


@pytest.mark.parametrize("color", [False, True])
def test_only_what_counted_is_colored(color: bool) -> None:
    frame = sector(1, color=color)
    before = overlay(frame, None, WITHIN, 0.0)
    drawn = heated(frame, bump(200, 150), WITHIN, 1.0).astype(int)
    changed = np.abs(drawn - before).max(axis=2)
    assert changed[12 + 150, 40 + 200] > 50
    assert changed[: WITHIN.top].max() == changed[:, : WITHIN.left].max() == 0
    assert changed[400:, 400:].max() <= 1


def test_the_frame_itself_is_not_changed() -> None:
    frame = sector(1, color=True).copy()
    before = frame.copy()
    boxed(heated(frame, bump(200, 150), WITHIN, 1.0), Box(left=3, top=3, right=9, bottom=9))
    np.testing.assert_array_equal(frame, before)


def test_the_tissue_can_be_seen_through_the_strongest_color() -> None:
    frame = np.full((480, 640), 60, np.uint8)
    frame[:, 240:] = 200
    drawn = heated(frame, np.ones((WITHIN.height, WITHIN.width), np.float32), WITHIN, 1.0).astype(int)
    assert (drawn[100, 300] - drawn[100, 100]).min() > 25


def test_for_and_against_differ_in_color() -> None:
    frame = sector(1)
    drawn = heated(frame, bump(100, 200) - bump(400, 200), WITHIN, 1.0).astype(int)
    red, _, blue = np.moveaxis(drawn, 2, 0)
    assert red[212, 140] > blue[212, 140]
    assert red[212, 440] < blue[212, 440]


def test_a_single_pixel_does_not_set_the_scale() -> None:
    relevance = np.ones((100, 100), np.float32)
    relevance[3, 3] = 1000
    assert strongest(relevance) == 1.0
    assert strongest(np.zeros((4, 4), np.float32)) == 0.0


def test_a_map_of_nothing_leaves_the_frame() -> None:
    frame, nothing = sector(2, color=True), np.zeros((WITHIN.height, WITHIN.width), np.float32)
    np.testing.assert_array_equal(heated(frame, nothing, WITHIN, strongest(nothing)), frame)


def test_the_scale_of_a_video_rises_at_once_and_falls_slowly() -> None:
    scale = Strength()
    weak, strong = np.full((9, 9), 1, np.float32), np.full((9, 9), 8, np.float32)
    assert scale(weak, "liver") == 1
    assert scale(strong, "liver") == 8
    falling = [scale(weak, "liver") for _ in range(60)]
    assert falling == sorted(falling, reverse=True)
    assert all(after > 0.9 * before for before, after in pairwise(falling))
    assert falling[-1] == 1
    scale(strong, "liver")
    assert scale(weak, "kidney") == 1


def test_words_stand_below_the_picture_and_not_on_it() -> None:
    picture = heated(sector(3), bump(90, 90), WITHIN, 1.0)
    drawn = captioned(picture, "left lobe 93 %", "frame 12 · 0.48 s")
    np.testing.assert_array_equal(drawn[:480], picture)
    assert drawn.shape == (480 + strip_height(480), 640, 3)
    below = drawn[480:].max(axis=2)
    assert below[:, :100].max() > 200
    assert below[:, -100:].max() > 100


def test_words_that_have_no_room_are_cut() -> None:
    picture = np.zeros((100, 120, 3), np.uint8)
    drawn = captioned(picture, "a class of a very long name indeed 93 %", "frame 12")
    assert drawn[100:, -4:].max() < 60


def test_letters_that_the_font_lacks_are_not_drawn_as_boxes() -> None:
    assert drawable("Niere (längs) 93\N{NO-BREAK SPACE}%") == "Niere (langs) 93 %"
    assert not drawable("肝臓").strip("? ")
