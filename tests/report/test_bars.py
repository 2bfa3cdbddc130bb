"""The drawing of class counts: well-formed, small, and no class lost in it."""

import re
from xml.etree import ElementTree

import pytest

from sonoplane.report.bars import bars_svg

FORTY = [
    f"apical view number {place} with color Doppler over the valve <{place}> & more" for place in range(40)
]


@pytest.mark.parametrize("width", [350, 800])
@pytest.mark.parametrize("n_parts", [0, 1, 4, 11])
def test_any_number_of_parts_draws(width: int, n_parts: int) -> None:
    parts = {f"fold {place}": [place * n for n in range(40)] for place in range(n_parts)}
    svg = bars_svg(FORTY, parts, width=width)
    root = ElementTree.fromstring(svg)
    right = float(root.attrib["viewBox"].split()[2])
    assert all(float(x) < right for x in re.findall(r' x="([\d.]+)"', svg))
    assert len(svg) < 200_000


def bars(svg: str) -> list[float]:
    return [float(length) for length in re.findall(r"h([\d.]+)v", svg)]


def test_a_bar_is_the_share_of_its_part() -> None:
    large, small, half = bars(bars_svg(["liver", "kidney"], {"train": [3000, 0], "test": [3, 3]}))
    assert small == half == pytest.approx(large / 2, rel=0.01)


def test_a_single_frame_is_still_seen() -> None:
    assert min(bars(bars_svg(["liver", "kidney"], {"train": [1, 10_000_000]}))) >= 1


def test_every_bar_is_told_in_words_too() -> None:
    root = ElementTree.fromstring(bars_svg(["liver"], {"train": [1], "test": [0]}))
    told = [element.text for element in root.iter() if element.tag == "title"]
    assert told == ["liver", "train: liver, 1 frame (100\xa0%)", "test: liver, 0 frames (0\xa0%)"]
    assert root.attrib["role"] == "img"
    assert "train, test" in root.attrib["aria-label"]


def test_no_classes_draw() -> None:
    ElementTree.fromstring(bars_svg([], {"train": []}))
