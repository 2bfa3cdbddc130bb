import math

import numpy as np
import pytest
import torch

from sonoplane.metrics.scores import confusion, scores_of
from sonoplane.training.course import Best, Course, Monitor, figures_of, history_csv


def course(monitor: Monitor, values: list[float], *, patience: int = 2, epochs: int = 9) -> Course:
    made = Course(monitor=monitor, patience=patience, epochs=epochs)
    for epoch, value in enumerate(values):
        row = {"epoch": float(epoch), "val_loss": 1.0, f"val_{monitor}": value}
        better = made.is_best(row)
        made.history.append(row)
        if better:
            made.best = Best(
                epoch=epoch + 1, weights={}, logits=torch.zeros(1), confusion=torch.zeros(1, 1).long()
            )
    return made


@pytest.mark.parametrize(
    ("monitor", "values", "best"),
    [("loss", [3, 2, 2.5], 2), ("accuracy", [0.5, 0.9, 0.9], 2), ("macro_f1", [0.5, 0.1, 0.7], 3)],
)
def test_the_best_epoch_is_the_first_of_the_best_figure(
    monitor: Monitor, values: list[float], best: int
) -> None:
    found = course(monitor, values).best
    assert found is not None
    assert found.epoch == best


def test_it_stops_after_so_many_epochs_without_a_better_one() -> None:
    assert not course("loss", [3, 2, 2.5]).over
    assert course("loss", [3, 2, 2.5, 2.1]).over
    assert course("loss", [3, 2], epochs=2).over
    assert not course("loss", []).over


def test_what_is_no_number_is_never_best_and_ends_it() -> None:
    made = course("loss", [3, math.nan])
    assert made.best is not None
    assert made.best.epoch == 1
    assert made.over
    assert course("loss", [math.inf]).best is None


def test_its_state_takes_it_back_to_where_it_was() -> None:
    made = course("accuracy", [0.5, 0.7, 0.6])
    again = Course(monitor="accuracy", patience=2, epochs=9)
    again.resume(made.state())
    assert again == made


def test_macro_f1_leaves_out_classes_without_labels() -> None:
    targets, answers = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 2, 1, 0])
    scores = scores_of(confusion(targets, answers, 3), ["a", "b", "c"])
    figures = figures_of("val", 0.0, scores.confusion)
    f1 = [each.f1 for each in scores.classes if each.f1 is not None]
    assert figures["val_macro_f1"] == pytest.approx(np.mean(f1[:2]))
    assert figures["val_accuracy"] == pytest.approx(3 / 5)


def test_the_table_has_a_row_for_each_epoch_from_1() -> None:
    assert history_csv(course("loss", [3, 2]).history) == "epoch,val_loss\n1,3\n2,2\n"
    assert history_csv([]) == ""
