import time
from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.steps.live_recording import VIDEO, LiveRecording, free_name
from sonoplane.video.opening import open_recording


def noise(n: int, height: int = 480, width: int = 640) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [draw.integers(0, 256, (height, width), dtype=np.uint8) for _ in range(n)]


def test_a_slow_encoder_is_never_waited_for_and_no_frame_loses_its_place(tmp_path: Path) -> None:
    images = noise(3)
    recording = LiveRecording(tmp_path, "stream", height=480, width=640, fps=30)
    began = time.monotonic()
    for turn in range(60):
        recording.add(images[turn % 3], turn / 30)
    took_s = time.monotonic() - began
    recording.close()
    assert recording.n_repeated > 5
    assert took_s < 0.3, "encoding them takes far longer"
    (video,) = tmp_path.glob(f".*.partial/{VIDEO}")
    frames = list(open_recording(video).frames())
    assert [frame.time_s for frame in frames] == pytest.approx([turn / 30 for turn in range(60)], abs=1e-3)
    recording.give_up()
    assert list(tmp_path.iterdir()) == []


def test_names_are_free(tmp_path: Path) -> None:
    for name in ("sweep", "sweep-2"):
        (tmp_path / name).mkdir()
    assert free_name(tmp_path, "sweep") == "sweep-3"
    assert free_name(tmp_path / "new", "sweep") == "sweep"


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="'file' cannot take the recording"):
        free_name(tmp_path / "file", "sweep")
