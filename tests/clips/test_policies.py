import numpy as np
import pytest

from sonoplane.clips.policies import Cut, Dropped, cut, cut_table, cut_text
from sonoplane.clips.windows_settings import Policy, WindowSettings
from sonoplane.errors import LabelError

WHOLE = WindowSettings(kind="whole")


def judged(labels: list[int], policy: Policy) -> int | str:
    """The target of one clip with these labels, or why it is left out."""
    made = cut(np.array(labels), windows=WHOLE, policy=policy)
    return int(made.targets[0]) if len(made) else made.dropped[0].reason


@pytest.mark.parametrize(
    ("labels", "one", "centre", "last", "majority"),
    [
        ([2, 2, 2, 2, 2], 2, 2, 2, 2),
        ([1, 1, 2, 2, 2], "mixed", 2, 2, 2),
        ([1, 1, 2, 0, 0], "mixed", 2, 0, "tie"),
        ([0, 0, 1, 1], "mixed", 1, 1, "tie"),
        ([1, 1, 1, 1, -1], "unlabelled", 1, "unlabelled", 1),
        ([-1, -1, -1, 1, 1], "unlabelled", "unlabelled", 1, "unlabelled"),
        ([-1, -1, 1, 1], "unlabelled", 1, 1, 1),
        ([1, -1, 2, 2, 2], "mixed", 2, 2, 2),
        ([-1, -1, -1], "unlabelled", "unlabelled", "unlabelled", "unlabelled"),
    ],
)
def test_each_policy_names_the_clip_or_says_why_not(
    labels: list[int], one: int | str, centre: int | str, last: int | str, majority: int | str
) -> None:
    assert judged(labels, "one-label-only") == one
    assert judged(labels, "centre") == centre
    assert judged(labels, "last") == last
    assert judged(labels, "majority") == majority


def test_per_frame_targets_keep_the_holes_and_leave_out_only_empty_clips() -> None:
    labels = np.array([0, -1, 1, 1, -1, -1, -1])
    made = cut(labels, windows=WindowSettings(length=3, stride=3), policy="per-frame")
    assert made.targets.tolist() == [[0, -1, 1], [1, -1, -1]]
    assert made.labels.tolist() == [1, -1]
    assert made.dropped == (Dropped(reason="unlabelled", label=-1, n_clips=1),)


def test_clips_with_mixed_labels_are_counted_under_their_last_frame() -> None:
    labels = np.repeat([0, 1, 0], 10)
    made = cut(labels, windows=WindowSettings(length=5, stride=1))
    assert len(made) == 18
    assert made.dropped == (
        Dropped(reason="mixed", label=0, n_clips=4),
        Dropped(reason="mixed", label=1, n_clips=4),
    )


def test_a_tie_is_no_class_0() -> None:
    made = cut(np.array([0, 1]), windows=WHOLE, policy="majority")
    assert len(made) == 0
    assert made.dropped == (Dropped(reason="tie", label=1, n_clips=1),)


def test_the_policy_of_the_settings_holds_unless_another_is_given() -> None:
    labels, settings = np.array([0, 1]), WindowSettings(kind="whole", policy="last")
    assert cut(labels, windows=settings).policy == "last"
    assert cut(labels, windows=settings, policy="centre").policy == "centre"


def test_a_video_of_49_frames_is_skipped_with_a_row() -> None:
    made = cut(np.full(49, 3), windows=WindowSettings(kind="n-step"))
    assert len(made) == 0
    assert made.targets.shape == (0,)
    assert made.dropped == (Dropped(reason="short", label=3, n_clips=5),)
    assert made.n_unused == 49
    assert made.note == "Too short for a clip (49 of 50 frames): skipped."


@pytest.mark.parametrize(("short", "told"), [("repeat", "last frame is repeated"), ("reflect", "to and fro")])
def test_a_padded_video_has_a_row_too(short: str, told: str) -> None:
    settings = WindowSettings.model_validate({"kind": "n-step", "short": short})
    made = cut(np.full(49, 3), windows=settings)
    assert (len(made), made.n_dropped, made.n_unused) == (5, 0, 0)
    assert made.note is not None
    assert told in made.note


def test_a_video_of_50_frames_has_no_row() -> None:
    made = cut(np.full(50, 3), windows=WindowSettings(kind="n-step"))
    assert (len(made), made.dropped, made.note) == (5, (), None)


@pytest.mark.parametrize("short", ["skip", "repeat", "reflect"])
@pytest.mark.parametrize("kind", ["continuous", "n-step", "clip", "frames", "whole"])
def test_a_recording_without_frames_is_a_row(kind: str, short: str) -> None:
    settings = WindowSettings.model_validate({"kind": kind, "short": short})
    made = cut(np.array([], dtype=np.int64), windows=settings, policy="per-frame")
    assert (len(made), made.windows.n_frames, made.n_unused) == (0, 0, 0)
    assert made.n_dropped >= 1
    assert {(row.reason, row.label) for row in made.dropped} == {("short", -1)}
    assert made.note == "It has no frames: skipped."


def test_centre_frames_are_the_2d_samples_of_the_same_clips() -> None:
    labels = np.repeat([0, 1], 7)
    made = cut(labels, windows=WindowSettings(length=5, stride=1))
    assert made.windows.centres.tolist() == [2, 3, 4, 9, 10, 11]
    assert labels[made.windows.centres].tolist() == made.targets.tolist()


def a_few() -> dict[str, Cut]:
    settings = WindowSettings(length=2, stride=2, policy="majority")
    labels = {"one": [0, 0, 0, 1, -1, -1], "two": [1], "three": [1, 1, 1, 1]}
    return {name: cut(np.array(row), windows=settings) for name, row in labels.items()}


def test_the_table_counts_every_clip_once() -> None:
    no_label, everything = cut_table(a_few().values(), ["liver", "kidney"])[2:]
    assert no_label == {"class": "(no label)", "kept": 0, "mixed": 0, "unlabelled": 1, "tie": 0, "short": 0}
    assert everything == {"class": "all", "kept": 3, "mixed": 0, "unlabelled": 1, "tie": 1, "short": 1}


def test_the_text_shows_what_was_left_out() -> None:
    assert cut_text(a_few(), ["liver", "kidney"]).splitlines() == [
        "class       kept  mixed  unlabelled  tie  short",
        "liver          1      0           0    0      0",
        "kidney         2      0           0    1      1",
        "(no label)     0      0           1    0      0",
        "all            3      0           1    1      1",
        "Frames in no clip: 1.",
        "two: Too short for a clip (1 of 2 frames): skipped.",
        "To keep short recordings, give a smaller length or step, or set `short` to repeat or reflect.",
    ]


def test_numbers_that_are_no_class_are_refused() -> None:
    with pytest.raises(LabelError, match="no class number"):
        cut(np.array([0, -2]), windows=WHOLE)
    with pytest.raises(LabelError, match="1 classes are named"):
        cut_table([cut(np.array([1]), windows=WHOLE)], ["liver"])
