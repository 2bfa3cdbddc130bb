"""Reading every frame of an H.264 file: our container reader against plain cv2.VideoCapture.

OpenCV gives BGR frames without their times; ours gives gray or RGB frames, each with its time.
"""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.runner import Contest
from sonoplane.video.container import decode

__all__ = ["prepare"]

N_FRAMES = 200


def prepare(folder: Path) -> Contest:
    """A 640 x 480 recording of drifting speckle, read to its end by both."""
    path = folder / "speckle.mp4"
    _write(path)

    def with_opencv() -> int:
        capture, n_frames = cv2.VideoCapture(str(path)), 0
        while capture.read()[0]:
            n_frames += 1
        capture.release()
        return n_frames

    def with_ours() -> int:
        return sum(1 for _ in decode(str(path)))

    return Contest(
        baseline="cv2.VideoCapture (BGR, no frame times)",
        piece="frame",
        run_baseline=with_opencv,
        run_ours=with_ours,
    )


def _write(path: Path) -> None:
    """The same file every time."""
    noise = np.random.default_rng(0).rayleigh(40, (480, 640 + N_FRAMES))
    speckle = cv2.GaussianBlur(noise, (0, 0), 2).clip(0, 255).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30))
        stream.height, stream.width, stream.pix_fmt = 480, 640, "yuv420p"
        for i in range(N_FRAMES):
            image = np.ascontiguousarray(speckle[:, i : i + 640])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="gray")))
        container.mux(stream.encode(None))
