from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from sonoplane.errors import DamagedRecording
from sonoplane.frames.cleaning import clean
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.frames.remembered import remembering
from sonoplane.records import Frame, Recording
from tests.frames.scenes import linear_mask, recording_of, scene


class Counting:
    """A source that tells which frames it had to decode."""

    def __init__(self, recording: Recording, *, ends_at: int | None = None) -> None:
        self.recording = recording
        self.ends_at = ends_at
        self.decoded: list[int] = []

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        for frame in self.recording.frames(start, stop):
            if frame.index == self.ends_at:
                raise DamagedRecording("It ends in the middle.")
            self.decoded.append(frame.index)
            yield frame


def counted(n_frames: int = 9, *, ends_at: int | None = None) -> tuple[Recording, Counting]:
    recording = recording_of(scene(linear_mask(60, 80), n_frames=n_frames))
    source = Counting(recording, ends_at=ends_at)
    return replace(recording, source=source), source


def indices(frames: Iterator[Frame]) -> list[int]:
    return [frame.index for frame in frames]


@pytest.mark.parametrize("n_first", [0, 1, 4, 9, 64])
def test_what_was_looked_at_is_decoded_once(n_first: int):
    recording, source = counted()
    recording = remembering(recording)
    assert indices(recording.frames(0, n_first)) == list(range(min(n_first, 9)))
    assert indices(recording.frames()) == source.decoded == list(range(9))


def test_it_is_remembered_for_one_reading_only():
    recording, source = counted()
    recording = remembering(recording)
    for _ in recording.frames(0, 4):
        pass
    assert indices(recording.frames()) == indices(recording.frames()) == list(range(9))
    assert source.decoded == [*range(9), *range(9)]


def test_other_readings_do_not_disturb_it():
    recording, source = counted()
    recording = remembering(recording)
    assert len(list(recording.frames(0, 4))) == 4
    assert indices(recording.frames(2, 5)) == [2, 3, 4]
    assert indices(recording.frames()) == list(range(9))
    assert source.decoded == [0, 1, 2, 3, 2, 3, 4, 4, 5, 6, 7, 8]


def test_frames_too_many_for_memory_are_decoded_anew():
    recording, source = counted()
    recording = remembering(recording, most_bytes=3 * 60 * 80)
    assert indices(recording.frames(0, 4)) == [0, 1, 2, 3]
    assert indices(recording.frames()) == list(range(9))
    assert source.decoded == [*range(4), *range(9)]


def test_channels_of_one_memory_count_once():
    recording, source = counted()
    gray = scene(linear_mask(60, 80), n_frames=9)
    source.recording = recording_of(np.broadcast_to(gray[..., None], (*gray.shape, 3)))
    recording = remembering(recording, most_bytes=4 * 60 * 80)
    assert indices(recording.frames(0, 4)) == [0, 1, 2, 3]
    assert indices(recording.frames()) == source.decoded == list(range(9))


def test_what_goes_wrong_later_rises_later():
    recording, _ = counted(ends_at=6)
    recording = remembering(recording)
    assert indices(recording.frames(0, 4)) == [0, 1, 2, 3]
    reading = recording.frames()
    assert [next(reading).index for _ in range(6)] == list(range(6))
    with pytest.raises(DamagedRecording):
        next(reading)


def test_cleaning_decodes_every_frame_once():
    recording, source = counted()
    frames = clean(recording, settings=RegionSettings(first_frames=4))
    assert indices(frames.read()) == source.decoded == list(range(9))
