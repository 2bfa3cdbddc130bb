"""Mistakes: all in the table, the surest on the sheet, none made up."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sonoplane.errors import UsageError
from sonoplane.report.mistakes import Mistake, mistake_figures, mistakes_of, worst, write_mistakes
from tests.report.measured import MISTAKES

CLASSES = ("background", "liver", "kidney")


def test_a_run_of_one_wrong_answer_is_one_mistake():
    targets = np.array([1, 1, 1, 1, 2, 2, -1, 0])
    answers = np.array([1, 2, 2, 0, 0, -1, 1, 0])
    chances = np.full((8, 3), 0.25, dtype=np.float32)
    chances[np.arange(8), answers] = 0.5
    found = mistakes_of("a", targets, answers, chances, CLASSES, times_s=np.arange(8) / 4)
    assert [(m.start, m.stop, m.target, m.answer) for m in found] == [
        (1, 3, "liver", "kidney"), (3, 4, "liver", "background"), (4, 5, "kidney", "background"),
    ]  # fmt: skip
    assert (found[0].start_s, found[0].probability, found[0].frame) == (0.25, 0.5, 1)
    assert found[0].place == "frames 1–2 at 0.2 s"


def test_what_is_right_is_no_mistake():
    with pytest.raises(UsageError, match="is right"):
        replace(MISTAKES[0], answer="liver <b>")
    assert not mistakes_of("a", np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3), np.float32), CLASSES)


def test_the_surest_come_first_and_no_recording_fills_the_sheet():
    one = Mistake(recording="a", target="liver", answer="kidney", probability=0.5)
    many = [replace(one, probability=0.6 + n / 100) for n in range(9)] + [replace(one, recording="b")]
    shown = worst(many, 24)
    assert [m.recording for m in shown] == ["a", "a", "a", "b"]
    assert shown[0].probability == pytest.approx(0.68)
    assert len(worst(many, 2)) == 2


def test_the_table_holds_all_and_the_sheet_counts_the_rest(tmp_path):
    table, sheet = write_mistakes(tmp_path, MISTAKES, MISTAKES[:4])
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 5
    assert rows[1]["recording"] == "exam <1>"
    assert (rows[1]["start"], rows[1]["start_s"], rows[1]["target_probability"]) == ("1", "0.05", "")
    with Image.open(sheet) as image:
        assert 1300 < image.width < 1500


def test_without_pictures_there_is_a_table_alone(tmp_path):
    assert [path.name for path in write_mistakes(tmp_path, [])] == ["mistakes.csv"]


def test_a_mistake_without_a_frame_has_no_picture():
    assert [figure.picture is None for figure in mistake_figures(MISTAKES[:2])] == [True, False]
