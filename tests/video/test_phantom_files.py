"""Simulated recordings as files read back as what they were."""

import av
import cv2
import numpy as np
import pydicom
import pytest

from sonoplane.video.phantom import PhantomSettings, simulate
from sonoplane.video.phantom_files import write_avi, write_dicom, write_mp4, write_png_folder


@pytest.fixture(scope="module")
def exam():
    return next(simulate(patients=1, seed=2, settings=PhantomSettings(frames=24)))


@pytest.fixture(scope="module")
def pixels(exam):
    return np.stack([frame.image for frame in exam.recording.frames()])


@pytest.mark.parametrize("coding", ["native", "rle", "jpeg2000"])
def test_dicom_reads_back_with_the_same_pixels(exam, pixels, tmp_path, coding) -> None:
    dataset = pydicom.dcmread(write_dicom(exam, tmp_path / "a.dcm", coding=coding))
    assert np.array_equal(dataset.pixel_array, pixels)
    assert dataset.SOPClassUID.name == "Ultrasound Multi-frame Image Storage"
    assert float(dataset.FrameTime) == 40


def test_dicom_declares_the_sectors_box(exam, tmp_path) -> None:
    (item,) = pydicom.dcmread(write_dicom(exam, tmp_path / "a.dcm")).SequenceOfUltrasoundRegions
    box = exam.recording.facts.regions[0].box
    assert (item.RegionLocationMinX0, item.RegionLocationMinY0) == (box.left, box.top)
    assert (item.RegionLocationMaxX1, item.RegionLocationMaxY1) == (box.right - 1, box.bottom - 1)


@pytest.mark.parametrize(("write", "ending"), [(write_dicom, "dcm"), (write_mp4, "mp4"), (write_avi, "avi")])
def test_the_same_exam_gives_the_same_bytes(exam, tmp_path, write, ending) -> None:
    one, other = write(exam, tmp_path / f"a.{ending}"), write(exam, tmp_path / f"b.{ending}")
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("write", "ending", "fps", "off"), [(write_mp4, "mp4", 25, 3), (write_avi, "avi", 15, 8)]
)
def test_video_holds_every_frame(exam, pixels, tmp_path, write, ending, fps, off) -> None:
    with av.open(str(write(exam, tmp_path / f"a.{ending}"))) as container:
        assert container.streams.video[0].average_rate == fps
        frames = np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])
    assert frames.shape == pixels.shape
    assert np.abs(frames.astype(int) - pixels).mean() < off


def test_a_png_folder_holds_every_frame(exam, pixels, tmp_path) -> None:
    paths = sorted(write_png_folder(exam, tmp_path / "a").iterdir())
    assert [path.name for path in paths[:2]] == ["p00-e0_000.png", "p00-e0_001.png"]
    read = np.stack([cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths])
    assert np.array_equal(read, pixels)
