"""report.html: one page that needs nothing else, and lets nothing through."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sonoplane.records import Box
from sonoplane.report.html import report_html
from sonoplane.report.images import image_names
from tests.report.sweeps import findings, timeline

VOID = {"meta", "img", "input", "br"}


class Page(HTMLParser):
    """Checks that every element is closed in order; gathers addresses and words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.addresses: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.addresses += [
            value for name, value in attrs if name in {"src", "href", "srcset", "action", "data"}
        ]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def page(seen=None, **changed) -> tuple[str, Page]:
    seen = seen or timeline(120)
    found = findings(seen, per_plane=1, **changed)
    text = report_html(found, seen, image_names(found.keyframes))
    return text, Page(text)


def test_the_page_needs_no_other_file():
    text, parsed = page()
    assert len(parsed.addresses) == 5
    assert all(address.startswith("data:image/") for address in parsed.addresses)
    assert "script" not in parsed.names
    assert not re.search(r"https?://|//\w|url\(|@import|@font-face", re.sub(r'"data:[^"]*"', "", text))


def test_the_answer_comes_first():
    _, parsed = page()
    words = " ".join(parsed.words.split())
    told = [
        "View of the whole recording",
        "5 of 6 found",
        "Missing: dome",
        "Not a medical device.",
        "Key frames",
    ]
    places = [words.index(part) for part in told]
    assert places == sorted(places)


def test_provenance_is_told():
    words = " ".join(page()[1].words.split())
    for part in (
        "liver-sononet2d-16 1.2.0",
        "9f" * 32,
        "openvino, float32",
        "found in the pixels",
        "JPEG Baseline",
    ):
        assert part in words


def test_nothing_that_is_told_becomes_markup():
    evil = '<script>alert("1")</script>'
    seen = timeline(120, ("background", evil, "'\"><img src=x onerror=y>"), recording="a <b> & c")
    text, parsed = page(seen, warnings=(evil,), backend=evil, settings={evil: evil})
    assert "script" not in parsed.names
    assert "b" not in parsed.names
    assert "<script" not in text
    assert evil in parsed.words


def test_no_pseudonym_is_told():
    text, _ = page()
    assert "pseudonym-4711" not in text
    assert "study-0815" not in text


@pytest.mark.parametrize(
    "seen",
    [
        timeline(1),
        timeline(1, fps=None),
        timeline(50, fps=None),
        timeline(50, ("only",), shown=(0,)),
        timeline(200, tuple(f"class {i}" for i in range(40)), shown=(1, 2)),
        timeline(60, ("bg", "W" * 200, "肝臓 längs")),
    ],
    ids=["one frame", "one frame without time", "no times", "one class", "forty classes", "long names"],
)
def test_recordings_of_every_kind_have_a_page(seen):
    page(seen)


def test_a_recording_without_key_frames_says_so():
    seen = timeline(60)
    text = report_html(replace(findings(seen), keyframes=(), found=(), missing=()), seen, ())
    assert "No frame shows a plane clearly enough" in text
    assert "No protocol is set." in text


def test_thousands_of_segments_are_cut_to_the_longest():
    seen = timeline(20_000)
    found = findings(seen, per_plane=0)
    text = report_html(found, seen, ())
    assert len(found.segments) > 1000
    assert text.count("<tr>") == 201
    assert "the 200 longest" in text


def test_color_frames_stay_in_color():
    seen = timeline(60)
    found = findings(seen, color=True, per_plane=1)
    Page(report_html(found, seen, image_names(found.keyframes)))


def test_a_box_stands_over_the_key_frame_at_its_place_in_the_region():
    seen = timeline(60)
    found = findings(seen, per_plane=1)
    box = Box(left=140, top=112, right=340, bottom=262)
    keyframes = tuple(replace(keyframe, box=box) for keyframe in found.keyframes)
    names = image_names(keyframes)
    text = report_html(replace(found, keyframes=keyframes), seen, names)
    Page(text)
    # The region lies at (40, 12) and has 560 x 450 pixels.
    drawn = (
        '<svg viewBox="0 0 560 450" aria-hidden="true"><rect x="100" y="100" width="200" height="150"/></svg>'
    )
    assert text.count(drawn) == len(keyframes)
    assert "It is no outline" in text
    plain = report_html(found, seen, names)
    assert "<rect" not in plain
    assert "It is no outline" not in plain


def test_pages_and_videos_beside_the_page_are_linked():
    seen = timeline(60)
    found = findings(seen, per_plane=1)
    names = image_names(found.keyframes)
    beside = {"explanation.html", "overlay.mp4", "findings.json"}
    links = [a for a in Page(report_html(found, seen, names, beside)).addresses if not a.startswith("data:")]
    assert links == ["explanation.html", "overlay.mp4"]
