"""explanation.html: what counted, on a page that needs nothing else."""

import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from PIL import Image

from sonoplane.inference.explaining import METHODS
from sonoplane.records import Box
from sonoplane.report import explanation as room
from sonoplane.report.explanation import (
    ClipFrame,
    Explained,
    Explanation,
    Glimpse,
    Shown,
    explanation_html,
    show,
)
from sonoplane.report.images import image_names, inline_jpeg
from tests.report.sweeps import findings, timeline
from tests.report.test_html import Page

FOUND = findings(timeline(120), per_plane=1)
SMALL = np.zeros((30, 40), np.uint8)


def explained(target: str | None = None, mattered: float | None = None) -> tuple[Explained, ...]:
    region = FOUND.region.box
    relevance = np.zeros((region.height, region.width), np.float32)
    relevance[100:200, 100:300] = 1
    frame = ClipFrame(frame=7, image=SMALL, relevance=SMALL.astype(np.float32), mattered=mattered)
    return tuple(
        Explained(
            keyframe=keyframe,
            target=target or keyframe.label,
            probability=0.25,
            relevance=relevance,
            box=Box(left=140, top=112, right=340, bottom=212),
            clip=(frame, replace(frame, mattered=None if mattered is None else -0.2)),
        )
        for keyframe in FOUND.keyframes
    )


def shown(target: str | None = None, mattered: float | None = None) -> tuple[Shown, ...]:
    with TemporaryDirectory() as folder:
        return tuple(
            show(one, FOUND.region.box, Path(folder) / name)
            for one, name in zip(explained(target, mattered), image_names(FOUND.keyframes), strict=True)
        )


PLAIN = shown()


def page(**said) -> tuple[str, Page]:
    said = {"method": "guided-backprop", "target": None, "shown": PLAIN, **said}
    text = explanation_html(FOUND, Explanation(**said))
    return text, Page(text)


def test_every_method_is_told_with_its_limits():
    assert set(room.METHODS) == set(METHODS)
    for method in METHODS:
        text, parsed = page(method=method)
        words = " ".join(parsed.words.split())
        assert method in words
        assert "Limits." in words
        assert ('class="key signed"' in text) == room.METHODS[method].signed


def test_the_page_needs_no_other_file():
    glimpse = Glimpse(frame=3, time_s=None, label="dome", probability=0.5, picture=inline_jpeg(SMALL))
    text, parsed = page(glimpses=(glimpse,), video="overlay.mp4")
    own = [address for address in parsed.addresses if not address.startswith("data:image/")]
    assert own == ["report.html", "overlay.mp4"]
    assert "script" not in parsed.names
    assert not re.search(r"https?://|url\(|@import|@font-face", re.sub(r'"data:[^"]*"', "", text))
    assert "Through the recording" in parsed.words


def test_without_a_video_none_is_told_of():
    text, _ = page()
    assert "ideo" not in text


def test_a_class_that_was_asked_for_is_told_beside_the_frames_own():
    words = " ".join(page(target="dome", shown=shown("dome"))[1].words.split())
    assert "What counted for “dome”, whatever class it gave a frame" in words
    assert f"key frame of {FOUND.keyframes[0].label}" in words


def test_frames_that_mattered_have_bars():
    text, parsed = page(shown=shown(mattered=0.4))
    assert "-0.40" in parsed.words
    assert "+0.20" in parsed.words
    assert 'class="down"' in text
    assert "log odds" not in page()[1].words


def test_nothing_that_is_told_becomes_markup():
    evil = '<script>alert("1")</script>'
    text, parsed = page(target=evil, shown=shown(evil))
    assert "<script" not in text
    assert evil in parsed.words


def test_a_recording_without_key_frames_says_so():
    bare = replace(FOUND, keyframes=())
    text = explanation_html(bare, Explanation(method="grad-cam", target=None, shown=()))
    assert "No frame shows a plane clearly enough" in text


@pytest.mark.parametrize("color", [False, True])
def test_maps_are_the_whole_frame_with_its_box(color, tmp_path):
    one = explained()[0]
    if color:
        frame = np.stack([one.keyframe.image] * 3, axis=2)
        one = replace(one, keyframe=replace(one.keyframe, image=frame))
    show(one, FOUND.region.box, tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as saved:
        assert saved.size == (640, 480)
        assert saved.getpixel((140, 112)) == (80, 220, 255)
