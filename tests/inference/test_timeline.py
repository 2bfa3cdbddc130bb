import numpy as np
import pytest

from sonoplane.inference.predictor import Seen
from sonoplane.inference.timeline import (
    UNKNOWN,
    TimelineBuilder,
    recording_answer,
    recording_label,
    segments,
    softmax,
)
from sonoplane.metrics.abstention import Threshold
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.metrics.ood import Likeness
from sonoplane.records import Frame, Timeline

CLASSES = ("background", "kidney", "liver")


def timeline(labels: str, *, fps: float | None = 25.0, calibration: Calibration | None = None) -> Timeline:
    builder = TimelineBuilder("sweep", CLASSES, fps, calibration)
    for index, letter in enumerate(labels):
        logits = np.zeros(3, np.float32)
        logits["bkl".index(letter)] = 3
        time_s = None if fps is None else index / fps
        frame = Frame(index=index, time_s=time_s, image=np.zeros((2, 2), np.uint8))
        builder.add(Seen(frame=frame, prepared=frame.image, logits=logits))
    return builder.build()


def test_segments_are_runs_and_cover_every_frame() -> None:
    runs = segments(timeline("bbkkkblll"))
    assert [(s.start, s.stop, s.label) for s in runs] == [
        (0, 2, "background"),
        (2, 5, "kidney"),
        (5, 6, "background"),
        (6, 9, "liver"),
    ]
    assert runs[0].probability == pytest.approx(np.exp(3) / (np.exp(3) + 2))


def test_the_recording_is_the_class_of_the_largest_mean_probability() -> None:
    assert recording_label(timeline("bbbbkkl"))[0] == "background"


def test_background_can_be_left_out_of_the_recordings_answer() -> None:
    label, probability = recording_label(timeline("bbbbkkl"), "background")
    assert label == "kidney"
    assert 0 < probability < 0.5


def test_frame_times_are_unknown_where_one_is() -> None:
    assert timeline("bk", fps=None).times_s is None
    assert timeline("bk").times_s is not None


def test_probabilities_are_a_softmax_of_the_logits() -> None:
    made = timeline("bkl")
    assert np.allclose(made.probabilities.sum(axis=1), 1)
    assert np.array_equal(softmax(made.logits), made.probabilities)


def calibration(
    *, value: float | None = None, cautious: bool = True, why: str = "", energy: float | None = None
) -> Calibration:
    threshold = Threshold(
        wished=0.9,
        cautious=cautious,
        value=value,
        precision=None if value is None else 0.95,
        low=None if value is None else 0.91,
        coverage=0.0 if value is None else 0.8,
        n=60,
        n_patients=40,
        why=why,
    )
    likeness = Likeness(score="energy", threshold=energy or 0, accepted=0.95, n_frames=99, n_patients=9)
    return Calibration(
        classes=CLASSES,
        kind="temperature",
        temperature=3,
        thresholds=(threshold,),
        likeness=None if energy is None else likeness,
    )


def test_probabilities_are_calibrated_and_logits_stay_the_networks_own() -> None:
    made = timeline("bkl", calibration=calibration())
    assert np.array_equal(made.logits, timeline("bkl").logits)
    assert np.allclose(made.probabilities, softmax(made.logits / 3))
    assert made.labels == timeline("bkl").labels


def test_without_frames_a_calibrated_timeline_is_empty() -> None:
    assert timeline("", calibration=calibration()).n_frames == 0


def test_a_label_is_given_unless_a_precision_is_asked_for() -> None:
    answer = recording_answer(timeline("bk"), calibration=calibration(value=0.99, energy=-99.0))
    assert (answer.label, answer.notes) == ("background", ())
    assert answer.probability == recording_label(timeline("bk"))[1]


def test_a_label_that_is_not_sure_enough_is_unknown() -> None:
    made = timeline("kkkl", calibration=calibration())
    sure = recording_label(made)[1]
    below, above = (
        recording_answer(made, calibration=calibration(value=sure + step), precision=0.85)
        for step in (0.01, -0.01)
    )
    assert (below.label, below.probability) == (UNKNOWN, sure)
    assert f"'kidney' is the likeliest with {sure:.2f}, and labels are right 90%" in below.notes[0]
    assert (above.label, above.notes) == ("kidney", ())


def test_caution_and_its_lack_have_thresholds_of_their_own() -> None:
    made, known = timeline("kkkl"), calibration(value=0.99, cautious=False)
    assert recording_answer(made, calibration=known, precision=0.9, cautious=False).label == UNKNOWN
    assert recording_answer(made, calibration=known, precision=0.9).label == "kidney"


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (None, "none was fitted"),
        (
            Calibration(classes=CLASSES, why_no_thresholds="no recording has one label"),
            "no recording has one",
        ),
        (calibration(why="12 patients are too few"), "12 patients are too few"),
    ],
)
def test_without_a_threshold_the_label_is_given_and_it_says_so(known: Calibration | None, told: str) -> None:
    answer = recording_answer(timeline("kkkl"), calibration=known, precision=0.9)
    assert answer.label == "kidney"
    assert told in answer.notes[0]


def test_a_recording_unlike_those_of_validation_is_unknown() -> None:
    made = timeline("kkkl")
    energy = float(np.log(np.exp(3) + 2))
    for step, label in ((0.1, UNKNOWN), (-0.1, "kidney")):
        answer = recording_answer(made, calibration=calibration(energy=energy + step), precision=0.9)
        assert answer.label == label
    assert (
        "frames look unlike"
        in recording_answer(made, calibration=calibration(energy=energy + 0.1), precision=0.9).notes[0]
    )


def test_that_frames_are_unlike_is_told_also_where_the_label_is_given() -> None:
    made, few = timeline("kkkl"), calibration(energy=float(np.log(np.exp(3) + 2)) + 0.1)
    answer = recording_answer(made, calibration=few)
    assert answer.label == "kidney"
    assert [note.startswith("More than half of its frames look unlike") for note in answer.notes] == [True]
    assert recording_answer(made, calibration=calibration()).notes == ()


def test_a_class_left_out_is_never_the_likeliest() -> None:
    answer = recording_answer(
        timeline("bbbbk"), leave_out="background", calibration=calibration(value=0.9), precision=0.9
    )
    assert answer.label == UNKNOWN
    assert "'kidney' is the likeliest" in answer.notes[0]
