"""The strip of one recording: what was blanked can be seen in it, and not read."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from sonoplane.records import Box, Region
from sonoplane.report.region_picture import PANEL_HEIGHT, PANEL_WIDTH, STRIP_HEIGHT, STRIP_WIDTH, picture
from sonoplane.video.phantom import PhantomSettings, simulate
from tests.report.sweeps import sector

BOX = Box(left=80, top=80, right=560, bottom=440)
SECOND = slice(PANEL_WIDTH + 8, 2 * PANEL_WIDTH + 8)


def region(**changed) -> Region:
    return Region(**{"box": BOX, "origin": "pixels"} | changed)


def frame(text: str = "", *, at: tuple[int, int] = (10, 24), color: bool = False) -> np.ndarray:
    image = sector(3, color=color).copy()
    image[:72] = 0
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (225,) * 3, 1, cv2.LINE_AA)
    return image


def opened(strip: bytes) -> np.ndarray:
    with Pillow.open(io.BytesIO(strip)) as picture_of:
        return np.asarray(picture_of)


def strip(before: np.ndarray, seen: Region) -> bytes:
    return picture(before, np.ascontiguousarray(before[seen.box.slices]), seen)


@pytest.mark.parametrize("color", [False, True])
def test_a_strip_is_small_has_one_size_and_no_metadata(color):
    made = strip(frame("DOE^JANE", color=color), region())
    with Pillow.open(io.BytesIO(made)) as picture_of:
        assert picture_of.size == (STRIP_WIDTH, STRIP_HEIGHT)
        assert picture_of.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert len(made) < 40_000
    assert made == strip(frame("DOE^JANE", color=color), region())


def test_noise_too_makes_a_small_strip():
    noise = np.random.default_rng(1).integers(0, 256, (700, 1000, 3), np.uint8)
    assert (
        len(picture(noise, noise, Region(box=Box(left=0, top=0, right=1000, bottom=700), origin="whole")))
        < 50_000
    )


def test_names_of_one_length_look_the_same():
    names = (
        "SMITH^JOHN     4711  20240131",
        "BAKER^ANNA     0815  20231224",
        "HOUSE^MARK     1234  20190903",
    )
    assert len({strip(frame(name), region()) for name in names}) == 1


def test_what_is_written_inside_looks_the_same_whatever_it_says():
    seen = region(writing=(Box(left=250, top=170, right=420, bottom=210),))
    made = set()
    for name in ("SMITH", "BAKER"):
        image = frame(name, at=(262, 200))
        image_after = image.copy()
        image_after[seen.writing[0].slices] = 0
        made.add(picture(image, image_after, seen))
    assert len(made) == 1


def test_text_outside_shows_as_something_and_black_as_nothing():
    bare, written = (opened(strip(frame(text), region())) for text in ("", "DOE^JANE 4711 DOE^JANE 4711"))
    assert bare[4:10, 4:100].max() < 12
    assert written[4:10, 4:100].min() > 50


def test_a_margin_of_the_mask_is_not_taken_for_tissue_cut_off():
    image = np.zeros((480, 640), np.uint8)
    image[100:400, 100:500] = 90
    tight = Box(left=101, top=101, right=499, bottom=399)
    cut = Box(left=220, top=101, right=499, bottom=399)
    beside = (slice(120, 150), slice(48, 90))
    assert opened(picture(image, image, region(box=cut)))[beside].min() > 50
    outside = opened(picture(image, image, region(box=tight)))[120:150, :36]
    assert outside.max() < 12


def test_the_mask_is_outlined_and_writing_is_hatched():
    image = np.zeros((480, 640), np.uint8)
    mask = np.zeros((480, 640), bool)
    mask[100:400, 200:400] = True
    box = Box(left=200, top=100, right=400, bottom=400)
    words = Box(left=250, top=200, right=350, bottom=230)
    plain = opened(picture(image, image, region(box=box, mask=mask)))[:, SECOND].astype(int)
    hatched = opened(picture(image, image, region(box=box, mask=mask, writing=(words,))))[:, SECOND].astype(
        int
    )
    assert plain[100, 130, 2] > plain[100, 130, 0] + 30
    assert plain[10, 10].max() < 12
    red = (hatched[..., 0] - hatched[..., 2]) > 60
    assert red[92:102, 114:156].mean() > 0.15


@pytest.mark.parametrize("size", [(1, 1), (40, 900), (900, 40), (139, 139), (1080, 1920)])
def test_frames_of_any_size_fit(size):
    height, width = size
    image = np.full(size, 77, np.uint8)
    box = Box(left=width // 3, top=height // 3, right=width, bottom=height)
    corner = Box(left=width - 1, top=height - 1, right=width, bottom=height)
    assert opened(picture(image, image[box.slices], region(box=box, writing=(corner,)))).shape == (
        PANEL_HEIGHT,
        STRIP_WIDTH,
        3,
    )


def test_no_pixel_of_the_phantoms_banner_is_in_the_strip():
    settings = PhantomSettings(height=480, width=640, frames=20)
    exams = list(simulate("liver-sweep", patients=3, exams=(1, 1), seed=2, settings=settings))
    for exam in exams:
        image = next(exam.recording.frames()).image
        seen = Region(box=exam.source.stage.sector.box(), origin="dicom", mask=exam.mask)
        panel = opened(picture(image, image[seen.box.slices], seen))[:, :PANEL_WIDTH].astype(int)
        outside = cv2.resize((~exam.mask).astype(np.uint8), (PANEL_WIDTH, PANEL_HEIGHT)) == 1
        away = cv2.erode(outside.astype(np.uint8), np.ones((19, 19), np.uint8)) == 1
        grays = panel[away]
        nearest = np.abs(grays[..., None] - np.array([0, 70, 190])).min(axis=-1)
        assert away.mean() > 0.1
        assert np.quantile(nearest, 0.97) < 12
