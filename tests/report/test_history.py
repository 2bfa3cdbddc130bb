"""The plot of a training: for any length and any gap, and the same bytes each time."""

import math
import re
from xml.etree import ElementTree

import matplotlib
import pytest
from PIL import Image

from sonoplane.report import figures, history
from sonoplane.report.history import write_history


def rows(n_epochs, **more):
    return [
        {"epoch": float(e), "train_loss": 2 / (e + 1), "val_loss": 2.1 / (e + 1), "val_accuracy": 1 - 1 / (e + 2),
         "val_macro_f1": 1 - 1.2 / (e + 2), "learning_rate": 5e-3 * 0.97**e, **more}
        for e in range(n_epochs)
    ]  # fmt: skip


@pytest.mark.parametrize("n_epochs", [0, 1, 300])
def test_any_length_draws_in_print_quality(tmp_path, n_epochs):
    png, svg = write_history(tmp_path, rows(n_epochs), best_epoch=n_epochs or None)
    with Image.open(png) as image:
        assert image.width > 1200
        assert round(image.info["dpi"][0]) == 300
    ElementTree.parse(svg)


def test_gaps_and_missing_figures_draw(tmp_path):
    gappy = rows(6)
    gappy[1]["val_loss"], gappy[3]["val_loss"], gappy[4]["val_macro_f1"] = math.nan, None, math.inf
    for row in gappy:
        row.pop("learning_rate")
    gappy[2].pop("train_loss")
    write_history(tmp_path, gappy, best_epoch=3)
    with figures.print_style():
        panels = history._figure(gappy, 3).axes
        assert [axes.get_ylabel() for axes in panels] == ["loss", "score"]


def test_the_best_epoch_is_marked_with_its_values():
    with figures.print_style():
        loss = history._figure(rows(10), 4).axes[0]
        assert [text.get_text() for text in loss.texts] == ["best: epoch 4"]
        said = [text.get_text() for text in loss.get_legend().get_texts()]
        assert said == ["training  0.500", "validation  0.525"]


def test_the_same_history_gives_the_same_bytes_without_date_or_program(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_history(tmp_path / folder, rows(5), best_epoch=2)
    for name in ("history.png", "history.svg"):
        first = (tmp_path / "a" / name).read_bytes()
        assert first == (tmp_path / "b" / name).read_bytes()
        assert not re.search(rb"matplotlib \d|Software|dc:date|font-family|<image|url\(http", first)


def test_a_style_of_the_user_changes_nothing_and_stays(tmp_path):
    (svg,) = (path for path in write_history(tmp_path, rows(3)) if path.suffix == ".svg")
    plain = svg.read_bytes()
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30}):
        write_history(tmp_path, rows(3))
        assert matplotlib.rcParams["font.size"] == 30
    assert svg.read_bytes() == plain
