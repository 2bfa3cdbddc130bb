"""The plot of a confusion matrix: readable for few and many classes, honest about shares."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from sonoplane.errors import UsageError
from sonoplane.report import confusion, figures
from sonoplane.report.confusion import confusion_png, write_confusion

LONG = "parasternal long axis, zoomed on the mitral valve"


def names(n_classes):
    return [LONG, "A4C", "$x_1$ & <b>", *(f"view {place}" for place in range(3, n_classes))][:n_classes]


def counts(n_classes, seed=0):
    return np.random.default_rng(seed).integers(0, 50, (n_classes, n_classes))


def drawn(matrix, classes):
    with figures.print_style(classes):
        return confusion._one(matrix, classes).axes[0]


@pytest.mark.parametrize("n_classes", [2, 12])
def test_few_classes_draw_for_print(tmp_path, n_classes):
    png, svg = write_confusion(tmp_path, counts(n_classes), names(n_classes))
    ElementTree.parse(svg)
    with Image.open(png) as image:
        assert round(image.info["dpi"][0]) == 300


def test_many_classes_draw():
    mistakes = np.random.default_rng(0).integers(0, 40, (2, 100))
    matrix = np.diag(np.arange(40))
    np.add.at(matrix, tuple(mistakes), 5)
    with Image.open(io.BytesIO(confusion_png(matrix, names(40)))) as image:
        assert 1300 < image.width < 3000


def test_folds_are_drawn_beside_each_other_and_their_sum_last(tmp_path):
    folds = [counts(3, seed) for seed in range(4)]
    paths = write_confusion(tmp_path, sum(folds), names(3), folds=folds)
    assert [path.name for path in paths] == [
        "confusion.png", "confusion.svg", "confusion-folds.png", "confusion-folds.svg",
    ]  # fmt: skip
    with figures.print_style():
        titles = [axes.get_title(loc="left") for axes in confusion._many(folds, sum(folds), names(3)).axes]
    assert [title.split(":")[0] for title in titles] == ["fold 1", "fold 2", "fold 3", "fold 4", "all folds"]


def test_cells_tell_the_share_of_their_row_and_the_count():
    axes = drawn(np.array([[3, 1], [0, 0]]), ["a", "b"])
    said = [text.get_text() for text in axes.texts]
    assert said == ["75", "3", "25", "1", "4", "0", "n"]


def test_a_class_without_labels_stays_empty():
    shares = confusion._shares(np.array([[3, 1], [0, 0]]))
    assert np.isnan(shares[1]).all()


def test_names_that_differ_in_their_ends_still_differ():
    classes = [f"{LONG}, second harmonic, {place}" for place in range(40)]
    shown = [label.get_text() for label in drawn(counts(40), classes).get_yticklabels()]
    assert len(set(shown)) == 40
    assert max(map(len, shown)) <= 36


def test_the_same_matrix_gives_the_same_bytes(tmp_path):
    first = [path.read_bytes() for path in write_confusion(tmp_path, counts(2), names(2))]
    again = [path.read_bytes() for path in write_confusion(tmp_path, counts(2), names(2))]
    assert first == again


def test_letters_that_no_font_has_do_not_stop_it():
    assert confusion_png(counts(2), ["肝", "\N{MUSICAL SYMBOL G CLEF}"], title="肾").startswith(b"\x89PNG")


def test_a_matrix_of_other_classes_is_refused():
    with pytest.raises(UsageError, match="2 x 2 does not fit 3 classes"):
        confusion_png(counts(2), ["a", "b", "c"])
