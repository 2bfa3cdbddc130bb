import numpy as np
import pytest

from sonoplane.inference.predictor import Seen
from sonoplane.inference.timeline import TimelineBuilder, recording_label, segments, softmax
from sonoplane.records import Frame, Timeline

CLASSES = ("background", "kidney", "liver")


def timeline(labels: str, *, fps: float | None = 25.0) -> Timeline:
    builder = TimelineBuilder("sweep", CLASSES, fps)
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
