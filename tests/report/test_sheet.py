"""The contact sheet: every recording once, what needs a look first, nothing that tells who."""

import re
from dataclasses import replace

import pytest

from sonoplane.errors import DamagedRecording, LabelError, NotUltrasound, RecordingError
from sonoplane.report.sheet import SheetFailure, SheetRow, sheet_html
from tests.report.test_html import Page

ROW = SheetRow(
    recording="7c9f2ab4",
    picture="sheet/7c9f2ab4.jpg",
    scanner="Phantom Medical PM-1",
    layout="pm-1-640x480",
    origin="pixels",
    confidence=0.97,
    height=480,
    width=640,
    n_frames=120,
)


def row(name: str, **changed) -> SheetRow:
    return replace(ROW, recording=name, picture=f"sheet/{name}.jpg", **changed)


def order(text: str) -> list[str]:
    return re.findall(r"<h3>(.*?)</h3>", text)


def test_the_page_needs_its_pictures_only_and_no_script():
    text = sheet_html([row("a"), row("b ü#", warnings=("Odd.",))])
    parsed = Page(text)
    pictures = {address for address in parsed.addresses if not address.startswith("#")}
    assert pictures == {"sheet/a.jpg", "sheet/b%20%C3%BC%23.jpg"}
    assert "script" not in parsed.names
    assert not re.search(r"https?://|url\(|@import|@font-face", text)
    assert text.count('loading="lazy"') == 2
    assert text.count("<img") == text.count('alt="')


def test_what_needs_a_look_comes_first():
    rows = [
        row("fine"),
        row("warned", warnings=("The file claims too many frames.",)),
        row("other layout", layout="echo-x"),
        row("unsure", confidence=0.3),
        row("whole", origin="whole", confidence=0.0),
    ]
    assert order(sheet_html(rows)) == ["whole", "unsure", "warned", "fine", "other layout"]
    assert order(sheet_html(rows, unsure_below=0.0)) == ["whole", "warned", "unsure", "fine", "other layout"]


def test_the_summary_counts():
    rows = [row("a"), row("b", warnings=("One.", "Two.")), row("c", confidence=0.1, layout="echo-x")]
    words = " ".join(Page(sheet_html(rows)).words.split())
    assert "Recordings3 Region unsure1 With warnings1 Failed0 Layouts2" in words
    assert "Show only what needs a look (2 recordings)" in words


def test_a_layout_says_where_to_correct_it():
    text = sheet_html([row("a")], layouts_file="archive-private/layouts.toml")
    assert "<code>pm-1-640x480</code> in <code>archive-private/layouts.toml</code>" in text


def test_a_recording_without_a_picture_or_a_layout_is_listed():
    text = sheet_html([row("a", layout=None), replace(row("b"), picture=None)])
    assert "Without a layout" in text
    assert text.count("<img") == text.count("No picture was made.") == 1


def test_everything_is_escaped():
    bad = "<b>&\"'"
    text = sheet_html(
        [row("a", scanner=bad, layout=bad, warnings=(bad,)), row(bad)],
        [SheetFailure(number=1, reason=bad, what_to_do=bad)],
    )
    assert "<b>" not in text
    assert Page(text).words.count(bad) >= 6


@pytest.mark.parametrize("kind", [DamagedRecording, NotUltrasound, RecordingError, LabelError, ValueError])
def test_failures_say_what_to_do_and_nothing_of_the_file(kind):
    error = kind("DOE_JOHN_19700101.dcm is empty.")
    failures = [SheetFailure.of(2, error), SheetFailure.of(1, error)]
    text = sheet_html([], failures)
    assert not re.search("DOE|1970", text)
    assert re.findall(r'<td class="number">(\d)</td><td>(.+?)</td><td>(.+?)</td>', text) == [
        (str(n), failures[0].reason, failures[0].what_to_do) for n in (1, 2)
    ]


def test_ten_thousand_rows_are_a_page():
    text = sheet_html([row(f"{n:05d}", layout=f"layout-{n % 40:02d}") for n in range(10_000)])
    assert len(text) < 12_000_000
    assert "What was blanked in 10,000 recordings" in text
