"""Learning layouts again from the same recordings, in any order, adds none; and a layout shows nothing new."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sonoplane.frames.layout_learning import learn_layouts
from sonoplane.frames.layout_outline import encloses, filled, outline_of
from sonoplane.frames.layout_toml import layout_from, layout_values, read_layouts, write_layouts
from sonoplane.frames.layouts import FoundOutline, apply_layout, found_outline
from sonoplane.records import Box, Region

HEIGHT, WIDTH = 60, 80
FRAMES = {"height": HEIGHT, "width": WIDTH}
WRITING = Box(left=30, top=20, right=50, bottom=24)


@dataclass(frozen=True)
class Drawn:
    """A recording's finding: a polygon, a rectangle that the scanner declares, or nothing."""

    kind: str
    scanner: str | None
    confidence: float
    corners: list[tuple[int, int]]
    has_hole: bool

    def region(self) -> Region:
        if self.kind == "whole":
            return Region(box=Box(left=0, top=0, right=WIDTH, bottom=HEIGHT), origin="whole", confidence=0.0)
        mask = cv2.fillPoly(np.zeros((HEIGHT, WIDTH), np.uint8), [np.array(self.corners, np.int32)], 1) > 0
        if self.has_hole and mask[:20].any():
            mask[WRITING.slices] = False
        ys, xs = np.nonzero(mask)
        box = Box(left=int(xs.min()), top=int(ys.min()), right=int(xs.max()) + 1, bottom=int(ys.max()) + 1)
        if self.kind == "box":
            return Region(box=box, origin="dicom")
        return Region(box=box, origin="pixels", mask=mask, confidence=self.confidence, writing=(WRITING,))


findings = st.builds(
    Drawn,
    kind=st.sampled_from(["polygon", "polygon", "box", "whole"]),
    scanner=st.sampled_from([None, "Maker A1", "maker a1", "Maker B2"]),
    confidence=st.sampled_from([0.0, 0.3, 0.69, 0.7, 0.9, 1.0]),
    corners=st.lists(
        st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1)), min_size=3, max_size=6
    ),
    has_hole=st.booleans(),
)


@st.composite
def alike(draw: st.DrawFn) -> list[Drawn]:
    """A few recordings whose findings differ little."""
    first = draw(findings)
    more = []
    for _ in range(draw(st.integers(0, 3))):
        dx, dy = draw(st.integers(-3, 3)), draw(st.integers(-3, 3))
        corners = [
            (min(max(x + dx, 0), WIDTH - 1), min(max(y + dy, 0), HEIGHT - 1)) for x, y in first.corners
        ]
        more.append(replace(first, corners=corners, confidence=draw(st.sampled_from([0.69, 0.7, 0.95]))))
    return [first, *more]


recordings = st.lists(alike(), min_size=1, max_size=4).map(
    lambda groups: [one for group in groups for one in group]
)


def shown(region: Region) -> np.ndarray:
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[region.box.slices] = True
    return inside if region.mask is None else inside & region.mask


def outlines(drawn: list[Drawn]) -> dict[str, FoundOutline]:
    return {
        f"r{i}": found_outline(one.region(), scanner=one.scanner, **FRAMES) for i, one in enumerate(drawn)
    }


@given(recordings, st.data())
@settings(max_examples=80, deadline=None)
def test_learning_again_in_any_order_adds_nothing(drawn: list[Drawn], data: st.DataObject):
    found = outlines(drawn)
    layouts = learn_layouts(found)
    order = data.draw(st.permutations(list(found)))
    assert learn_layouts({name: found[name] for name in order}) == layouts
    assert learn_layouts(found, layouts) == layouts
    assert learn_layouts(dict(list(found.items())[::2]), layouts) == layouts
    assert read_layouts(write_layouts(layouts)) == layouts
    assert tuple(layout_from(layout_values(layout)) for layout in layouts) == layouts
    assert len({layout.name for layout in layouts}) == len(layouts)


@given(recordings)
@settings(max_examples=50, deadline=None)
def test_a_sure_recording_shows_what_its_own_search_found_at_most(drawn: list[Drawn]):
    layouts = learn_layouts(outlines(drawn))
    for one in drawn:
        region = one.region()
        used, layout, warnings = apply_layout(region, layouts, scanner=one.scanner, **FRAMES)
        assert used.writing == region.writing
        if region.confidence >= 0.7:
            assert warnings == ()
            assert not (shown(used) & ~shown(region)).any()
            assert layout is not None or not encloses(outline_of(shown(region)))
        else:
            assert warnings


@given(recordings)
@settings(max_examples=50, deadline=None)
def test_a_corrected_outline_is_shown_but_for_writing(drawn: list[Drawn]):
    layouts = learn_layouts(outlines(drawn))
    whole = ((0, 0), (0, HEIGHT - 1), (WIDTH - 1, HEIGHT - 1), (WIDTH - 1, 0))
    corner = ((0, 0), (0, HEIGHT - 1), (WIDTH - 1, 0))
    for one in drawn:
        region = one.region()
        _, layout, _ = apply_layout(region, layouts, scanner=one.scanner, **FRAMES)
        if layout is None:
            continue
        corrected = replace(layout, outline=corner if layout.found == whole else whole)
        others = [corrected if each is layout else each for each in layouts]
        used, same, _ = apply_layout(region, others, scanner=one.scanner, **FRAMES)
        expected = filled(corrected.outline, HEIGHT, WIDTH) > 0
        for writing in region.writing:
            expected[writing.slices] = False
        assert same == corrected
        assert (shown(used) == expected).all()
