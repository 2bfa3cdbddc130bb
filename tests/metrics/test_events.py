"""One sweep's findings beside its labels."""

from itertools import groupby

import numpy as np
import numpy.typing as npt
import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.events import PlaneEvent, SweepEvents, sweep_events
from sonoplane.records import Box, BundleName, Facts, Findings, KeyFrame, Region, Segment

CLASSES = ("background", "kidney", "liver")
LETTERS = {"b": "background", "k": "kidney", "l": "liver", "?": "unknown"}


def findings(said: str, keyframes: dict[int, str], name: str = "sweep") -> Findings:
    """Findings of a sweep: a letter a frame, and the class that each key frame is said to show."""
    segments, start = [], 0
    for letter, run in groupby(said):
        stop = start + len(list(run))
        segments.append(Segment(start=start, stop=stop, label=LETTERS[letter], probability=0.9))
        start = stop
    image = np.zeros((2, 2), dtype=np.uint8)
    found = tuple(plane for plane in CLASSES[1:] if plane in keyframes.values())
    return Findings(
        recording=name,
        n_frames=len(said),
        fps=10.0,
        classes=CLASSES,
        background="background",
        label="liver",
        probability=0.5,
        segments=tuple(segments),
        keyframes=tuple(
            KeyFrame(
                frame=frame, time_s=None, label=label, probability=0.9, sharpness=1.0, reason="", image=image
            )
            for frame, label in keyframes.items()
        ),
        found=found,
        missing=tuple(plane for plane in CLASSES[1:] if plane not in found),
        height=2,
        width=2,
        region=Region(box=Box(left=0, top=0, right=2, bottom=2), origin="whole"),
        facts=Facts(),
        warnings=(),
        bundle=BundleName(name="n", version="1", sha256=""),
        backend="torch",
        precision="float32",
    )


def targets(letters: str) -> npt.NDArray[np.int64]:
    return np.array([{"b": 0, "k": 1, "l": 2, ".": -1}[letter] for letter in letters])


def events(
    truth: str, said: str, keyframes: dict[int, str], *, timed: bool = True, patient: str = "p"
) -> SweepEvents:
    times = np.arange(len(said)) / 10 if timed else None
    return sweep_events(findings(said, keyframes), targets(truth), times, patient=patient)


def plane(found: SweepEvents, name: str) -> PlaneEvent:
    return next(one for one in found.planes if one.plane == name)


def test_a_plane_is_found_when_told_and_answered_where_it_is() -> None:
    found = events("bbkkkkbbllll", "bbbkkkbbbbbb", {4: "kidney"})
    kidney, liver = plane(found, "kidney"), plane(found, "liver")
    assert (kidney.present, kidney.told, kidney.hit, kidney.found, kidney.keyframe_right) == (True,) * 5
    assert (liver.present, liver.told, liver.hit, liver.found, liver.keyframe_right) == (True, *[False] * 4)
    assert found.completeness == 0.5


def test_a_claim_elsewhere_is_not_found() -> None:
    found = events("bbbbbbkkkk", "bkkkbbbbbb", {2: "kidney"})
    kidney = plane(found, "kidney")
    assert (kidney.told, kidney.hit, kidney.found, kidney.keyframe_right) == (True, False, False, False)
    assert found.false_alarms == 1


def test_time_to_the_first_hit_counts_from_where_the_plane_first_shows() -> None:
    found = events("bbkkkkkkbb", "bbbblkkkbb", {6: "kidney"})
    assert plane(found, "kidney").first_hit_s == pytest.approx(0.3)
    assert plane(found, "liver").first_hit_s is None
    untimed = events("bbkkkkkkbb", "bbbblkkkbb", {6: "kidney"}, timed=False)
    assert (plane(untimed, "kidney").first_hit_s, untimed.minutes) == (None, None)


def test_unlabelled_frames_are_neither_right_nor_wrong() -> None:
    found = events("....kkk...", "llllkkkkkk", {1: "liver", 8: "kidney"})
    assert (found.false_alarms, found.keyframes_judged) == (0, 0)
    assert found.minutes == pytest.approx(0.3 / 60)
    kidney, liver = plane(found, "kidney"), plane(found, "liver")
    assert (kidney.found, kidney.keyframe_right) == (True, None)
    assert (liver.present, liver.told, liver.keyframe_right) == (False, True, None)
    assert found.completeness == 1.0


def test_nothing_labelled_says_nothing() -> None:
    found = events("....", "kkll", {0: "kidney"})
    assert (found.completeness, found.false_alarms, found.minutes) == (None, 0, 0.0)
    assert found.segments.sum() == 0


def test_background_and_unknown_are_no_alarms() -> None:
    found = events("kkkkkkkk", "bbkk??bb", {2: "kidney"})
    assert found.false_alarms == 0
    assert plane(found, "kidney").found


def test_an_alarm_is_a_run_not_a_frame() -> None:
    assert events("bbbbbbbbbb", "bkkkbkkkll", {}).false_alarms == 3


def test_the_best_key_frame_is_the_first_told() -> None:
    found = events("bbkkbb", "bkkkkb", {1: "kidney", 3: "kidney"})
    assert plane(found, "kidney").keyframe_right is False
    assert (found.keyframes_right, found.keyframes_judged) == (1, 2)


def test_frames_last_until_the_next() -> None:
    times = np.array([0.0, 0.1, 0.2, 1.2])
    found = sweep_events(findings("bbbb", {}), targets("b.bb"), times, patient="p")
    assert found.minutes == pytest.approx((0.1 + 1.0 + 0.1) / 60)


def test_one_target_for_each_frame() -> None:
    with pytest.raises(UsageError, match="4 frames meet 3 targets"):
        sweep_events(findings("bbbb", {}), targets("bbb"), None, patient="p")
