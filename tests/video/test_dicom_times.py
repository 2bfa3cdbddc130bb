"""Frame times are the header's, or none."""

import pytest
from pydicom import Dataset
from pydicom.tag import Tag

from sonoplane.video.dicom_times import Clock, read_clock


def header(**elements: object) -> Dataset:
    data = Dataset()
    for name, value in elements.items():
        setattr(data, name, value)
    return data


def times(clock: Clock, n_frames: int = 4) -> list[float | None]:
    return [clock.time_s(index) for index in range(n_frames)]


@pytest.mark.parametrize(
    ("elements", "fps"),
    [
        ({"FrameTime": "40"}, 25),
        ({"CineRate": "20"}, 20),
        ({"RecommendedDisplayFrameRate": "10"}, 10),
        ({"FrameTime": "40", "CineRate": "20"}, 25),
        ({"FrameTime": "0", "CineRate": "20"}, 20),
        ({"FrameTime": "", "CineRate": ""}, None),
        ({}, None),
    ],
)
def test_an_even_rate_comes_from_the_best_element(elements: dict[str, str], fps: float | None) -> None:
    clock, notes = read_clock(header(**elements), n_frames=4)
    assert clock.fps == fps
    assert times(clock) == ([None] * 4 if fps is None else pytest.approx([index / fps for index in range(4)]))
    assert not notes


def test_a_vector_without_frame_time_gives_uneven_times() -> None:
    clock, notes = read_clock(header(FrameTimeVector=["0", "40", "60", "100"]), n_frames=4)
    assert times(clock) == pytest.approx([0, 0.04, 0.1, 0.2])
    assert clock.fps == pytest.approx(15)
    assert not notes


def test_time_counts_from_frame_0_whatever_comes_before_it() -> None:
    clock, _ = read_clock(header(FrameTimeVector=["40", "40"]), n_frames=2)
    assert times(clock, 2) == pytest.approx([0, 0.04])


def test_the_pointer_chooses_between_vector_and_step() -> None:
    both = {"FrameTime": "50", "FrameTimeVector": ["0", "40", "40"]}
    chosen = [read_clock(header(**both, FrameIncrementPointer=Tag(name)), n_frames=3)[0].fps for name in both]
    assert chosen == [20, 25]


@pytest.mark.parametrize("vector", [["0", "40"], ["0", "40", "40", "40", "40"]])
def test_a_vector_of_the_wrong_length_is_a_warning(vector: list[str]) -> None:
    clock, notes = read_clock(header(FrameTimeVector=vector, CineRate="10"), n_frames=4)
    assert clock.fps == 10
    assert len(notes) == 1


@pytest.mark.parametrize("vector", [["0", "-40", "40", "40"], ["0", "0", "0", "0"]])
def test_a_vector_that_does_not_move_on_is_a_warning(vector: list[str]) -> None:
    clock, notes = read_clock(header(FrameTimeVector=vector), n_frames=4)
    assert clock == Clock()
    assert len(notes) == 1


def test_one_frame_may_have_a_vector_of_one() -> None:
    clock, notes = read_clock(header(FrameTimeVector="0"), n_frames=1)
    assert clock.fps is None
    assert not notes
