"""Timelines of several networks: of any length, at print width, honest about what is wrong."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from sonoplane.errors import UsageError
from sonoplane.report import figures, timelines
from sonoplane.report.timelines import NetworkTimeline, RecordingTimelines, timelines_png, write_timelines


def network(name, answers, n_classes, *, sureness=0.8):
    probabilities = np.full(
        (len(answers), n_classes), (1 - sureness) / max(n_classes - 1, 1), dtype=np.float32
    )
    probabilities[np.arange(len(answers)), answers] = sureness
    return NetworkTimeline(
        name=name, probabilities=probabilities, answers=np.asarray(answers, dtype=np.int64)
    )


def seen(n_frames, n_classes=4, *, n_networks=2, fps=20.0, seed=0):
    rng = np.random.default_rng(seed)
    targets = np.sort(rng.integers(0, n_classes, n_frames))
    answers = np.where(rng.random(n_frames) < 0.8, targets, rng.integers(0, n_classes, n_frames))
    return RecordingTimelines(
        recording="exam $1",
        classes=("background", "liver & <b>", *(f"plane {n}" for n in range(2, n_classes))),
        background="background",
        targets=targets.astype(np.int64),
        times_s=np.arange(n_frames) / fps if fps else None,
        networks=tuple(network(f"net {n}", answers, n_classes) for n in range(n_networks)),
    )


def figure(recording):
    with figures.print_style():
        return timelines._figure(recording)


def said(recording):
    drawn = figure(recording)
    return [text.get_text() for axes in drawn.axes for text in axes.texts] + [
        t.get_text() for t in drawn.texts
    ]


@pytest.mark.parametrize("n_frames", [1, 100, 5000])
def test_any_length_is_drawn_180_mm_wide(tmp_path, n_frames):
    png, svg = write_timelines(tmp_path, seen(n_frames))
    ElementTree.parse(svg)
    with Image.open(png) as image:
        assert 170 < image.width / 300 * 25.4 < 186
    assert svg.stat().st_size < 2_000_000


def test_each_networks_accuracy_is_told_of_labelled_frames_alone():
    targets = np.array([0, 1, 1, -1])
    recording = replace(
        seen(4, 2), targets=targets, networks=(network("a", [0, 1, 0, 1], 2), network("b", [1, 0, 0, 0], 2))
    )
    words = said(recording)
    assert "accuracy 0.67" in words
    assert "accuracy 0.00" in words
    assert "hatched: without a label" in words


def test_without_a_label_there_is_no_accuracy():
    recording = replace(seen(4, 2), targets=np.full(4, -1))
    assert said(recording).count("no labelled frame") == 2


def test_the_axis_is_in_frames_without_times():
    assert figure(seen(30, fps=None)).axes[-1].get_xlabel() == "frame"
    assert figure(seen(30)).axes[-1].get_xlabel() == "seconds"


def test_uneven_times_stretch_their_frames():
    recording = replace(seen(3), times_s=np.array([0.0, 0.1, 5.0]))
    assert timelines._edges(recording).tolist() == pytest.approx([0.0, 0.1, 5.0, 7.5])


def test_a_plane_of_a_single_frame_does_not_vanish():
    recording = seen(5000, 2, n_networks=1)
    answers = np.zeros(5000, dtype=np.int64)
    answers[2500] = 1
    strip = figure(replace(recording, networks=(network("a", answers, 2, sureness=1.0),))).axes[-1]
    shown = np.asarray(strip.collections[0].get_array()).reshape(2, -1)
    assert shown[1].max() == 1.0


def test_many_classes_leave_lanes_to_those_that_occur():
    recording = seen(200, 40)
    lanes = timelines._lanes(recording)
    assert len(lanes) == 14
    assert set(lanes) <= set(recording.targets.tolist()) | set(recording.networks[0].answers.tolist())
    timelines_png(recording, dpi=60)


def test_unknown_is_drawn_as_no_answer():
    recording = seen(10, 2, n_networks=1)
    unknown = replace(recording.networks[0], answers=np.full(10, -1))
    assert "accuracy 0.00" in said(replace(recording, networks=(unknown,)))


def test_the_same_timelines_give_the_same_bytes(tmp_path):
    first = [path.read_bytes() for path in write_timelines(tmp_path, seen(40))]
    assert first == [path.read_bytes() for path in write_timelines(tmp_path, seen(40))]


def test_other_frames_or_classes_are_refused():
    recording = seen(10, 3)
    with pytest.raises(UsageError, match="9 frames and 3 classes, the labels of 10 and 3"):
        replace(recording, networks=(network("a", [0] * 9, 3),))
    with pytest.raises(UsageError, match="has no frame"):
        replace(recording, targets=np.zeros(0, int), times_s=None, networks=())
