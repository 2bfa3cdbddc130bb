"""A recording is given at its own pace, as if it were made now."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sonoplane.errors import UsageError
from sonoplane.video.live import LiveSettings, Newest, open_live
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomSettings, simulate
from sonoplane.video.phantom_files import write_dicom

N, FPS = 20, 40


@pytest.fixture(scope="module")
def cine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of a DICOM cine."""
    settings = PhantomSettings(height=160, width=200, frames=N, fps=FPS)
    (exam,) = simulate("liver-sweep", patients=1, exams=(1, 1), seed=1, settings=settings)
    return write_dicom(exam, tmp_path_factory.mktemp("cine") / "cine.dcm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures in a folder, which have no times."""
    path = tmp_path_factory.mktemp("pictures")
    for number in range(5):
        Image.fromarray(np.full((32, 32), number, np.uint8)).save(path / f"f_{number}.png")
    return path


def test_frames_come_at_their_times(cine):
    source = open_live(str(cine))
    arrived = list(Newest(source, ahead=N))
    assert [a.frame.index for a in arrived] == list(range(N))
    arrivals_s = np.array([a.arrived_s - arrived[0].arrived_s for a in arrived])
    times_s = np.array([a.frame.time_s for a in arrived])
    assert np.allclose(times_s, np.arange(N) / FPS)
    assert (arrivals_s > times_s - 0.02).all()
    assert (np.median(arrivals_s - times_s)) < 0.1


def test_frames_and_facts_are_those_of_the_recording(cine):
    recording = open_recording(cine)
    source = open_live(str(cine), LiveSettings(pace="fast"))
    frames = list(source.frames())
    for frame, wanted in zip(frames, recording.frames(), strict=True):
        assert np.array_equal(frame.image, wanted.image)
        assert frame.time_s == wanted.time_s
    facts = source.facts
    assert (facts.kind, facts.container, facts.fps) == ("file", "dicom", FPS)
    assert (facts.height, facts.width, facts.color) == (recording.height, recording.width, recording.color)
    assert facts.regions == recording.facts.regions


def test_pictures_without_times_come_at_the_rate_of_the_settings(folder):
    source = open_live(str(folder), LiveSettings(fps=50))
    started_s = time.monotonic()
    assert [frame.time_s for frame in source.frames()] == pytest.approx([0, 0.02, 0.04, 0.06, 0.08])
    assert time.monotonic() - started_s >= 0.08
    assert source.facts.fps == 50


def test_closing_ends_it_while_it_waits_for_a_frames_time(folder):
    source = open_live(str(folder), LiveSettings(fps=0.1))
    threading.Timer(0.1, source.close).start()
    started_s = time.monotonic()
    assert len(list(source.frames())) == 1
    assert time.monotonic() - started_s < 1


def test_a_missing_file_is_named_without_its_folder(tmp_path):
    with pytest.raises(UsageError) as caught:
        open_live(str(tmp_path / "away.mp4"))
    assert "away.mp4" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
