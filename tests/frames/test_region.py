from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from sonoplane.frames.region import find_region
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.records import Box, UltrasoundRegion
from tests.frames.scenes import linear_mask, overlap, recording_of, scene, sector_mask, writing_mask

MASKS = {
    "sector": lambda height, width: sector_mask(height, width, convex=False),
    "convex": lambda height, width: sector_mask(height, width, convex=True),
    "linear": linear_mask,
}
SIZES = [(240, 320), (480, 640), (333, 301), (900, 1280)]


def region_of(box: Box, kind: str = "tissue") -> UltrasoundRegion:
    return UltrasoundRegion(box=box, kind=kind)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("probe", MASKS)
def test_the_moving_image_is_found_and_no_writing(probe: str, size: tuple[int, int]):
    true = MASKS[probe](*size)
    region, warnings = find_region(recording_of(scene(true, n_frames=6)))
    assert region.origin == "pixels"
    assert region.confidence > 0.8
    assert overlap(region.mask, true) > 0.9
    assert not (region.mask & (writing_mask(*size) > 0) & ~true).any()
    assert warnings == ()


@pytest.mark.parametrize("probe", MASKS)
@pytest.mark.parametrize("how", [{"level": 30}, {"jpeg": 60}, {"level": 20, "jpeg": 80}], ids=str)
def test_a_gray_screen_and_compression_change_little(probe: str, how: dict[str, int]):
    true = MASKS[probe](480, 640)
    region, _ = find_region(recording_of(scene(true, n_frames=6, **how)))
    assert overlap(region.mask, true) > 0.9
    text = writing_mask(480, 640) > 0
    text[:, 610:620] = False  # the gray bar, whose dark end touches the corner of the sector
    assert not (region.mask & text & ~true).any()


@pytest.mark.parametrize("probe", MASKS)
def test_a_still_image_is_what_is_lit_without_writing(probe: str):
    true = MASKS[probe](480, 640)
    region, _ = find_region(recording_of(scene(true, n_frames=1)))
    assert overlap(region.mask, true) > 0.9
    assert not (region.mask & (writing_mask(480, 640) > 0) & ~true).any()
    assert region.confidence < 0.8


def test_a_frozen_video_is_treated_as_a_still():
    true = sector_mask(240, 320, convex=True)
    frozen = np.repeat(scene(true, n_frames=1), 5, axis=0)
    region, _ = find_region(recording_of(frozen))
    assert overlap(region.mask, true) > 0.9


def test_color_counts_by_its_strongest_channel():
    true = linear_mask(240, 320)
    blue = np.zeros((6, 240, 320, 3), np.uint8)
    blue[..., 2] = scene(true, n_frames=6)
    region, _ = find_region(recording_of(blue))
    assert overlap(region.mask, true) > 0.9


def test_a_video_cropped_to_its_image_is_kept_whole():
    full = np.ones((200, 180), bool)
    region, _ = find_region(recording_of(scene(full, n_frames=6)))
    assert region.mask.mean() > 0.99


def test_letterbox_bars_are_left_out():
    bars = np.zeros((240, 320), bool)
    bars[:, 50:-50] = True
    moving = np.where(bars, scene(np.ones((240, 320), bool), n_frames=6), 0).astype(np.uint8)
    region, _ = find_region(recording_of(moving))
    assert abs(region.box.left - 50) <= 2
    assert abs(region.box.right - 270) <= 2
    assert (region.box.top, region.box.bottom) == (0, 240)


def test_a_mouse_cursor_adds_nothing():
    true = linear_mask(480, 640)
    images = scene(true, n_frames=8)
    for index, image in enumerate(images):
        image[400 + index : 412 + index, 30 + 5 * index : 38 + 5 * index] = 255
    region, _ = find_region(recording_of(images))
    assert overlap(region.mask, true) > 0.9
    assert region.box.left > 100


def test_only_the_first_frames_count():
    true = linear_mask(240, 320)
    images = scene(true, n_frames=12)
    images[6:] = np.random.default_rng(0).integers(0, 255, images[6:].shape)
    region, _ = find_region(recording_of(images), settings=RegionSettings(first_frames=6))
    assert overlap(region.mask, true) > 0.9


def test_a_black_recording_is_kept_whole_with_a_warning():
    region, warnings = find_region(recording_of(np.zeros((3, 60, 80), np.uint8)))
    assert region.origin == "whole"
    assert region.confidence == 0
    assert "whole frame" in warnings[0]


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 900), (2, 900, 3), (3, 17, 19, 3)], ids=str)
def test_tiny_and_thin_frames_have_a_region(shape: tuple[int, ...]):
    images = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    region, _ = find_region(recording_of(images))
    assert region.box.fits(height=shape[1], width=shape[2])


def test_a_card_wins_over_the_scanner():
    box = Box(left=5, top=5, right=50, bottom=40)
    declared = region_of(Box(left=0, top=0, right=60, bottom=60))
    recording = recording_of(np.zeros((1, 60, 80), np.uint8), regions=(declared,))
    region, warnings = find_region(recording, card_box=box)
    assert (region.origin, region.box, region.mask, warnings) == ("card", box, None, ())


def test_a_card_that_does_not_fit_is_passed_over_with_a_warning():
    recording = recording_of(scene(linear_mask(120, 160), n_frames=3))
    region, warnings = find_region(recording, card_box=Box(left=0, top=0, right=975, bottom=735))
    assert region.origin == "pixels"
    assert "does not fit" in warnings[0]


def test_the_scanner_s_largest_2d_region_is_used_with_the_pixels_mask():
    true = sector_mask(480, 640, convex=False)
    regions = (
        region_of(Box(left=0, top=0, right=630, bottom=470), "spectral"),
        region_of(Box(left=90, top=40, right=560, bottom=900), "tissue"),
        region_of(Box(left=0, top=0, right=40, bottom=40), "color-flow"),
        region_of(Box(left=700, top=0, right=740, bottom=40), "tissue"),
    )
    region, warnings = find_region(recording_of(scene(true, n_frames=6), regions=regions))
    assert region.origin == "dicom"
    assert region.box == Box(left=90, top=40, right=560, bottom=480)
    assert overlap(region.mask, true & (np.mgrid[:480, :640][0] >= 40)) > 0.88
    assert len(warnings) == 2


def test_a_declared_region_that_is_the_whole_frame_says_nothing():
    true = sector_mask(240, 320, convex=False)
    whole = region_of(Box(left=0, top=0, right=320, bottom=240))
    region, _ = find_region(recording_of(scene(true, n_frames=6), regions=(whole,)))
    assert region.origin == "pixels"


def test_where_pixels_are_unsure_the_declared_box_stands_alone():
    box = Box(left=10, top=10, right=50, bottom=50)
    recording = recording_of(np.zeros((2, 60, 80), np.uint8), regions=(region_of(box),))
    region, _ = find_region(recording)
    assert (region.origin, region.box, region.mask) == ("dicom", box, None)


def test_a_region_that_is_unsure_is_warned_of():
    true = sector_mask(240, 320, convex=False)
    images = recording_of(scene(true, n_frames=6))
    region, warnings = find_region(images, settings=RegionSettings(sure_from=1.0))
    assert warnings == (
        f"The ultrasound region is unsure ({region.confidence:.2f}): look at it in the report or QC sheet, correct"
        " the layout.",
    )


def test_a_declared_region_beside_what_moves_is_warned_of():
    images = scene(linear_mask(240, 320), n_frames=6)
    beside = region_of(Box(left=0, top=0, right=120, bottom=240))
    region, warnings = find_region(recording_of(images, regions=(beside,)))
    assert "of what moves lies in the scanner's region" in warnings[0]
    assert region.origin == "dicom"
    assert region.confidence < 0.5


def test_motion_in_another_declared_region_is_no_disagreement():
    images = np.zeros((6, 240, 320), np.uint8)
    moving = scene(np.ones((220, 300), bool), n_frames=6)
    images[:, 10:120, 10:160], images[:, 10:230, 170:310] = moving[:, :110, :150], moving[:, :, :140]
    smaller = region_of(Box(left=10, top=10, right=90, bottom=120))
    others = (
        region_of(Box(left=10, top=120, right=90, bottom=121)),
        region_of(Box(left=90, top=10, right=165, bottom=125)),
    )
    larger = region_of(Box(left=168, top=8, right=312, bottom=232))
    region, warnings = find_region(recording_of(images, regions=(smaller, *others, larger)))
    assert region.confidence == 1
    assert not any("of what moves" in warning for warning in warnings)


def test_a_recording_where_nothing_moves_does_not_disagree():
    still = scene(linear_mask(240, 320), n_frames=1)
    beside = region_of(Box(left=0, top=0, right=120, bottom=240))
    _, warnings = find_region(recording_of(still, regions=(beside,)))
    assert not any("of what moves" in warning for warning in warnings)


def video(path: Path, n_frames: int = 64) -> np.ndarray:
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return np.stack([next(frames).to_ndarray(format="rgb24") for _ in range(n_frames)])


@pytest.mark.parametrize("name", ["patient_10_L1", "patient_19_R1", "patient_49_L1"])
def test_real_videos_cropped_to_the_sector_keep_nearly_all_of_their_light(shared_data: Path, name: str):
    images = video(shared_data / "covid-blues" / "lus_videos" / f"{name}.mp4", 40)
    region, _ = find_region(recording_of(images))
    light = images.astype(np.float64)
    assert light[:, region.mask].sum() / light.sum() > 0.995


def test_a_real_screen_loses_its_text(shared_data: Path):
    images = video(shared_data / "itkpocus" / "clarius-ocular-short.mp4", 40)
    region, _ = find_region(recording_of(images))
    assert 0.4 < region.mask.mean() < 0.55
    assert not region.mask[:, :240].any()


def test_real_stills_lose_their_banner(shared_data: Path):
    for path in sorted((shared_data / "sononet" / "images").glob("*.tiff")):
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        region, _ = find_region(recording_of(image[None]))
        assert not region.mask[:70].any(), path.name
        assert region.mask[80:].mean() > 0.6, path.name
