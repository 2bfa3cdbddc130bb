"""Shares of a map's weight in the background, and what is to be expected there."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers, answers_of
from sonoplane.metrics.background import (
    READ,
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


def looks(n: int, background: float, **of: str | bool) -> list[FrameLook]:
    """Of as many patients, nearly alike."""
    return [look(f"r{i}{of}", background=background + 0.001 * i, **of) for i in range(n)]  # type: ignore[arg-type]  # names


def test_a_look_is_high_where_it_is_surely_above_what_is_expected_in_several_patients() -> None:
    assert READ == 1
    for n, background, high in ((8, 0.38, False), (8, 0.43, True), (1, 0.9, False)):
        measured = measure_background(looks(n, background), ["liver"])
        assert measured is not None
        assert measured.high == high
    unsure = measure_background([*looks(3, 0.2), *looks(3, 0.7, right=False)], ["liver"])
    assert unsure is not None
    assert unsure.all.times > 1
    assert not unsure.all.high


def test_a_class_that_is_read_from_the_background_warns_even_where_the_whole_does_not() -> None:
    calm = looks(8, 0.1)
    read = looks(3, 0.6, said="kidney", right=False)
    measured = measure_background([*calm, *read], ["liver", "kidney"])
    assert measured is not None
    assert not measured.all.high
    assert measured.high_classes == ("kidney",)
    assert measured.high
    assert (measured.right and measured.right.n, measured.wrong and measured.wrong.n) == (8, 3)
    alone = measure_background(
        [*calm, read[0], replace(read[0], recording="of the same patient")], ["liver", "kidney"]
    )
    assert alone is not None
    assert not alone.high


def test_all_in_the_background_is_a_finite_number() -> None:
    measured = measure_background([look(background=1.0, text=0.0)], ["liver"])
    assert measured is not None
    assert math.isfinite(measured.all.times)
    json.dumps(measured.to_json(), allow_nan=False)


def answered(said: list[int], n_patients: int = 6) -> Answers:
    """Two frames of each patient, half of the patients of each class."""
    names = [f"p{i // 2:02d}" for i in range(2 * n_patients)]
    return answers_of(
        level="frame",
        classes=("liver", "kidney"),
        targets=right(n_patients),
        probabilities=np.eye(2)[said],
        recordings=names,
        patients=names,
    )


def right(n_patients: int) -> list[int]:
    return [i // 2 % 2 for i in range(2 * n_patients)]


def controlled(
    *, other: list[int], black: list[int] | None = None, same: list[int] | None = None, n: int = 6
) -> Control:
    true = right(n)
    return measure_control(
        plain=answered(true, n),
        blanked=answered(black or true, n),
        same=answered(same or true, n),
        other=answered(other, n),
        lent=np.array([1 - number for number in true]),
        changed={"blanked": 0.1, "same": 0.1, "other": 0.1},
        n_asked=2 * n,
    )


def wrong(n_patients: int, rows: range) -> list[int]:
    return [1 - number if i in rows else number for i, number in enumerate(right(n_patients))]


def test_answers_that_follow_the_background_are_told() -> None:
    read = controlled(other=wrong(6, range(12)))
    assert (read.reads, read.needs, read.calm) == (True, False, False)
    assert (read.reading.difference.value, read.followed.value, read.followed_before.value) == (-1, 1, 0)
    calm = controlled(other=right(6))
    assert (calm.reads, calm.needs, calm.followed.value) == (False, False, 0)


def test_answers_that_fall_without_a_background_are_told_unless_by_chance() -> None:
    assert controlled(black=[0, 1] * 6, other=right(6)).needs
    assert not controlled(black=wrong(6, range(1)), other=right(6)).needs


def test_two_patients_who_fall_alike_may_do_so_by_chance() -> None:
    assert not controlled(other=wrong(2, range(4)), n=2).reads


def test_that_nothing_falls_is_told_only_where_that_is_sure_and_the_class_is_not_guessed() -> None:
    assert not controlled(other=right(8), n=8).calm
    many = controlled(other=wrong(80, range(1)), n=80)
    assert (many.calm, many.calm_classes) == (True, ("liver", "kidney"))
    assert not controlled(other=wrong(8, range(6)), n=8).calm
    assert not controlled(same=[0] * 160, other=[0] * 160, n=80).calm


def test_a_class_is_calm_only_by_its_own_frames() -> None:
    rare = [0] * 116 + [1] * 4
    names = [f"p{i // 2:02d}" for i in range(120)]
    plain, other = (
        answers_of(
            level="frame",
            classes=("liver", "kidney"),
            targets=rare,
            probabilities=np.eye(2)[said],
            recordings=names,
            patients=names,
        )
        for said in (rare, [1, *rare[1:]])
    )
    told = measure_control(
        plain=plain, blanked=plain, same=plain, other=other, lent=1 - plain.targets, changed={}, n_asked=120
    )
    assert (told.calm, told.calm_classes) == (True, ("liver",))


def test_frames_without_a_label_are_refused() -> None:
    rows = answered([0] * 12)
    with pytest.raises(UsageError, match="without a label"):
        measure_control(
            plain=rows, blanked=rows, same=rows, other=rows, lent=np.zeros(3, np.int64), changed={}, n_asked=3
        )
