import numpy as np
import pytest
from pydantic import ValidationError

from sonoplane.clips.windows import Windows, frames_needed, place, windows
from sonoplane.clips.windows_settings import WindowSettings
from sonoplane.errors import UsageError


def test_the_last_window_is_moved_back_to_the_end() -> None:
    assert windows(9, length=4, stride=3) == [range(0, 4), range(3, 7), range(5, 9)]
    assert windows(10, length=4, stride=3) == [range(0, 4), range(3, 7), range(6, 10)]
    assert windows(4, length=4, stride=3) == [range(4)]
    assert windows(3, length=4, stride=3) == []


def test_a_step_reaches_between_the_frames_of_a_sliding_window() -> None:
    assert windows(8, length=3, stride=1, step=3) == [range(0, 7, 3), range(1, 8, 3)]
    placed = place(8, WindowSettings(kind="sliding", length=3, stride=1, step=3))
    assert placed.indices().tolist() == [[0, 3, 6], [1, 4, 7]]


def test_n_step_clips_at_defaults_are_five_a_video() -> None:
    for n_frames in (50, 51, 99, 400):
        placed = place(n_frames, WindowSettings(kind="n-step"))
        assert len(placed) == 5
        assert placed[2].tolist() == list(range(2, 50, 5))
        assert placed.n_unused == n_frames - 50


def test_n_step_clips_tile_a_long_video_on_request() -> None:
    placed = place(125, WindowSettings(kind="n-step", tile=True))
    assert placed.starts.tolist() == [0, 1, 2, 3, 4, 50, 51, 52, 53, 54]
    assert placed.n_unused == 25


def test_a_video_of_49_frames_has_no_n_step_clip_unless_it_is_padded() -> None:
    settings = WindowSettings(kind="n-step")
    assert frames_needed(settings) == 50
    assert len(place(49, settings)) == 0
    repeated = place(49, settings.model_copy(update={"short": "repeat"}))
    assert repeated[4].tolist() == [4, 9, 14, 19, 24, 29, 34, 39, 44, 48]
    reflected = place(49, settings.model_copy(update={"short": "reflect"}))
    assert reflected[4].tolist() == [4, 9, 14, 19, 24, 29, 34, 39, 44, 47]


@pytest.mark.parametrize(
    ("short", "expected"), [("repeat", [0, 1, 2, 2, 2, 2, 2, 2]), ("reflect", [0, 1, 2, 1, 0, 1, 2, 1])]
)
def test_a_short_recording_is_filled_up_as_set(short: str, expected: list[int]) -> None:
    placed = place(3, WindowSettings.model_validate({"length": 8, "short": short}))
    assert placed.indices().tolist() == [expected]


@pytest.mark.parametrize("short", ["repeat", "reflect"])
def test_one_frame_fills_a_clip(short: str) -> None:
    placed = place(1, WindowSettings.model_validate({"length": 3, "short": short}))
    assert placed.indices().tolist() == [[0, 0, 0]]


def test_the_clip_of_a_frame_ends_with_it_and_repeats_frame_0() -> None:
    for short in ("skip", "repeat", "reflect"):
        placed = place(3, WindowSettings.model_validate({"kind": "clip", "length": 3, "short": short}))
        assert placed.indices().tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2]]


def test_dense_windows_are_every_frame_or_all() -> None:
    assert place(3, WindowSettings(kind="frames")).indices().tolist() == [[0], [1], [2]]
    assert place(3, WindowSettings(kind="whole")).indices().tolist() == [[0, 1, 2]]


def test_the_centre_of_an_even_window_is_the_later_one() -> None:
    assert place(10, WindowSettings(length=5, stride=5)).centres.tolist() == [2, 7]
    assert place(4, WindowSettings(length=4, stride=1)).centres.tolist() == [2]


def test_an_hour_of_video_costs_8_bytes_a_window() -> None:
    placed = place(108_000, WindowSettings(kind="clip", length=10))
    assert len(placed) == 108_000
    assert placed.starts.nbytes == 8 * 108_000
    assert placed[107_999].tolist() == list(range(107_990, 108_000))
    assert max(block.stop - block.start for block in placed.blocks()) * 10 <= 1 << 16


def test_windows_that_show_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="1 or more"):
        windows(9, length=0, stride=1)
    with pytest.raises(UsageError, match="1 or more"):
        windows(9, length=2, stride=0)
    with pytest.raises(UsageError, match="shows nothing"):
        Windows(n_frames=3, starts=np.array([0]), length=0)
    with pytest.raises(UsageError, match="no windows"):
        Windows(n_frames=0, starts=np.array([0]), length=1)
    with pytest.raises(ValidationError):
        WindowSettings(length=0)
