"""Images on disk become frames in natural order, with their pixels as they are."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sonoplane.errors import DamagedRecording, RecordingError, UsageError
from sonoplane.video.folder import open_folder, open_image
from sonoplane.video.numbering import natural_order

RGB = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
GRAY = RGB[..., 0]


def save(path: Path, pixels: np.ndarray, **how) -> Path:
    Image.fromarray(pixels).save(path, **how)
    return path


def only(path: Path) -> np.ndarray:
    recording = open_image(path, recording_id="r")
    (frame,) = recording.frames()
    assert recording.n_frames == 1
    assert recording.color == (frame.image.ndim == 3)
    assert frame.image.shape[:2] == (recording.height, recording.width)
    assert frame.time_s is None
    return frame.image


def test_frames_come_in_natural_order_and_other_files_are_passed_over(tmp_path):
    for number in (10, 2, 1, 9):
        save(tmp_path / f"img{number}.png", np.full((4, 6), number, np.uint8))
    (tmp_path / "notes.txt").write_text("not a frame")
    (tmp_path / ".img3.png").write_bytes((tmp_path / "img2.png").read_bytes())
    recording = open_folder(tmp_path, recording_id="r")
    assert [int(frame.image[0, 0]) for frame in recording.frames()] == [1, 2, 9, 10]
    assert [frame.index for frame in recording.frames(1, 3)] == [1, 2]
    assert recording.n_frames == 4
    assert not recording.color
    with pytest.raises(UsageError):
        recording.frames(3, 1)


def test_gaps_in_the_numbering_are_told(tmp_path):
    for number in (1, 2, 4, 5, 9):
        save(tmp_path / f"us7_{number:03}.png", GRAY)
    assert open_folder(tmp_path, recording_id="r").warnings == (
        "The frame numbers have gaps: 3, 6 to 8 missing.",
    )


def test_times_follow_from_the_given_rate(tmp_path):
    for number in range(3):
        save(tmp_path / f"{number}.bmp", GRAY)
    recording = open_folder(tmp_path, recording_id="r", fps=10.0)
    assert [frame.time_s for frame in recording.frames()] == pytest.approx([0, 0.1, 0.2])
    assert open_folder(tmp_path, recording_id="r").fps is None


def test_a_frame_of_another_size_is_named(tmp_path):
    save(tmp_path / "1.png", GRAY)
    save(tmp_path / "2.png", GRAY[:5])
    with pytest.raises(RecordingError, match=r"2\.png is 16 x 5 pixels, but 1\.png before it is 16 x 12"):
        open_folder(tmp_path, recording_id="r")


def test_one_colored_frame_makes_all_rgb(tmp_path):
    save(tmp_path / "1.png", GRAY)
    save(tmp_path / "2.png", RGB)
    recording = open_folder(tmp_path, recording_id="r")
    first, second = recording.frames()
    assert recording.color
    assert np.array_equal(first.image, np.repeat(GRAY[..., None], 3, axis=2))
    assert np.array_equal(second.image, RGB)


def test_a_folder_without_images_is_told(tmp_path):
    with pytest.raises(RecordingError, match="holds no images"):
        open_folder(tmp_path, recording_id="r")


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp"])
@pytest.mark.parametrize("pixels", [RGB, GRAY], ids=["rgb", "gray"])
def test_eight_bit_pixels_arrive_unchanged(suffix, pixels, tmp_path):
    assert np.array_equal(only(save(tmp_path / f"i.{suffix}", pixels)), pixels)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits_keep_their_top_eight(suffix, tmp_path):
    deep = np.random.default_rng(1).integers(0, 65536, (12, 16), dtype=np.uint16)
    deep[0, :2] = 0, 65535
    assert np.array_equal(only(save(tmp_path / f"i.{suffix}", deep)), (deep >> 8).astype(np.uint8))


def test_sixteen_bit_color_keeps_its_top_eight(tmp_path):
    cv2 = pytest.importorskip("cv2")
    deep = np.random.default_rng(1).integers(0, 65536, (12, 16, 3), dtype=np.uint16)
    for suffix in ("png", "tiff"):
        (tmp_path / "i").write_bytes(cv2.imencode(f".{suffix}", deep[..., ::-1])[1].tobytes())
        assert np.array_equal(only(tmp_path / "i"), (deep >> 8).astype(np.uint8))


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp"])
def test_palettes_are_looked_up(suffix, tmp_path):
    indexed = Image.fromarray(RGB).quantize(7)
    indexed.save(tmp_path / f"i.{suffix}")
    assert np.array_equal(only(tmp_path / f"i.{suffix}"), np.asarray(indexed.convert("RGB")))


def test_what_is_transparent_is_black(tmp_path):
    alpha = np.where(np.arange(16) < 8, 255, 0).astype(np.uint8)[None].repeat(12, 0)
    expected = np.where(alpha[..., None] > 0, RGB, 0)
    assert np.array_equal(only(save(tmp_path / "a.png", np.dstack([RGB, alpha]))), expected)
    Image.fromarray(np.dstack([GRAY, alpha])).save(tmp_path / "b.png")
    assert np.array_equal(only(tmp_path / "b.png"), np.where(alpha > 0, GRAY, 0))
    Image.fromarray(GRAY).save(tmp_path / "c.png", transparency=int(GRAY[3, 3]))
    assert np.array_equal(only(tmp_path / "c.png"), np.where(GRAY[3, 3] == GRAY, 0, GRAY))


def test_black_and_white_is_gray(tmp_path):
    Image.fromarray(GRAY > 100).save(tmp_path / "i.png")
    assert np.array_equal(only(tmp_path / "i.png"), np.where(GRAY > 100, 255, 0))


@pytest.mark.parametrize("suffix", ["jpg", "tiff", "lzw.tiff", "png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_cameras_rotation_is_undone(suffix, orientation, tmp_path):
    field = np.zeros((32, 48), np.uint8)
    field[:16, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    how = {"tiffinfo": {0x0112: orientation}} if "tiff" in suffix else {"exif": exif}
    how |= {"compression": "tiff_lzw"} if "lzw" in suffix else {}
    image = only(save(tmp_path / f"i.{suffix}", field, **how))
    rows = {1: 0, 2: 0, 3: -1, 4: -1, 5: 0, 6: 0, 7: -1, 8: -1}[orientation]
    columns = {1: 0, 2: -1, 3: -1, 4: 0, 5: 0, 6: -1, 7: -1, 8: 0}[orientation]
    assert image.shape == ((32, 48) if orientation < 5 else (48, 32))
    assert image[rows, columns] > 250
    assert image.mean() == pytest.approx(255 / 6, abs=2)


def test_the_pages_of_a_tiff_are_frames(tmp_path):
    pages = [Image.fromarray(np.full((4, 6), 10 * page, np.uint8)) for page in range(5)]
    pages[0].save(tmp_path / "i.tiff", save_all=True, append_images=pages[1:])
    recording = open_image(tmp_path / "i.tiff", recording_id="r")
    assert recording.n_frames == 5
    assert [int(frame.image[0, 0]) for frame in recording.frames()] == [0, 10, 20, 30, 40]
    assert [int(frame.image[0, 0]) for frame in recording.frames(3)] == [30, 40]
    assert open_folder(tmp_path, recording_id="r").n_frames == 5


def test_pixels_of_32_bits_are_refused_in_words(tmp_path):
    save(tmp_path / "i.tiff", GRAY.astype(np.float32))
    with pytest.raises(RecordingError, match=r"i\.tiff have 32 bits"):
        open_image(tmp_path / "i.tiff", recording_id="r")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff", "bmp"])
def test_an_image_cut_short_is_damaged(suffix, tmp_path):
    path = save(
        tmp_path / f"i.{suffix}", np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DamagedRecording, match=rf"i\.{suffix}"):
        only(path)


def test_natural_order_takes_any_name():
    names = ["a10", "a2b", "٣", "10", "", "ä1", "2", "a"]
    assert sorted(names, key=natural_order) == ["", "2", "٣", "10", "a", "a2b", "a10", "ä1"]


def test_a_frame_that_is_an_image_by_name_alone_is_told_for_frame_numbers_would_shift(tmp_path):
    for number in range(4):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(tmp_path / f"f{number}.png")
    (tmp_path / "notes.txt").write_text("This is no frame.")
    assert open_folder(tmp_path, recording_id="r").n_frames == 4
    (tmp_path / "f1.png").write_bytes(b"")
    with pytest.raises(DamagedRecording, match=r"f1\.png .* is not an image"):
        open_folder(tmp_path, recording_id="r")
