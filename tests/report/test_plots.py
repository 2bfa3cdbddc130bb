"""The drawing of a timeline: small, well-formed, and no plane lost in it."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from sonoplane.records import Segment
from sonoplane.report.plots import MOST_LANES, shown_classes, timeline_svg
from tests.report.sweeps import LIVER, findings, timeline


def bands(svg: str, label: str) -> int:
    """How many bands the lane of a class has."""
    lane = re.search(rf"<g><title>{re.escape(label)}</title>.*?</g>", svg).group()
    return re.findall(r'd="([^"]*)"', lane)[2].count("M")


@pytest.fixture(scope="module")
def hour():
    """An hour at 30 frames a second."""
    seen = timeline(108_000)
    return findings(seen, per_plane=1), seen


@pytest.mark.parametrize("width", [350, 800])
def test_an_hour_gives_a_small_drawing(hour, width):
    svg = timeline_svg(*hour, width=width)
    ElementTree.fromstring(svg)
    assert len(svg) < 120_000


def test_the_worst_of_forty_classes_stays_small():
    classes = tuple(f"class {i}" for i in range(40))
    seen = timeline(50_000, classes)
    seen.probabilities[:] = np.random.default_rng(0).dirichlet(np.full(40, 0.05), 50_000)
    found = findings(seen, per_plane=0)
    assert len(shown_classes(found)) == MOST_LANES
    assert len(timeline_svg(found, seen)) < 300_000


def test_a_plane_of_one_frame_does_not_vanish_in_an_hour(hour):
    found, seen = hour
    lone = (Segment(start=54_321, stop=54_322, label="dome", probability=0.9),)
    assert bands(timeline_svg(replace(found, segments=lone), seen), "dome") == 1


@pytest.mark.parametrize("n_frames", [1, 2, 3, 29])
@pytest.mark.parametrize("fps", [None, 30.0])
def test_short_recordings_draw(n_frames, fps):
    seen = timeline(n_frames, fps=fps)
    ElementTree.fromstring(timeline_svg(findings(seen), seen, width=350))


def test_the_axis_counts_frames_where_there_are_no_times():
    seen = timeline(100, fps=None)
    assert ">frame 0<" in timeline_svg(findings(seen), seen)


def test_the_axis_tells_true_times_at_a_variable_rate():
    seen = timeline(100)
    uneven = replace(seen, times_s=np.concatenate([np.arange(90) / 90, 1 + np.arange(10.0)]))
    svg = timeline_svg(findings(uneven), uneven)
    at = {
        said: float(x) for x, said in re.findall(r'<text x="([\d.]+)" y="\d+" text-anchor="\w+">(.*?)<', svg)
    }
    assert at["2 s"] - at["0 s"] > 0.85 * (at["8 s"] - at["0 s"])


def test_all_classes_have_a_lane_where_they_fit_the_background_last():
    assert shown_classes(findings(timeline())) == (*LIVER[1:], "background")


def test_names_are_escaped_and_cut_to_their_room():
    classes = ("background", "<script>&", "W" * 200)
    seen = timeline(40, classes)
    svg = timeline_svg(findings(seen), seen)
    ElementTree.fromstring(svg)
    assert "<script" not in svg
    assert ">" + "W" * 30 not in svg.replace("<title>" + "W" * 200, "")
