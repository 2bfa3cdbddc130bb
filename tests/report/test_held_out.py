import csv
from pathlib import Path

import numpy as np

from sonoplane.records import Timeline
from sonoplane.report.held_out import HeldOut, write_frame_table, write_recording_table

CLASSES = ("label", 'with, "quotes"')


def answers(name: str, targets: list[int], *, fold: int, timed: bool = True) -> HeldOut:
    probabilities = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]], np.float32)
    return HeldOut(
        timeline=Timeline(
            recording=name,
            classes=CLASSES,
            times_s=np.array([0.0, 0.04, 0.08]) if timed else None,
            fps=25.0 if timed else None,
            logits=np.log(probabilities + 1e-6),
            probabilities=probabilities,
        ),
        targets=np.array(targets),
        label=CLASSES[0],
        fold=fold,
        patient="p1" if timed else None,
    )


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_every_frame_has_a_row_and_what_is_not_known_is_empty(tmp_path: Path) -> None:
    both = [answers("a", [1, -1, 0], fold=1), answers("b", [-1, -1, -1], fold=2, timed=False)]
    write_frame_table(tmp_path / "f.csv", both, CLASSES)
    header, *body = rows(tmp_path / "f.csv")
    assert header == ["recording", "fold", "frame", "time_s", "target", "label", "probability", *CLASSES]
    assert len(body) == 6
    assert body[0] == ["a", "1", "0", "0.000000", CLASSES[1], CLASSES[1], "0.750000", "0.250000", "0.750000"]
    assert body[1][4] == ""
    assert body[5] == ["b", "2", "2", "", "", "label", "1.000000", "1.000000", "0.000000"]


def test_a_recording_has_a_target_where_its_labels_are_one(tmp_path: Path) -> None:
    several = [
        answers("one", [1, -1, 1], fold=1),
        answers("two", [1, -1, 0], fold=1),
        answers("none", [-1, -1, -1], fold=2, timed=False),
    ]
    write_recording_table(tmp_path / "r.csv", several, CLASSES)
    header, *body = rows(tmp_path / "r.csv")
    assert header == ["recording", "fold", "patient", "target", "label", "probability", *CLASSES]
    assert [row[3] for row in body] == [CLASSES[1], "", ""]
    assert body[0] == ["one", "1", "p1", CLASSES[1], "label", "0.583333", "0.583333", "0.416667"]
    assert body[2][2] == ""
