"""Every real video opens with the frames that a full decode by another tool finds.

The other tool is OpenCV; for GIF it is Pillow. On whole files they and the ffmpeg program agree with us on every
one; on damaged files OpenCV stops at the first packet it cannot decode, where ffmpeg and we go on.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from sonoplane.records import Frame, Image, Recording
from sonoplane.video.discovery import find_recordings
from sonoplane.video.opening import open_recording
from tests.video.opened_table import Opened

#: How far OpenCV rounds where it turns YCbCr into RGB: down by one, and by two in pictures of odd height.
CLOSE = 2

PARTS = 4


def ends(frames: Iterable[Frame]) -> tuple[list[Image], int]:
    """The first and the last image, and how many there are; checks that they are numbered, and that time goes on."""
    images: list[Image] = []
    n, time_s = 0, -1.0
    for frame in frames:
        assert frame.index == n, "frames are misnumbered"
        assert frame.time_s is None or frame.time_s > time_s, "time stands still"
        time_s = time_s if frame.time_s is None else frame.time_s
        images = [*images[:1], frame.image]
        n += 1
    return images, n


def by_opencv(path: Path, last: int) -> tuple[list[Image], int]:
    """The first frame, frame number `last`, and how many there are."""
    capture = cv2.VideoCapture(str(path))
    images, n = [], 0
    while capture.grab():
        if n in (0, last):
            images.append(np.ascontiguousarray(capture.retrieve()[1][..., ::-1]))
        n += 1
    capture.release()
    return images, n


def by_pillow(path: Path, last: int) -> tuple[list[Image], int]:
    """The first frame, frame number `last`, and how many there are."""
    images = []
    with Pillow.open(path) as gif:
        for number in (0, last):
            gif.seek(number)
            rgba = np.asarray(gif.convert("RGBA"))
            images.append(np.where(rgba[..., 3:] > 0, rgba[..., :3], 0))
        return images, gif.n_frames


def compare(recording: Recording, path: Path) -> tuple[Opened, str | None]:
    """The row of a recording, and what is wrong with it."""
    images, n = ends(recording.frames())
    other = by_pillow if recording.facts.container == "gif" else by_opencv
    theirs, n_theirs = other(path, n - 1)
    size = f"{recording.width} x {recording.height}"
    row = Opened(
        path.name,
        n,
        f"{n_theirs} {other.__name__[3:]}",
        size,
        round(recording.fps or 0, 2) or "none",
        "opened",
    )
    if n != n_theirs or len(images) != len(theirs):
        return row, f"{path.name}: {n} frames, but {n_theirs} {other.__name__}"
    for mine, its in zip(images, theirs, strict=True):
        if mine.shape != its.shape or mine.shape[:2] != (recording.height, recording.width):
            return row, f"{path.name}: {mine.shape} here, {its.shape} {other.__name__}"
        if np.abs(mine.astype(int) - its).max() > CLOSE:
            return row, f"{path.name}: other pixels {other.__name__}"
    return row, None


def check(paths: Iterable[Path], table: list[Opened]) -> None:
    wrong = []
    for path in paths:
        row, problem = compare(open_recording(path), path)
        table.append(row._replace(outcome=problem or row.outcome))
        wrong.append(problem)
    assert not any(wrong), "\n".join(filter(None, wrong))


def videos(folder: Path) -> Iterator[Path]:
    for found in find_recordings([folder]):
        if found.path.suffix != ".dcm":
            yield found.path


@pytest.mark.parametrize("part", range(PARTS))
def test_pocus_videos_have_the_frames_that_another_tool_finds(part, shared_data, opened_table):
    paths = list(videos(shared_data / "pocus"))
    assert len(paths) == 64
    check(paths[part::PARTS], opened_table)


@pytest.mark.parametrize("part", range(PARTS))
def test_covid_blues_videos_have_the_frames_that_another_tool_finds(part, shared_data, opened_table):
    paths = list(videos(shared_data / "covid-blues"))
    assert len(paths) == 237
    check(paths[part::PARTS], opened_table)


def test_itkpocus_videos_have_the_frames_that_another_tool_finds(shared_data, opened_table):
    paths = list(videos(shared_data / "itkpocus"))
    assert len(paths) == 2
    check(paths, opened_table)


def test_published_images_arrive_unchanged(shared_data, opened_table):
    found = find_recordings([shared_data / "sononet" / "images"])
    assert len(found) == 7
    for each in found:
        recording = open_recording(each.path, recording_id=each.id)
        (frame,) = recording.frames()
        with Pillow.open(each.path) as image:
            assert np.array_equal(frame.image, np.asarray(image))
        size = f"{recording.width} x {recording.height}"
        opened_table.append(Opened(each.path.name, 1, "1 pillow", size, "none", "opened"))


def test_claims_of_the_container_are_not_believed(shared_data):
    """These MPEG files state no number of frames, and OpenCV's guess is up to two off."""
    path = shared_data / "pocus" / "Reg_pat1Image_133138.mpeg"
    capture = cv2.VideoCapture(str(path))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 260
    recording = open_recording(path)
    assert recording.n_frames is None
    assert sum(1 for _ in recording.frames()) == 262
