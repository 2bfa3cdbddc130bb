from pathlib import Path

import cv2
import numpy as np
import pytest

from sonoplane.records import Frame
from sonoplane.report.video import VideoFile
from sonoplane.video.opening import open_recording

TIMES = [0.0, 0.04, 0.05, 0.21, 0.25, 3.0]


def scene(*, color: bool, height: int = 61, width: int = 83) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    smooth = cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    return smooth if color else np.ascontiguousarray(smooth[..., 0])


def written(path: Path, images: list[np.ndarray]) -> list[Frame]:
    video = VideoFile(path, height=images[0].shape[0], width=images[0].shape[1], fps=25)
    for image, time_s in zip(images, TIMES, strict=True):
        video.add(image, time_s)
    video.close()
    return list(open_recording(path).frames())


@pytest.mark.parametrize("color", [False, True])
def test_every_frame_comes_back_at_its_time(color: bool, tmp_path: Path) -> None:
    images = [np.roll(scene(color=color), 5 * turn, axis=1) for turn in range(6)]
    frames = written(tmp_path / "video.mp4", images)
    assert [frame.time_s for frame in frames] == pytest.approx(TIMES, abs=1e-3)
    for frame, image in zip(frames, images, strict=True):
        back = frame.image[:61, :83] if color else frame.image[:61, :83, 0]
        assert np.abs(back.astype(int) - image).mean() < (8 if color else 2)


def test_what_is_added_to_an_odd_frame_is_black(tmp_path: Path) -> None:
    frame = written(tmp_path / "video.mp4", [np.full((61, 83), 255, np.uint8)] * 6)[2]
    assert frame.image.shape[:2] == (62, 84)
    assert frame.image[:60, :82].min() > 240
    assert frame.image[61, :80].max() < 60


def test_a_repeated_frame_is_the_one_before_it(tmp_path: Path) -> None:
    video = VideoFile(tmp_path / "video.mp4", height=62, width=82)
    video.add(scene(color=False, height=62, width=82), 0.0)
    video.repeat(0.04)
    video.repeat(0.04)
    video.close()
    first, *others = (frame.image.astype(int) for frame in open_recording(tmp_path / "video.mp4").frames())
    assert len(others) == 2
    assert all(np.abs(other - first).mean() < 2 for other in others)


def test_a_pause_of_more_than_nine_hours_is_nine_hours_long_in_the_video(tmp_path: Path) -> None:
    video = VideoFile(tmp_path / "video.mp4", height=64, width=64)
    day_s, nine_hours_s = 24 * 3600, 9 * 3600
    for turn, time_s in enumerate([0.0, 0.04, day_s, day_s + 0.04, 3 * day_s, 3 * day_s + 0.04]):
        video.add(np.full((64, 64), 40 * turn, np.uint8), time_s)
    video.close()
    frames = list(open_recording(tmp_path / "video.mp4").frames())
    first_s, second_s = 0.04 + nine_hours_s, 0.08 + 2 * nine_hours_s
    expected = [0.0, 0.04, first_s, first_s + 0.04, second_s, second_s + 0.04]
    assert [frame.time_s for frame in frames] == pytest.approx(expected, abs=1e-3)
    assert [round(frame.image[0, 0, 0] / 40) for frame in frames] == list(range(6))


def test_a_video_whose_writer_was_killed_can_be_played(tmp_path: Path) -> None:
    video = VideoFile(tmp_path / "video.mp4", height=64, width=64)
    draw = np.random.default_rng(0)
    for turn in range(600):
        video.add(draw.integers(0, 256, (64, 64), dtype=np.uint8), turn / 30)
    (tmp_path / "killed.mp4").write_bytes((tmp_path / "video.mp4").read_bytes())
    video.close()
    assert len(list(open_recording(tmp_path / "killed.mp4").frames())) >= 400
    assert len(list(open_recording(tmp_path / "video.mp4").frames())) == 600


def test_a_video_without_a_frame_is_closed_quietly(tmp_path: Path) -> None:
    VideoFile(tmp_path / "video.mp4", height=64, width=64).close()
