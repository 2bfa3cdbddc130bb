"""Shares of a map's weight in the background, and what is to be expected there."""

import json
import math

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers, answers_of
from sonoplane.metrics.background import (
    READ,
    TEXT_READ,
    FrameLook,
    Places,
    Shares,
    contrast,
    measure_background,
    shares,
)
from sonoplane.metrics.background_control import Control, measure_control

NONE = np.zeros((40, 60), bool)
ONES = np.ones((40, 60), np.float32)


def box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = NONE.copy()
    mask[top:bottom, left:right] = True
    return mask


#: Of 2,400 pixels 600 at the left are outside, 60 are text, and a column of 40 between the two sides is the border.
PLACES = Places(outside=box(0, 40, 0, 15), text=box(5, 8, 30, 50), border=box(0, 40, 15, 16))


def look(
    recording: str = "r",
    *,
    background: float = 0.4,
    text: float = 0.0,
    said: str = "liver",
    right: bool = True,
) -> FrameLook:
    return FrameLook(
        recording=recording,
        patient=f"p-{recording}",
        said=said,
        right=right,
        seen=Shares(outside=background - text, text=text, border=0.1),
        area=Shares(outside=0.36, text=0.04, border=0.1),
        contrast=Shares(outside=0.1, text=0.1, border=0.1),
    )


def test_a_map_without_preference_has_the_share_of_pixels() -> None:
    found = shares(0.3 * ONES, PLACES)
    assert found is not None
    assert found.outside == pytest.approx(600 / 2360)
    assert found.text == pytest.approx(60 / 2360)
    assert found.border == pytest.approx(40 / 2400)


def test_a_map_on_text_alone_has_all_of_its_weight_there_whatever_its_sign() -> None:
    assert shares(np.where(PLACES.text, -2, 0).astype(np.float32), PLACES) == Shares(
        outside=0, text=1, border=0
    )


def test_a_map_in_the_sector_has_none_of_it_in_the_background() -> None:
    inside = np.where(PLACES.background | PLACES.border, 0, 1).astype(np.float32)
    assert shares(inside, PLACES) == Shares(outside=0, text=0, border=0)


def test_without_background_or_without_weight_there_is_no_share() -> None:
    assert shares(ONES, Places(outside=NONE, text=NONE, border=NONE)) is None
    assert shares(0 * ONES, PLACES) is None
    assert shares(PLACES.border.astype(np.float32), PLACES) is None


def test_maps_with_nan_or_of_another_size_and_masks_that_overlap_are_refused() -> None:
    broken = ONES.copy()
    broken[3, 3] = np.nan
    with pytest.raises(UsageError, match="NaN"):
        shares(broken, PLACES)
    with pytest.raises(UsageError, match="does not fit"):
        shares(ONES[:5], PLACES)
    with pytest.raises(UsageError, match="two masks"):
        Places(outside=box(0, 9, 0, 9), text=NONE, border=box(5, 6, 5, 6))


def test_contrast_is_of_the_mean_of_colors() -> None:
    gray = np.tile(np.arange(0, 120, 2, dtype=np.uint8), (40, 1))
    assert np.allclose(contrast(gray), 2)
    assert np.allclose(contrast(np.stack([gray, 0 * gray, 0 * gray], axis=2)), 2 / 3)


def test_frames_count_alike_and_intervals_are_over_patients() -> None:
    measured = measure_background(
        [look("a", background=0.2), look("a", background=0.3), look("b", background=0.4)], ["liver"]
    )
    assert measured is not None
    assert measured.all.background.value == pytest.approx(0.3)
    assert (measured.all.n, measured.all.n_recordings, measured.all.background.n_patients) == (3, 2, 2)
    assert list(measured.recordings) == ["b", "a"]
    assert measure_background([], ["liver"]) is None


def test_the_yardstick_is_the_larger_of_pixels_and_contrast() -> None:
    measured = measure_background([look(background=0.4, text=0.1)], ["liver"])
    assert measured is not None
    assert measured.all.times == pytest.approx(1)  # 0.4 of the pixels, 0.2 of the contrast
    assert measured.all.text_times == pytest.approx(1)  # 0.04 of the pixels, 0.1 of the contrast


@pytest.mark.parametrize(
    ("background", "text", "high", "on_text"),
    [
        (0.39, 0.05, False, False),
        (0.41, 0.05, True, False),
        (0.3, 0.2, False, True),
        (0.39, 0.3, True, True),
    ],
)
def test_a_warning_is_given_from_the_thresholds_on(
    background: float, text: float, high: bool, on_text: bool
) -> None:
    assert (READ, TEXT_READ) == (1, 2.5)
    measured = measure_background([look(background=background, text=text)], ["liver"])
    assert measured is not None
    assert (measured.high, measured.all.on_text) == (high, on_text)


def test_a_class_that_is_read_from_the_background_warns_even_where_the_whole_does_not() -> None:
    calm = [look(f"r{i}", background=0.1) for i in range(8)]
    read = [look(f"s{i}", background=0.6, said="kidney", right=False) for i in range(2)]
    measured = measure_background([*calm, *read], ["liver", "kidney"])
    assert measured is not None
    assert not measured.all.high
    assert measured.high_classes == ("kidney",)
    assert measured.high
    assert (measured.right and measured.right.n, measured.wrong and measured.wrong.n) == (8, 2)
    alone = measure_background([*calm, read[0]], ["liver", "kidney"])
    assert alone is not None
    assert not alone.high


def test_all_in_the_background_is_a_finite_number() -> None:
    measured = measure_background([look(background=1.0, text=0.0)], ["liver"])
    assert measured is not None
    assert math.isfinite(measured.all.times)
    json.dumps(measured.to_json(), allow_nan=False)


def answered(said: list[int]) -> Answers:
    """Twelve frames of six patients, three of each class."""
    names = [f"p{i // 2}" for i in range(12)]
    return answers_of(
        level="frame",
        classes=("liver", "kidney"),
        targets=[i // 2 % 2 for i in range(12)],
        probabilities=np.eye(2)[said],
        recordings=names,
        patients=names,
    )


def controlled(*, black: list[int], other: list[int]) -> Control:
    right = [i // 2 % 2 for i in range(12)]
    lent = np.array([1 - number for number in right])
    return measure_control(
        plain=answered(right), blanked=answered(black), same=answered(right), other=answered(other), lent=lent
    )


def test_answers_that_follow_the_background_are_told() -> None:
    right = [i // 2 % 2 for i in range(12)]
    read = controlled(black=right, other=[1 - number for number in right])
    assert (read.reads, read.needs) == (True, False)
    assert (read.reading.difference.value, read.followed.value, read.followed_before.value) == (-1, 1, 0)
    calm = controlled(black=right, other=right)
    assert (calm.reads, calm.needs, calm.followed.value) == (False, False, 0)


def test_answers_that_fall_without_a_background_are_told_unless_by_chance() -> None:
    right = [i // 2 % 2 for i in range(12)]
    assert controlled(black=[0, 1] * 6, other=right).needs
    once = [1 - right[0], *right[1:]]
    assert not controlled(black=once, other=right).needs


def test_frames_without_a_label_are_refused() -> None:
    rows = answered([0] * 12)
    with pytest.raises(UsageError, match="without a label"):
        measure_control(plain=rows, blanked=rows, same=rows, other=rows, lent=np.zeros(3, np.int64))
