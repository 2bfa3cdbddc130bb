import numpy as np
import pytest

from sonoplane.errors import RecordingError
from sonoplane.frames.cleaning import blank, clean
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.records import Box, Region
from tests.frames.scenes import linear_mask, recording_of, scene


def test_frames_are_read_anew_each_time():
    frames = clean(recording_of(scene(linear_mask(120, 160), n_frames=4)))
    assert [frame.index for frame in frames] == [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.index for frame in frames.read(1, 3)] == [1, 2]


def test_the_source_stays_as_it_is():
    images = scene(linear_mask(120, 160), n_frames=2)
    before = images.copy()
    for frame in clean(recording_of(images)):
        frame.image[:] = 1
    assert (images == before).all()


def test_a_card_blanks_only_outside_its_box():
    images = np.random.default_rng(0).integers(1, 255, (1, 120, 160), dtype=np.uint8)
    box = Box(left=0, top=0, right=100, bottom=60)
    (frame,) = clean(recording_of(images), card_box=box)
    assert (frame.image[:60, :100] == images[0, :60, :100]).all()
    assert not frame.image[60:].any()
    assert not frame.image[:, 100:].any()


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3)], ids=str)
def test_gray_and_color_are_blanked_alike(shape: tuple[int, ...]):
    mask = np.zeros((20, 30), bool)
    mask[5:10, 5:12] = True
    mask[6, 6] = False
    region = Region(box=Box(left=5, top=5, right=12, bottom=10), origin="pixels", mask=mask)
    kept = blank(np.full(shape, 9, np.uint8), region)
    assert (kept.reshape(20, 30, -1) == np.where(mask, 9, 0)[..., None]).all()


def test_channels_that_are_one_memory_stay_so():
    gray = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    color = np.broadcast_to(gray[..., None], (20, 30, 3))
    mask = np.zeros((20, 30), bool)
    mask[5:10, 5:12] = True
    text = Box(left=8, top=5, right=10, bottom=7)
    region = Region(box=Box(left=5, top=5, right=12, bottom=10), origin="pixels", mask=mask, writing=(text,))
    kept = blank(color, region)
    assert kept.strides[2] == 0
    assert np.array_equal(kept, blank(np.ascontiguousarray(color), region))
    assert not kept[text.slices].any()


def test_warnings_of_the_recording_and_of_the_search_are_kept():
    frames = clean(recording_of(np.zeros((2, 30, 40), np.uint8)), settings=RegionSettings(whole_frame=True))
    assert len(frames.warnings) == 1


def test_a_recording_without_a_region_is_refused_for_a_name_may_be_written_on_it():
    with pytest.raises(RecordingError, match=r"--region\.whole-frame"):
        clean(recording_of(np.zeros((2, 30, 40), np.uint8)))
