"""The reliability diagram shows each bin as it is, and is the same bytes each time."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from sonoplane.report import figures, reliability
from sonoplane.report.reliability import ReliabilityPanel, write_reliability


def panel(title: str = "before", *, bins: int = 10, filled: int = 7) -> ReliabilityPanel:
    edges = np.linspace(0, 1, bins + 1)
    count = np.where(np.arange(bins) >= bins - filled, np.arange(bins) ** 3 + 1, 0)
    confidence = np.where(count > 0, (edges[:-1] + edges[1:]) / 2, np.nan)
    accuracy = np.clip(confidence + np.where(np.arange(bins) % 2, 0.1, -0.1), 0, 1)
    return ReliabilityPanel(
        title=title, edges=edges, count=count, confidence=confidence, accuracy=accuracy, ece=0.1
    )


@pytest.mark.parametrize("panels", [[panel(), panel("after")], [panel(filled=1, bins=1)]])
def test_diagrams_draw_in_print_quality(tmp_path: Path, panels: list[ReliabilityPanel]) -> None:
    png, svg = write_reliability(tmp_path, panels)
    with Image.open(png) as image:
        assert image.width > 900
        assert round(image.info["dpi"][0]) == 300
    ElementTree.parse(svg)


def test_each_title_has_the_error() -> None:
    with figures.print_style():
        axes = reliability._figure([panel("before"), panel("after")], "clips").axes
    assert [each.get_title(loc="left") for each in axes[::2]] == ["before\nECE 0.100", "after\nECE 0.100"]
    assert axes[1].get_ylabel() == "clips"


def test_empty_bins_have_no_bar_and_counts_share_a_scale() -> None:
    small, large = panel(filled=3), panel(filled=10)
    with figures.print_style():
        axes = reliability._figure([small, large], "frames").axes
    assert [len(each.patches) for each in axes] == [6, 3, 20, 10]
    assert axes[1].get_ylim() == axes[3].get_ylim()
    assert axes[0].get_ylim() == axes[2].get_ylim() == (0, 1)


def test_a_line_stands_where_the_right_ones_end() -> None:
    shown = panel()
    with figures.print_style():
        upper = reliability._figure([shown], "frames").axes[0]
    heights = [float(line.get_ydata()[0]) for line in upper.lines[:-1]]
    assert heights == pytest.approx(shown.accuracy[shown.count > 0].tolist())


def test_bins_at_one_value_can_be_seen() -> None:
    one = ReliabilityPanel(
        title="always as sure",
        edges=np.array([0.8, 0.8]),
        count=np.array([30]),
        confidence=np.array([0.8]),
        accuracy=np.array([0.7]),
        ece=0.1,
    )
    with figures.print_style():
        assert reliability._figure([one], "frames").axes[0].patches[0].get_width() > 0


def test_the_same_diagram_gives_the_same_bytes_without_date_or_program(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_reliability(tmp_path / folder, [panel()])
    for name in ("reliability.png", "reliability.svg"):
        first = (tmp_path / "a" / name).read_bytes()
        assert first == (tmp_path / "b" / name).read_bytes()
        assert not re.search(rb"matplotlib \d|Software|dc:date|font-family|<image|url\(http", first)
