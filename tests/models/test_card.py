"""The card: geometry, values, fixed crop, hash, TOML."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sonoplane.errors import UsageError
from sonoplane.models.card import Card, FixedCrop, builtin_card, builtin_cards
from sonoplane.models.normalization import Normalization
from sonoplane.records import Box

CARD = Card(classes=("a", "b", "none"), background="none", size=(24, 32))


def picture(height: int, width: int, *channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, *channels), np.uint8)


def test_protocol_is_all_but_the_background() -> None:
    assert CARD.protocol == ("a", "b")
    assert replace(CARD, protocol=("b",)).protocol == ("b",)


def test_geometry_crops_then_resizes_as_pillow_does() -> None:
    image, box = picture(60, 80, 3), Box(left=5, top=7, right=71, bottom=50)
    expected = Image.fromarray(image).crop((5, 7, 71, 50)).resize((32, 24), Image.Resampling.BILINEAR)
    assert np.array_equal(CARD.geometry(image, box), np.array(expected))


def test_geometry_keeps_color_and_leaves_a_frame_of_the_right_size_alone() -> None:
    assert CARD.geometry(picture(60, 80, 3)).shape == (24, 32, 3)
    image = picture(24, 32)
    assert np.array_equal(CARD.geometry(image), image)


@pytest.mark.parametrize(("height", "width"), [(48, 32), (10, 100), (1, 500), (500, 1), (47, 63)])
def test_padding_keeps_the_aspect_ratio(height: int, width: int) -> None:
    padded = replace(CARD, fit="pad").geometry(np.full((height, width), 200, np.uint8))
    rows, columns = np.flatnonzero(padded.any(axis=1)), np.flatnonzero(padded.any(axis=0))
    assert padded.shape == (24, 32)
    assert len(rows) == 24 or len(columns) == 32
    assert abs(len(columns) / width - len(rows) / height) <= 1 / min(height, width)
    assert abs((rows[0] + rows[-1]) - 23) <= 1
    assert abs((columns[0] + columns[-1]) - 31) <= 1


def test_a_box_outside_the_frame_is_refused() -> None:
    with pytest.raises(UsageError, match="Clip the box"):
        CARD.geometry(picture(10, 10), Box(left=0, top=0, right=11, bottom=5))


def test_gray_is_the_float_mean_of_the_channels() -> None:
    card = replace(CARD, normalization=Normalization(kind="unit"))
    image = picture(24, 32, 3)
    assert np.allclose(card.values(image[None])[0, 0], image.astype(float).mean(-1) / 255, atol=1e-7)


def test_gray_and_the_same_gray_in_three_channels_give_the_same_values() -> None:
    gray = picture(24, 32)
    color = np.repeat(gray[..., None], 3, axis=-1)
    assert np.array_equal(CARD.values(gray[None]), CARD.values(color[None]))


@pytest.mark.parametrize("fit", ["stretch", "pad"])
@pytest.mark.parametrize("size", [(60, 80), (24, 32)])
def test_channels_that_are_one_memory_stay_so(fit: Literal["stretch", "pad"], size: tuple[int, int]) -> None:
    card = replace(CARD, fit=fit)
    one = np.broadcast_to(picture(*size)[..., None], (*size, 3))
    made, expected = card.geometry(one), card.geometry(np.ascontiguousarray(one))
    assert made.strides[2] == 0
    assert np.array_equal(made, expected)
    assert np.array_equal(card.values([made]), card.values(expected[None]))


def test_frames_of_both_kinds_go_through_together_and_none_do() -> None:
    gray, color = picture(24, 32), picture(24, 32, 3)
    together = CARD.values([gray, color])
    assert np.array_equal(together, np.concatenate([CARD.values(gray[None]), CARD.values(color[None])]))
    assert CARD.values(color[None][:0]).shape == (0, 1, 24, 32)


def test_standardization_is_per_frame() -> None:
    frames = np.stack([picture(24, 32) // 4, picture(24, 32)])
    values = CARD.values(frames)
    assert values.shape == (2, 1, 24, 32)
    assert np.allclose(values.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    assert np.allclose(values.std(axis=(1, 2, 3)), 1, atol=1e-5)


def test_a_fixed_crop_applies_to_its_frame_size_only() -> None:
    crop = FixedCrop(rows=(2, 9), columns=(3, 11), frame=(10, 12))
    assert replace(CARD, crop=crop).fixed_box(10, 12) == Box(left=3, top=2, right=11, bottom=9)
    assert replace(CARD, crop=crop).fixed_box(20, 24) is None
    anywhere = replace(CARD, crop=replace(crop, frame=None))
    assert anywhere.fixed_box(20, 24) == crop.box
    assert anywhere.fixed_box(8, 24) is None
    assert CARD.fixed_box(10, 12) is None


def test_the_hash_follows_the_input_and_not_the_names() -> None:
    assert CARD.hash == CARD.with_classes(("x", "y")).hash
    assert CARD.hash != replace(CARD, size=(24, 33)).hash
    assert CARD.hash != replace(CARD, fit="pad").hash
    unit = replace(CARD, normalization=Normalization(kind="unit"))
    assert CARD.hash != unit.hash
    assert CARD.geometry_hash == unit.geometry_hash


def test_the_fetal_hash_is_stable() -> None:
    assert builtin_card("fetal").hash[:16] == "5fc275f2723ea980"
    assert builtin_card("fetal").protocol == tuple(
        c for c in builtin_card("fetal").classes if c != "Background"
    )


@pytest.mark.parametrize(
    "card",
    [
        CARD,
        builtin_card("fetal"),
        replace(CARD, crop=FixedCrop(rows=(2, 9), columns=(3, 11)), fit="pad", background=None),
        replace(CARD, normalization=Normalization(kind="dataset", mean=0.2, std=0.21379), protocol=("b",)),
        replace(
            CARD, normalization=Normalization(kind="min-max"), classes=("ä", 'say "b"', "none"), protocol=()
        ),
    ],
)
def test_toml_reads_back(card: Card) -> None:
    assert Card.from_toml(card.to_toml()) == card


GOOD = CARD.to_toml()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("classes = [", "not TOML"),
        (GOOD.replace("format = 1", "format = 2"), "format = 1"),
        (GOOD.replace("size", "sise"), "unknown sise; missing size"),
        (GOOD.replace("size = [24, 32]", "size = [24, 32, 3]"), "two whole numbers"),
        (GOOD.replace("size = [24, 32]", "size = [24.5, 32]"), "two whole numbers"),
        (GOOD.replace("size = [24, 32]", "size = [0, 32]"), "no pixel"),
        (GOOD.replace('background = "none"', 'background = "nothing"'), "nothing"),
        (GOOD.replace('background = "none"', "background = 3"), "must be a text"),
        (GOOD.replace('"a"', '"b"'), "different, non-empty class names"),
        (GOOD.replace('"stretch"', '"squeeze"'), "one of stretch, pad, not 'squeeze'"),
        (GOOD.replace('"standardize-image"', '"whiten"'), "whiten"),
        (GOOD.replace("scale = 1.0", "scale = -1"), "above zero"),
        (GOOD.replace("scale = 1.0", "scale = nan"), "finite"),
        (GOOD.replace("scale = 1.0", "mean = 0.5"), "takes scale"),
        (GOOD + "\n[crop]\nrows = [5, 2]\ncolumns = [0, 4]\n", "left < right and top < bottom"),
        (GOOD + "\n[crop]\nrows = [0, 9]\ncolumns = [0, 4]\nframe = [8, 8]\n", "leaves its frame"),
        (GOOD.replace("[normalization]", "[[normalization]]"), "must be a table"),
    ],
)
def test_a_wrong_card_is_refused_with_advice(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Card.from_toml(text)
    assert said in str(caught.value)
    assert caught.value.advice


def test_an_unknown_builtin_card_names_the_known_ones() -> None:
    assert builtin_cards() == ("fetal",)
    with pytest.raises(UsageError, match="fetal"):
        builtin_card("adult")


@pytest.mark.parametrize("fit", ["stretch", "pad"])
@given(data=st.data())
def test_what_the_geometry_did_is_undone(fit: Literal["stretch", "pad"], data: st.DataObject) -> None:
    height, width = data.draw(st.tuples(st.integers(40, 90), st.integers(40, 90)))
    within = Box(left=5, top=9, right=5 + width, bottom=9 + height)
    left, top = data.draw(st.tuples(st.integers(5, width - 12), st.integers(9, height - 12)))
    marked = Box(left=left, top=top, right=left + 16, bottom=top + 16)
    frame = np.zeros((120, 130), np.uint8)
    frame[marked.slices] = 255
    card = Card(classes=("a", "b"), size=(48, 64), fit=fit)
    prepared = card.geometry(frame, within)
    rows, columns = np.nonzero(prepared > 127)
    left, top, right, bottom = map(int, (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    shown = Box(left=left, top=top, right=right, bottom=bottom)
    placed = card.placed(shown, within)
    for side in ("left", "top", "right", "bottom"):
        assert abs(getattr(placed, side) - getattr(marked, side)) <= 2
    back = card.spread(prepared.astype(np.float32), within)
    assert back.shape == (height, width)
    cut = np.zeros((120, 130), np.float32)
    cut[marked.slices] = 255
    assert abs(back - cut[within.slices]).mean() < 25


def test_a_box_in_the_padding_is_put_at_the_edge() -> None:
    card = Card(classes=("a",), size=(40, 40), fit="pad")
    within = Box(left=10, top=20, right=90, bottom=40)  # fills rows 15 to 24
    assert card.placed(Box(left=0, top=0, right=40, bottom=10), within) == Box(
        left=10, top=20, right=90, bottom=21
    )
    assert card.placed(Box(left=0, top=30, right=40, bottom=40), within) == Box(
        left=10, top=39, right=90, bottom=40
    )
