import cv2
import numpy as np
import pytest

from sonoplane.frames.layout_outline import crosses_itself, encloses, filled, outline_of
from sonoplane.frames.region import find_region
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import simulate
from tests.frames.scenes import linear_mask, overlap, recording_of, scene, sector_mask

MASKS = {
    "sector": lambda height, width: sector_mask(height, width, convex=False),
    "convex": lambda height, width: sector_mask(height, width, convex=True),
    "linear": linear_mask,
}


def check(mask: np.ndarray, *, most_points: int) -> None:
    """The outline describes the mask: closely, without reaching beyond it, in few points."""
    outline = outline_of(mask)
    again = filled(outline, *mask.shape) > 0
    reach = max(1, round(max(mask.shape) / 640))
    near = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    assert overlap(again, _without_holes(mask)) >= 0.99
    assert not (again & ~near & ~_without_holes(mask)).any()
    assert len(outline) <= most_points
    assert encloses(outline)
    assert not crosses_itself(outline)


def _without_holes(mask: np.ndarray) -> np.ndarray:
    borders, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), borders, -1, 1, cv2.FILLED) > 0


@pytest.mark.parametrize("size", [(240, 320), (480, 640), (760, 1200), (1080, 1920)], ids=str)
@pytest.mark.parametrize("probe", MASKS)
def test_drawn_and_found_masks_come_back_from_few_points(probe: str, size: tuple[int, int]):
    true = MASKS[probe](*size)
    check(true, most_points=40)
    region, _ = find_region(recording_of(scene(true, n_frames=2)))
    check(region.mask, most_points=80)


@pytest.mark.parametrize("preset", ["liver-sweep", "echo-views"])
def test_masks_of_phantoms_come_back(preset: str):
    exam = next(simulate(preset, patients=1, seed=3))
    check(exam.mask, most_points=60)


def test_masks_of_real_videos_come_back(shared_data):
    videos = sorted((shared_data / "covid-blues" / "lus_videos").iterdir())[::40]
    videos += sorted((shared_data / "pocus").glob("*.mp4"))[::6]
    for path in videos:
        region, _ = find_region(open_recording(path))
        check(region.mask, most_points=80)


def test_holes_and_lesser_pieces_are_left_out_of_account():
    mask = np.zeros((60, 80), bool)
    mask[10:50, 10:50] = True
    whole = outline_of(mask)
    mask[20:30, 20:30] = False
    mask[5:9, 70:75] = True
    assert outline_of(mask) == whole


def test_an_empty_mask_has_no_outline():
    assert outline_of(np.zeros((9, 9), bool)) == ()


def test_edges_that_only_touch_do_not_cross():
    assert not crosses_itself(((0, 0), (5, 0), (5, 5), (9, 5), (5, 5), (0, 5)))
