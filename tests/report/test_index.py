"""The index of a run: every recording once, and what failed."""

from dataclasses import replace

from sonoplane.report.folder import write_report
from sonoplane.report.index import Failure, IndexEntry, index_html
from tests.report.sweeps import findings, timeline
from tests.report.test_html import Page


def test_an_entry_read_from_its_folder_is_the_one_made_from_findings(tmp_path):
    seen = timeline(80)
    found = findings(seen, per_plane=1)
    made = IndexEntry.of(found)
    read = IndexEntry.read(write_report(found, seen, tmp_path))
    assert read.thumbnail == made.thumbnail
    assert replace(read, probability=made.probability) == made


def test_the_index_links_every_report_and_lists_failures():
    entries = [
        IndexEntry.of(findings(timeline(60, recording="sweep ü #1"), per_plane=1)),
        IndexEntry.of(findings(timeline(60, recording="plain"), keyframes=())),
    ]
    failure = Failure(recording="<b>.dcm", reason="The file is empty.", what_to_do="Copy it again.")
    parsed = Page(index_html(entries, [failure]))
    links = [address for address in parsed.addresses if not address.startswith("data:")]
    assert links == ["sweep%20%C3%BC%20%231/report.html"] * 2 + ["plain/report.html"] * 2
    assert "5 found, 1 missing" in parsed.words
    assert "<b>.dcm" in parsed.words
    assert "2 recordings, 1 failed" in parsed.words


def test_an_empty_run_has_an_index():
    assert "0 recordings" in Page(index_html([], [])).words
