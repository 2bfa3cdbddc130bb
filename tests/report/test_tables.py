"""timeline.csv, logits.csv, failures.csv: they read back as they were written."""

import csv

import numpy as np
import polars as pl

from sonoplane.report.index import Failure
from sonoplane.report.tables import write_failures, write_logits, write_timeline
from tests.report.sweeps import LIVER, timeline


def test_a_timeline_reads_back(tmp_path):
    seen = timeline(90)
    write_timeline(tmp_path / "timeline.csv", seen)
    table = pl.read_csv(tmp_path / "timeline.csv")
    assert table.columns == ["frame", "time_s", "label", "probability", *LIVER]
    assert table["frame"].to_list() == list(range(90))
    assert tuple(table["label"]) == seen.labels
    np.testing.assert_allclose(table["time_s"], seen.times_s, atol=5e-7)
    np.testing.assert_allclose(table.select(LIVER).to_numpy(), seen.probabilities, atol=5.1e-7)
    np.testing.assert_allclose(table["probability"], seen.probabilities.max(axis=1), atol=5.1e-7)


def test_logits_read_back_in_plain_decimal(tmp_path):
    seen = timeline(30)
    seen.logits[0, 0] = 1e-7
    seen.logits[1, 0] = -1.2e9
    write_logits(tmp_path / "logits.csv", seen)
    assert "e" not in (tmp_path / "logits.csv").read_text().partition("\n")[2]
    table = pl.read_csv(tmp_path / "logits.csv")
    assert table.columns == ["frame", "time_s", *LIVER]
    np.testing.assert_allclose(table.select(LIVER).to_numpy(), seen.logits, atol=5.1e-7)


def test_time_is_empty_where_it_is_not_known(tmp_path):
    write_timeline(tmp_path / "timeline.csv", timeline(3, fps=None))
    rows = (tmp_path / "timeline.csv").read_text().splitlines()[1:]
    assert [row.split(",")[1] for row in rows] == ["", "", ""]


def test_class_names_may_hold_commas_quotes_letters_of_any_script_and_the_word_label(tmp_path):
    classes = ("label", "Brain (Cb.), axial", 'the "heart"', "肝臓")
    write_timeline(tmp_path / "timeline.csv", timeline(40, classes))
    with (tmp_path / "timeline.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header[4:] == list(classes)
    assert {row[2] for row in rows} <= set(classes)
    assert {len(row) for row in rows} == {8}


def test_failures_have_their_header_even_when_there_are_none(tmp_path):
    write_failures(tmp_path / "failures.csv", [])
    assert (tmp_path / "failures.csv").read_text() == "recording,reason,what_to_do\n"


def test_failures_read_back(tmp_path):
    failure = Failure(recording="a,b.dcm", reason='It says "no".', what_to_do="Copy it\nagain.")
    write_failures(tmp_path / "failures.csv", [failure])
    with (tmp_path / "failures.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file))[1] == ["a,b.dcm", 'It says "no".', "Copy it\nagain."]
