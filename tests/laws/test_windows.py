"""Windows stay inside the recording and leave out nothing silently, whatever the settings."""

from collections import Counter
from typing import get_args

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sonoplane.clips.policies import cut
from sonoplane.clips.windows import frames_needed, place, windows
from sonoplane.clips.windows_settings import Kind, Policy, Short, WindowSettings

numbers = st.integers(1, 12)
n_frames = st.integers(0, 80)
any_settings = st.builds(
    WindowSettings,
    kind=st.sampled_from(get_args(Kind)),
    length=numbers,
    stride=numbers,
    step=st.integers(1, 6),
    tile=st.booleans(),
    short=st.sampled_from(get_args(Short)),
    policy=st.sampled_from(get_args(Policy)),
)
runs = st.lists(st.tuples(st.integers(-1, 3), st.integers(1, 15)), max_size=8)
labels = runs.map(lambda rows: np.repeat([row[0] for row in rows], [row[1] for row in rows]).astype(np.int64))


def n_placed(n: int, asked: WindowSettings) -> int:
    """How many clips there are to keep or drop, those of a recording skipped as too short included."""
    if n >= frames_needed(asked):
        return len(place(n, asked))
    return len(place(max(n, 1), asked.model_copy(update={"short": "repeat"})))


def judged(inside: list[int], policy: Policy) -> int | list[int] | str:
    """The target of a clip with these labels, or why it has none, worked out one clip at a time."""
    known = Counter(label for label in inside if label >= 0)
    ranked = known.most_common()
    if policy == "per-frame":
        return inside if known else "unlabelled"
    if policy == "majority":
        if 2 * known.total() < len(inside):
            return "unlabelled"
        return "tie" if len(ranked) > 1 and ranked[0][1] == ranked[1][1] else ranked[0][0]
    if policy == "one-label-only":
        if len(known) > 1:
            return "mixed"
        return "unlabelled" if -1 in inside else inside[0]
    label = inside[len(inside) // 2 if policy == "centre" else -1]
    return "unlabelled" if label < 0 else label


@given(n_frames, any_settings)
@settings(max_examples=200, deadline=None)
def test_every_index_is_in_the_recording(n: int, asked: WindowSettings) -> None:
    placed = place(n, asked)
    table = placed.indices()
    assert table.shape == (len(placed), placed.length)
    assert not ((table < 0) | (table >= n)).any()
    assert len(placed) or n < frames_needed(asked)
    for row, clip in zip(table, placed, strict=True):
        assert row.tolist() == clip.tolist()
    assert placed.n_unused == n - len(np.unique(table))


@given(n_frames, any_settings)
@settings(max_examples=100, deadline=None)
def test_the_centre_and_the_last_frame_are_in_the_clip(n: int, asked: WindowSettings) -> None:
    placed = place(n, asked)
    table = placed.indices()
    assert placed.lasts.tolist() == table[:, -1].tolist()
    assert placed.centres.tolist() == table[:, placed.length // 2].tolist()


@given(n_frames, numbers, st.data())
@settings(max_examples=100, deadline=None)
def test_continuous_windows_cover_every_frame(n: int, length: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, length))
    placed = place(n, WindowSettings(kind="continuous", length=length, stride=stride, short="repeat"))
    assert placed.n_unused == 0
    assert (np.diff(placed.starts) > 0).all()
    assert (np.diff(placed.starts) <= stride).all()


@given(n_frames, any_settings)
@settings(max_examples=100, deadline=None)
def test_ranges_are_the_same_windows(n: int, asked: WindowSettings) -> None:
    asked = asked.model_copy(update={"kind": "sliding", "short": "skip"})
    ranges = windows(n, length=asked.length, stride=asked.stride, step=asked.step)
    assert [list(row) for row in ranges] == place(n, asked).indices().tolist()


@given(st.integers(1, 200), numbers, st.integers(1, 6), st.booleans())
@settings(max_examples=100, deadline=None)
def test_n_step_phases_share_out_the_frames_they_use(n: int, length: int, step: int, tile: bool) -> None:
    placed = place(n, WindowSettings(kind="n-step", length=length, step=step, tile=tile))
    span = length * step
    n_tiles = n // span if tile else min(n // span, 1)
    assert len(placed) == n_tiles * step
    assert sorted(placed.indices().ravel().tolist()) == list(range(n_tiles * span))


@given(labels, numbers)
@settings(max_examples=100, deadline=None)
def test_clip_mode_gives_each_frame_one_window_that_ends_with_it(shown: np.ndarray, length: int) -> None:
    asked = WindowSettings(kind="clip", length=length)
    assert place(len(shown), asked).lasts.tolist() == list(range(len(shown)))
    made = cut(shown, windows=asked, policy="last")
    assert made.windows.lasts.tolist() == np.nonzero(shown >= 0)[0].tolist()
    assert made.targets.tolist() == shown[shown >= 0].tolist()


@given(labels, any_settings)
@settings(max_examples=300, deadline=None)
def test_kept_and_dropped_clips_are_all_clips(shown: np.ndarray, asked: WindowSettings) -> None:
    made = cut(shown, windows=asked)
    assert len(made) + made.n_dropped == n_placed(len(shown), asked)
    assert len(made) == len(made.targets) == len(made.labels)
    assert all(row.n_clips > 0 for row in made.dropped)
    assert (made.note is None) == (len(shown) >= frames_needed(asked))
    assert len(made) or made.dropped


@given(labels, any_settings)
@settings(max_examples=300, deadline=None)
def test_a_clip_has_the_label_its_policy_promises_or_is_dropped_for_that_reason(
    shown: np.ndarray, asked: WindowSettings
) -> None:
    made = cut(shown, windows=asked)
    kept, dropped = [], Counter[tuple[str, int]]()
    for clip in place(len(shown), asked):
        target = judged(shown[clip].tolist(), asked.policy)
        if isinstance(target, str):
            dropped[target, int(shown[clip[-1]])] += 1
        else:
            kept.append((clip.tolist(), target))
    assert kept == [
        (clip.tolist(), target.tolist()) for clip, target in zip(made.windows, made.targets, strict=True)
    ]
    counted = {(row.reason, row.label): row.n_clips for row in made.dropped if row.reason != "short"}
    assert counted == dropped
