from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from sonoplane.frames.cleaning import blank, clean
from sonoplane.frames.motion import Steadiness
from sonoplane.frames.region import find_region
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.frames.writing import Writing, find_writing
from sonoplane.records import Box, Region, UltrasoundRegion
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomExam, PhantomSettings, simulate
from sonoplane.video.phantom_files import write_avi, write_dicom, write_mp4, write_png_folder
from tests.frames.scenes import Images, linear_mask, paint, recording_of, scene


def writing_in(images: np.ndarray) -> Writing:
    seen = Steadiness(height=images.shape[1], width=images.shape[2])
    for image in images:
        seen.add(image)
    return find_writing(seen)


def covered(boxes: tuple[Box, ...], glyphs: np.ndarray) -> float:
    """Share of the painted pixels that lie in the boxes."""
    inside = np.zeros(glyphs.shape, bool)
    for box in boxes:
        inside[box.slices] = True
    return float(inside[glyphs].mean())


def tissue(n_frames: int = 8, seed: int = 0) -> np.ndarray:
    return scene(np.ones((240, 400), bool), n_frames=n_frames, seed=seed)


def compressed(images: np.ndarray) -> np.ndarray:
    coded = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])[1] for image in images]
    return np.stack([cv2.imdecode(jpeg, cv2.IMREAD_UNCHANGED) for jpeg in coded])


@pytest.mark.parametrize("coded", [np.asarray, compressed], ids=["exact", "jpeg"])
@pytest.mark.parametrize("style", ["plain", "outlined", "panel", "glass"])
@pytest.mark.parametrize("height", [8, 12, 20, 40])
def test_text_over_moving_tissue_is_found_whole(
    height: int, style: str, coded: Callable[[np.ndarray], np.ndarray]
):
    images, glyphs = paint(tissue(), "DOE JANE", (30, 120), height=height, style=style)
    writing = writing_in(coded(images))
    assert covered(writing.boxes, glyphs) == 1
    assert sum(box.width * box.height for box in writing.boxes) < 0.5 * glyphs.size


@pytest.mark.parametrize("color", [(255, 230, 40), (60, 230, 80), (60, 220, 230), (165, 165, 165)], ids=str)
def test_colored_text_is_found(color: tuple[int, int, int]):
    images = np.repeat(tissue()[..., None], 3, axis=-1)
    images, glyphs = paint(images, "12.03.1974", (30, 120), height=14, level=color)
    assert covered(writing_in(images).boxes, glyphs) == 1


@pytest.mark.parametrize("n_frames", [1, 8])
def test_text_where_nothing_moves_is_found(n_frames: int):
    black = np.zeros((n_frames, 120, 300), np.uint8)
    images, glyphs = paint(black, "LIVER RT", (20, 60), height=14)
    assert covered(writing_in(images).boxes, glyphs) == 1


def test_text_on_a_single_image_is_found():
    images, glyphs = paint(tissue(n_frames=1), "LIVER RT", (20, 60), height=16, level=255)
    assert covered(writing_in(images).boxes, glyphs) == 1


def test_a_caliper_s_cross_is_found_where_the_image_moves():
    images = tissue(n_frames=20)
    images[:, 100:111, 205] = images[:, 105, 200:211] = 255
    (box,) = writing_in(images).boxes
    assert covered((box,), images[0] == 255) > 0.99


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_frames", [1, 8])
def test_tissue_alone_is_no_text(n_frames: int, seed: int):
    assert writing_in(tissue(n_frames, seed)).boxes == ()


def test_bright_layers_that_never_move_are_no_text():
    images = tissue()
    layers = np.zeros((240, 400), np.float32)
    for row in (60, 75, 90, 150):
        cv2.ellipse(layers, (200, row + 300), (330, 300), 0, 200, 340, 255, 3)
    layers = cv2.GaussianBlur(layers, (0, 0), 1.2)
    assert writing_in(np.maximum(images, layers.astype(np.uint8))).boxes == ()


def test_frozen_tissue_is_no_text():
    assert writing_in(np.repeat(tissue(1), 10, axis=0)).boxes == ()


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (2, 3, 900), (2, 900, 3), (3, 24, 24, 3), (1, 30, 2100)], ids=str
)
def test_tiny_and_thin_frames_hold_no_text(shape: tuple[int, ...]):
    assert writing_in(np.zeros(shape, np.uint8)).boxes == ()


def test_text_in_the_region_is_cut_from_its_mask_and_told():
    images, glyphs = paint(scene(linear_mask(300, 400), n_frames=8), "DOE JANE", (130, 140), height=14)
    region, warnings = find_region(recording_of(images))
    assert region.mask is not None
    assert not region.mask[glyphs].any()
    assert covered(region.writing, glyphs) == 1
    assert warnings == (
        "Text that never moves was found inside the ultrasound region and blanked, in 1 box.",
    )


@pytest.mark.parametrize("origin", ["card", "dicom"])
def test_a_region_without_a_mask_has_one_where_text_is_found(origin: str):
    box = Box(left=10, top=20, right=290, bottom=110)
    images, glyphs = paint(np.zeros((4, 120, 300), np.uint8), "ID 4711-08", (50, 80), height=12)
    declared = (UltrasoundRegion(box=box, kind="tissue"),) if origin == "dicom" else ()
    frames = clean(recording_of(images, regions=declared), card_box=box if origin == "card" else None)
    assert frames.region.origin == origin
    assert frames.region.mask is not None
    assert not any(frame.image[glyphs].any() for frame in frames)


def test_writing_is_left_where_it_is_asked_for():
    images, _ = paint(scene(linear_mask(300, 400), n_frames=8), "DOE JANE", (130, 140), height=14)
    region, warnings = find_region(recording_of(images), settings=RegionSettings(writing=False))
    assert (region.writing, warnings) == ((), ())


def test_writing_is_blanked_without_a_mask_too():
    whole = Box(left=0, top=0, right=4, bottom=2)
    region = Region(box=whole, origin="card", writing=(Box(left=1, top=0, right=3, bottom=1),))
    assert blank(np.full((2, 4), 7, np.uint8), region).tolist() == [[7, 0, 0, 7], [7, 7, 7, 7]]


def test_only_the_first_frames_are_searched():
    images = scene(linear_mask(300, 400), n_frames=12)
    images[6:], _ = paint(images[6:], "DOE JANE", (130, 140), height=14)
    region, _ = find_region(recording_of(images), settings=RegionSettings(first_frames=6))
    assert region.writing == ()


WRITERS = {
    "dicom": lambda exam, folder: write_dicom(exam, folder / "a.dcm"),
    "mp4": lambda exam, folder: write_mp4(exam, folder / "a.mp4", quality=23),
    "avi": lambda exam, folder: write_avi(exam, folder / "a.avi"),
    "png folder": lambda exam, folder: write_png_folder(exam, folder / "a"),
}
TEXTS = [("DOE JANE", 0.35, 10, 255), ("12.03.1974", 0.5, 14, 220), ("LIVER RT", 0.7, 24, 200)]


def painted(preset: str) -> tuple[PhantomExam, np.ndarray]:
    """A phantom with three texts inside its sector."""
    exam = next(simulate(preset, patients=1, seed=4, settings=PhantomSettings(frames=20)))
    images = np.stack([frame.image for frame in exam.recording.frames()])
    glyphs = np.zeros(images.shape[1:3], bool)
    for text, down, height, level in TEXTS:
        place = (images.shape[2] // 2 - 3 * height, int(down * images.shape[1]))
        images, added = paint(images, text, place, height=height, level=level)
        glyphs |= added
    return replace(exam, recording=replace(exam.recording, source=Images(images=images))), glyphs


@pytest.mark.parametrize("preset", ["liver-sweep", "echo-views"])
@pytest.mark.parametrize("kind", WRITERS)
def test_text_in_a_phantom_s_sector_is_gone_after_cleaning(kind: str, preset: str, tmp_path: Path):
    exam, glyphs = painted(preset)
    frames = clean(open_recording(WRITERS[kind](exam, tmp_path)))
    seen = exam.mask & ~glyphs
    for frame in frames:
        assert not frame.image[glyphs].any()
    kept = frames.region.mask
    assert kept is not None
    assert kept[seen].mean() > 0.7


REAL = ["patient_10_L1", "patient_16_R3", "patient_34_L1", "patient_46_R1", "patient_52_R3"]


@pytest.mark.parametrize("name", REAL)
def test_real_pleura_skin_and_ribs_are_no_text(shared_data: Path, name: str):
    with av.open(str(shared_data / "covid-blues" / "lus_videos" / f"{name}.mp4")) as container:
        frames = container.decode(video=0)
        images = np.stack([next(frames).to_ndarray(format="rgb24") for _ in range(40)])
    assert writing_in(images).boxes == ()


def test_a_real_measurement_s_label_inside_the_image_is_blanked(shared_data: Path):
    recording = open_recording(shared_data / "itkpocus" / "sonosite-anon-eye1-video.mp4")
    region, _ = find_region(recording)
    assert any(box.left <= 560 and box.right >= 590 and box.top <= 372 for box in region.writing)
    assert sum(box.width * box.height for box in region.writing) < 0.02 * region.mask.sum()


def test_real_stills_lose_only_what_is_written_on_them(shared_data: Path):
    boxes = {}
    for path in sorted((shared_data / "sononet" / "images").glob("*.tiff")):
        region, _ = find_region(open_recording(path))
        boxes[path.stem] = len(region.writing)
    assert {name for name, n in boxes.items() if n} == {"3VV", "FEMUR"}
