"""Decoded pictures become images; without color, channels that are one and the same memory."""

import av
import numpy as np
import pytest
from av import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from sonoplane.video.pixels import PLANAR_FORMATS, Painter


def picture(pixels: str, light: np.ndarray, color: int = 128, **tags: int) -> VideoFrame:
    """A picture of this brightness, with one color everywhere."""
    height, width = light.shape
    frame = VideoFrame(width, height, pixels)
    for number, plane in enumerate(frame.planes):
        rows = np.full((plane.height, plane.line_size), color if number else 7, np.uint8)
        if number == 0:
            rows[:height, :width] = light
        plane.update(rows.tobytes())
    for name, tag in tags.items():
        setattr(frame, name, tag)
    return frame


@pytest.mark.parametrize("shape", [(480, 640), (33, 47), (2, 2), (7, 1)], ids=str)
@pytest.mark.parametrize("pixels", sorted(PLANAR_FORMATS))
def test_a_picture_without_color_is_what_the_converter_makes_of_it(
    pixels: str, shape: tuple[int, int]
) -> None:
    light = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for color_range in (0, ColorRange.MPEG, ColorRange.JPEG):
        for colorspace in (Colorspace.ITU601, Colorspace.ITU709):
            frame = picture(pixels, light, color_range=color_range, colorspace=colorspace)
            painter = Painter(frame)
            image, note = painter.paint(frame)
            assert note is None
            assert image.strides[2] == 0
            assert np.array_equal(image, painter._rgb_image(frame))


def test_one_colored_pixel_is_enough_for_color() -> None:
    light = np.full((8, 8), 90, np.uint8)
    frame = picture("yuv444p", light)
    painter = Painter(frame)
    rows = np.frombuffer(frame.planes[2], np.uint8).copy()
    rows[0] = 140
    frame.planes[2].update(rows.tobytes())
    image, _ = painter.paint(frame)
    assert image[0, 0].tolist() != image[0, 1].tolist() == image[7, 7].tolist()


def test_streams_may_gain_and_lose_color() -> None:
    light = np.random.default_rng(1).integers(0, 256, (16, 20), dtype=np.uint8)
    painter = Painter(picture("yuv420p", light))
    shown = [painter.paint(picture("yuv420p", light, color))[0] for color in (128, 90, 128)]
    assert [image.strides[2] == 0 for image in shown] == [True, False, True]
    assert np.array_equal(shown[0], shown[2])
    assert (shown[1] != shown[0]).any()


def test_a_picture_of_another_size_is_brought_to_the_first() -> None:
    painter = Painter(picture("yuv420p", np.zeros((16, 20), np.uint8)))
    image, note = painter.paint(picture("yuv420p", np.zeros((32, 40), np.uint8)))
    assert image.shape == (16, 20, 3)
    assert "40 x 32" in str(note)


def test_what_has_only_brightness_is_gray() -> None:
    levels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    frame = av.VideoFrame.from_ndarray(levels, format="gray")
    assert np.array_equal(Painter(frame).paint(frame)[0], levels)
