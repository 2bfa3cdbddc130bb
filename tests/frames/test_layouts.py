from dataclasses import replace

import numpy as np
import pytest

from sonoplane.frames.layout_learning import learn_layouts
from sonoplane.frames.layouts import FoundOutline, Layout, apply_layout, found_outline
from sonoplane.frames.layouts_settings import LayoutSettings
from sonoplane.records import Box, Region
from tests.frames.scenes import linear_mask, sector_mask

HEIGHT, WIDTH = 240, 320
FRAMES = {"height": HEIGHT, "width": WIDTH}
WHOLE = Region(box=Box(left=0, top=0, right=WIDTH, bottom=HEIGHT), origin="whole", confidence=0.0)


def region(mask: np.ndarray, confidence: float = 0.95) -> Region:
    ys, xs = np.nonzero(mask)
    box = Box(left=int(xs.min()), top=int(ys.min()), right=int(xs.max()) + 1, bottom=int(ys.max()) + 1)
    return Region(box=box, origin="pixels", mask=mask, confidence=confidence)


def learned(*regions: Region, scanner: str | None = "Maker A1") -> tuple[Layout, ...]:
    found = {f"r{i}": found_outline(each, scanner=scanner, **FRAMES) for i, each in enumerate(regions)}
    return learn_layouts(found)


def shift(mask: np.ndarray, columns: int) -> np.ndarray:
    return np.roll(mask, columns, axis=1)


SECTOR, LINEAR = sector_mask(HEIGHT, WIDTH, convex=False), linear_mask(HEIGHT, WIDTH)


def test_recordings_that_look_alike_share_a_layout_and_others_do_not():
    layouts = learned(region(SECTOR), region(shift(SECTOR, 1)), region(LINEAR))
    assert sorted(layout.recordings for layout in layouts) == [1, 2]
    for mask in (SECTOR, LINEAR):
        _, layout, warnings = apply_layout(region(mask), layouts, scanner="maker  a1", **FRAMES)
        assert layout in layouts
        assert warnings == ()


@pytest.mark.parametrize(
    ("scanner", "height"), [("Maker B2", HEIGHT), (None, HEIGHT), ("Maker A1", HEIGHT + 1)]
)
def test_a_layout_is_of_one_scanner_and_frame_size(scanner: str | None, height: int):
    mask = np.zeros((height, WIDTH), bool)
    mask[:HEIGHT] = SECTOR
    _, layout, _ = apply_layout(
        region(mask), learned(region(SECTOR)), scanner=scanner, height=height, width=WIDTH
    )
    assert layout is None


def test_recordings_without_a_scanner_share_layouts_by_what_was_found():
    layouts = learned(region(SECTOR), region(SECTOR), region(LINEAR), scanner=None)
    assert len(layouts) == 2
    assert all(layout.name.startswith("unknown-240x320-") for layout in layouts)


def test_what_most_recordings_leave_out_is_left_out_for_all():
    named = SECTOR.copy()
    named[222:] = False
    careful = region(named, confidence=0.8)
    (layout,) = learned(region(SECTOR, confidence=1.0), careful, replace(careful, confidence=0.9))
    used, _, _ = apply_layout(region(SECTOR), (layout,), scanner="Maker A1", **FRAMES)
    assert not used.mask[222:].any()
    assert used.mask[215].any()


def test_a_layout_never_shows_what_a_recordings_own_search_left_out():
    layouts = learned(region(SECTOR), region(SECTOR))
    own = SECTOR.copy()
    own[60:75, 150:170] = False
    used, layout, _ = apply_layout(region(own), layouts, scanner="Maker A1", **FRAMES)
    assert layout == layouts[0]
    assert used.box == layout.box
    assert not (used.mask & ~own).any()
    assert used.mask.sum() > 0.98 * own.sum()


def test_a_corrected_outline_is_shown_whole_but_for_the_recordings_own_writing():
    (layout,) = learned(region(SECTOR))
    corrected = replace(layout, outline=((50, 20), (50, 199), (249, 199), (249, 20)))
    writing = Box(left=100, top=100, right=140, bottom=110)
    own = replace(region(SECTOR), writing=(writing,))
    used, _, warnings = apply_layout(own, [corrected], scanner="Maker A1", **FRAMES)
    shown = np.zeros((HEIGHT, WIDTH), bool)
    shown[20:200, 50:250] = True
    shown[writing.slices] = False
    assert (used.mask == shown).all()
    assert used.box == Box(left=50, top=20, right=250, bottom=200)
    assert used.writing == (writing,)
    assert warnings == ()
    assert corrected.digest != layout.digest


def test_a_rectangle_without_writing_needs_no_mask():
    box = Box(left=20, top=10, right=300, bottom=200)
    declared = Region(box=box, origin="dicom")
    (layout,) = learned(declared)
    used, _, _ = apply_layout(declared, [layout], scanner="Maker A1", **FRAMES)
    assert used == declared
    written = replace(declared, writing=(Box(left=30, top=20, right=60, bottom=30),))
    used, _, _ = apply_layout(written, [layout], scanner="Maker A1", **FRAMES)
    assert used.mask.sum() == 280 * 190 - 300


def test_an_unsure_recording_takes_the_only_layout_of_its_scanner_and_says_so():
    layouts = learned(region(SECTOR), region(LINEAR, confidence=0.3))
    assert len(layouts) == 1
    for unsure in (region(LINEAR, confidence=0.3), WHOLE):
        used, layout, warnings = apply_layout(unsure, layouts, scanner="Maker A1", **FRAMES)
        assert layout == layouts[0]
        assert used.box == layout.box
        assert used.origin == "pixels"
        assert "the only one" in warnings[0]


@pytest.mark.parametrize("scanner", [None, "Maker A1"])
def test_an_unsure_recording_is_left_as_it_is_where_several_layouts_or_no_scanner_are_known(
    scanner: str | None,
):
    masks = (SECTOR, LINEAR) if scanner else (SECTOR,)
    layouts = learned(*map(region, masks), scanner=scanner)
    used, layout, warnings = apply_layout(WHOLE, layouts, scanner=scanner, **FRAMES)
    assert (used, layout) == (WHOLE, None)
    assert "confidence of only 0.00" in warnings[0]


def test_unsure_recordings_found_a_layout_to_correct_where_there_is_no_other():
    (layout,) = learned(WHOLE, WHOLE)
    used, same, warnings = apply_layout(WHOLE, [layout], scanner="Maker A1", **FRAMES)
    assert (used, same) == (WHOLE, layout)
    assert layout.name in warnings[0]
    corrected = replace(layout, outline=((50, 20), (50, 199), (249, 199), (249, 20)))
    used, _, warnings = apply_layout(WHOLE, [corrected], scanner="Maker A1", **FRAMES)
    assert used == Region(box=Box(left=50, top=20, right=250, bottom=200), origin="pixels")
    assert warnings == ()


def test_a_sure_recording_does_not_take_an_unsure_layout():
    layouts = learned(region(SECTOR, confidence=0.2))
    again = learn_layouts({"r": found_outline(region(SECTOR), scanner="Maker A1", **FRAMES)}, layouts)
    assert again[:1] == layouts
    _, layout, _ = apply_layout(region(SECTOR), again, scanner="Maker A1", **FRAMES)
    assert layout == again[1]


def test_a_layout_added_by_hand_is_for_what_no_other_fits():
    outline = ((50, 20), (50, 199), (249, 199), (249, 20))
    added = Layout(name="mine", scanner="Maker A1", found=None, outline=outline, **FRAMES)
    layouts = (added, *learned(region(SECTOR)))
    for own, expected in ((region(SECTOR), layouts[1]), (region(LINEAR), added), (WHOLE, added)):
        assert apply_layout(own, layouts, scanner="Maker A1", **FRAMES)[1:] == (expected, ())
    assert learn_layouts({"r": found_outline(WHOLE, scanner="Maker A1", **FRAMES)}, [added]) == (added,)


def test_a_cards_crop_wins_over_every_layout():
    crop = Region(box=Box(left=1, top=1, right=9, bottom=9), origin="card")
    assert apply_layout(crop, learned(region(SECTOR)), scanner="Maker A1", **FRAMES) == (crop, None, ())


def test_names_are_safe_and_differ():
    found = {
        str(shift): FoundOutline(
            scanner="Mäker / Ü*2 ",
            outline=((shift, 0), (shift, 50), (shift + 40, 50)),
            confidence=1.0,
            **FRAMES,
        )
        for shift in range(0, 200, 50)
    }
    names = [layout.name for layout in learn_layouts(found)]
    assert len(set(names)) == 4
    assert all(name.startswith("maker-u-2-240x320-") for name in names)


def test_the_share_that_must_agree_is_a_setting():
    found = {
        str(i): found_outline(region(shift(SECTOR, 3 * i)), scanner="Maker A1", **FRAMES) for i in range(2)
    }
    assert len(learn_layouts(found, settings=LayoutSettings(least_overlap=0.9))) == 1
    assert len(learn_layouts(found, settings=LayoutSettings(least_overlap=0.99))) == 2
