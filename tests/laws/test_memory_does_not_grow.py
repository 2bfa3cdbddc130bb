"""Predicting a recording ten times as long takes no more memory, but for some bytes a frame."""

import subprocess
import sys
from pathlib import Path

import pytest

from sonoplane.models.bundle import Bundle
from sonoplane.video.phantom import PhantomSettings, simulate
from sonoplane.video.phantom_files import write_mp4

PEAK = """
import pathlib, re, sys
import sonoplane.cli
sys.argv = ["sonoplane", *sys.argv[1:]]
try:
    sonoplane.cli.main()
except SystemExit as ended:
    assert ended.code == 0
# Not resource.getrusage: a child's peak starts from that of the process it was forked from.
print(int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1024)
"""


def peak_mb(recording: Path, bundle: Bundle, out: Path) -> float:
    command = [sys.executable, "-c", PEAK, "predict", recording, "--bundle", bundle.folder, "--out", out]
    command += ["--keyframes.min-probability", "0"]  # so that key frames are kept, too
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_memory_does_not_grow_with_the_recording(bundle: Bundle, tmp_path: Path) -> None:
    peaks = []
    for n_frames in (200, 2000):
        settings = PhantomSettings(height=480, width=640, frames=n_frames)
        exam = next(simulate("liver-sweep", patients=1, exams=(1, 1), settings=settings))
        recording = tmp_path / f"{n_frames}.mp4"
        write_mp4(exam, recording)
        peaks.append(peak_mb(recording, bundle, tmp_path / "out"))
    one_second_of_pixels_mb = 25 * 480 * 640 * 3 / 1e6
    assert peaks[1] - peaks[0] < 4 * one_second_of_pixels_mb, peaks
