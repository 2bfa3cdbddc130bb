import json
import tomllib
from dataclasses import replace

import pytest

from sonoplane.errors import UsageError
from sonoplane.frames.layout_toml import layout_from, layout_values, read_layouts, write_layouts
from sonoplane.frames.layouts import Layout

OUTLINE = (*((x, 10) for x in range(10, 110, 5)), (105, 80), (10, 80))
FOUND = Layout(
    name="ge-logiq-e9-90x120-3f2a",
    scanner='GE "LOGIQ" E9',
    height=90,
    width=120,
    found=OUTLINE,
    outline=OUTLINE,
    confidence=0.983,
    recordings=12,
)
BY_HAND = Layout(name="mine", scanner=None, height=90, width=120, found=None, outline=OUTLINE[-4:])


def text(**values: object) -> str:
    """A file with one layout; a value of None leaves its key out."""
    given = {"name": "a", "height": 90, "width": 120, "outline": [[10, 5], [100, 5], [100, 80]]} | values
    return "[[layout]]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in given.items() if v is not None)


def test_written_layouts_are_read_back():
    corrected = replace(FOUND, name="b", outline=OUTLINE[5:])
    layouts = (FOUND, corrected, BY_HAND)
    assert read_layouts(write_layouts(layouts)) == layouts
    assert [layout_from(json.loads(json.dumps(layout_values(each)))) for each in layouts] == list(layouts)


def test_no_layouts_are_a_file_that_tells_how_to_add_one():
    assert read_layouts(write_layouts(())) == ()
    assert "To add a layout" in write_layouts(())


def test_polygons_are_written_in_few_lines():
    lines = [line for line in write_layouts([FOUND]).splitlines() if not line.startswith("#")]
    assert len(lines) < 20


def test_adding_layouts_keeps_what_a_person_has_written():
    mine = "# my notes\n" + text(name=FOUND.name, scanner="B2") + "\n"
    both = write_layouts([FOUND, BY_HAND], after=mine)
    assert both.startswith(mine)
    assert [layout.name for layout in read_layouts(both)] == [FOUND.name, "mine"]
    assert read_layouts(both)[0].outline == ((10, 5), (100, 5), (100, 80))
    assert write_layouts([FOUND, BY_HAND], after=both) == both


def test_layouts_written_on_one_line_can_be_added_to():
    values = tomllib.loads(text())["layout"][0]
    inline = f'layout = [{{ name = "a", height = 90, width = 200, outline = {values["outline"]} }}]'
    layouts = read_layouts(inline)
    assert read_layouts(write_layouts([*layouts, BY_HAND], after=inline)) == (*layouts, BY_HAND)


def test_a_box_is_a_rectangle_of_pixels():
    (layout,) = read_layouts(text(outline=None, box=[10, 5, 100, 80]))
    assert layout.outline == ((10, 5), (10, 79), (99, 79), (99, 5))
    box = layout.box
    assert (box.left, box.top, box.right, box.bottom) == (10, 5, 100, 80)
    assert layout.is_corrected


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"outlin": 1}, "Did you mean `outline`"),
        ({"zoom": 1}, "Known are name, scanner"),
        ({"height": None}, "lacks height"),
        ({"name": None}, "without a name"),
        ({"name": 3}, "no name that could name a file"),
        ({"name": "../a"}, "no name that could name a file"),
        ({"name": "a@b"}, "no name that could name a file"),
        ({"scanner": 7}, "`scanner` must be a text"),
        ({"height": 90.0}, "`height` must be a whole number"),
        ({"width": True}, "`width` must be a whole number"),
        ({"width": 0}, "`width` must be a whole number from 1"),
        ({"recordings": -1}, "`recordings` must be a whole number"),
        ({"confidence": 2}, "`confidence` must be from 0 to 1"),
        ({"confidence": "high"}, "`confidence` must be from 0 to 1"),
        ({"outline": None}, "needs `outline` or `box`"),
        ({"box": [1, 2, 30, 40]}, "needs `outline` or `box`"),
        ({"outline": None, "box": [1, 2, 30]}, "four whole numbers"),
        ({"outline": None, "box": [30, 2, 3, 40]}, "does not lie inside"),
        ({"outline": None, "box": [0, 0, 121, 90]}, "within [0, 0, 120, 90]"),
        ({"outline": "round"}, "a list of points"),
        ({"outline": [[1, 2], [3, 4, 5], [6, 7]]}, "a list of points"),
        ({"outline": [[1, 2.5], [3, 4], [6, 7]]}, "a list of points"),
        ({"outline": [[1, 2], [30, 40]]}, "has 2 points"),
        (
            {"outline": [[1, 2], [120, 40], [3, 80]]},
            "[120, 40] of `outline` is outside its frame of 120 x 90",
        ),
        ({"outline": [[1, -2], [12, 40], [3, 80]]}, "y from 0 to 89"),
        ({"outline": [[1, 1], [2, 2], [9, 9]]}, "encloses nothing"),
        ({"outline": [[0, 0], [50, 50], [50, 0], [0, 60]]}, "crosses itself"),
        ({"found": [[0, 0], [50, 50], [50, 0], [0, 60]]}, "`found` crosses itself"),
    ],
    ids=str,
)
def test_mistakes_are_told_with_the_layouts_name(values: dict[str, object], told: str):
    with pytest.raises(UsageError) as error:
        read_layouts(text(**values), name="ours.toml")
    assert told in str(error.value)
    assert "'ours.toml'" in str(error.value)
    assert "name" in values or "The layout 'a'" in str(error.value)
    assert error.value.advice


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("outline = [", "is not TOML"),
        ("a = 1", "something other than layouts"),
        ("layout = 1", "something other than layouts"),
        ("layout = [1]", "something other than layouts"),
        (text() + "\n" + text(), "2 layouts named 'a'"),
        (text() + "\n" + text(name="b"), "'a' and 'b' are for the same scanner and frame size"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(written: str, told: str):
    with pytest.raises(UsageError, match=told):
        read_layouts(written)
