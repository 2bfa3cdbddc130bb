"""The risk-coverage plot says what share is wrong, and where the thresholds lie."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from sonoplane.report import figures, risk_coverage
from sonoplane.report.risk_coverage import RiskCurve, RiskMark, write_risk_coverage


def curve(n: int, name: str = "frames") -> RiskCurve:
    coverage = np.arange(1, n + 1) / n
    return RiskCurve(name=name, coverage=coverage, risk=0.2 * coverage**2, aurc=0.067)


@pytest.mark.parametrize("n", [1, 50_000])
def test_any_length_draws_and_stays_small(tmp_path: Path, n: int) -> None:
    png, svg = write_risk_coverage(tmp_path, [curve(n)], [RiskMark(text="90 %", coverage=0.5, risk=0.1)])
    with Image.open(png) as image:
        assert image.width > 1200
    ElementTree.parse(svg)
    assert svg.stat().st_size < 200_000


def test_the_legend_tells_what_is_wrong_in_all_and_the_area() -> None:
    with figures.print_style():
        axes = risk_coverage._figure([curve(9), curve(4, "recordings")], []).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "frames: 20\xa0% wrong in all, area 0.067",
        "recordings: 20\xa0% wrong in all, area 0.067",
    ]
    assert axes.get_ylim()[0] == 0


def test_no_answer_wrong_still_has_an_axis() -> None:
    never = RiskCurve(name="frames", coverage=np.array([0.5, 1.0]), risk=np.zeros(2), aurc=0.0)
    with figures.print_style():
        assert risk_coverage._figure([never], []).axes[0].get_ylim() == (0, 0.05)


def test_curves_differ_without_color() -> None:
    with figures.print_style():
        lines = risk_coverage._figure([curve(9), curve(9, "b"), curve(9, "c")], []).axes[0].lines
    assert len({line.get_linestyle() for line in lines}) == 3
