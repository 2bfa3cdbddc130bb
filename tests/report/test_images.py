"""Key frames as files and as pictures inside a page."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from sonoplane.records import Box
from sonoplane.report.images import best_key_frame, image_names, inline_jpeg, write_png
from tests.report.sweeps import findings, sector, timeline


@pytest.mark.parametrize("color", [False, True])
def test_a_png_holds_the_very_pixels_and_nothing_else(tmp_path, color):
    image = sector(1, color=color)
    write_png(tmp_path / "a.png", image)
    with Image.open(tmp_path / "a.png") as saved:
        np.testing.assert_array_equal(np.asarray(saved), image)
        assert not saved.info


def test_names_are_unique_short_and_plain():
    classes = ("bg", "Ä" * 300, "../../etc", "CON", "a" * 300, "a" * 299 + "b")
    found = findings(timeline(100, classes, shown=(1, 2, 3, 4, 5)))
    names = image_names(found.keyframes)
    assert len(set(names)) == len(names) > 5
    assert all(
        len(name) < 90 and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") for name in names
    )
    assert not any(".." in name for name in names)


def opened(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


def test_a_picture_in_a_page_shows_the_region_only():
    box = Box(left=40, top=12, right=600, bottom=462)
    assert opened(inline_jpeg(sector(1), box=box)).size == (560, 450)
    assert opened(inline_jpeg(sector(1), box=box, longest=280)).size == (280, 225)


def test_a_region_larger_than_the_picture_is_left_out_of_account():
    box = Box(left=0, top=0, right=2000, bottom=10)
    assert opened(inline_jpeg(sector(1), box=box)).size == (640, 480)


def test_the_best_key_frame_has_the_largest_probability():
    keyframes = findings(timeline(60)).keyframes
    assert best_key_frame(keyframes).probability == max(k.probability for k in keyframes)
    assert best_key_frame(()) is None
