"""Follow an H.264 feed of 640 x 480 at 30 frames a second, sent over UDP by this machine itself, and count the drops.

`python -m benchmarks.udp_feed [SECONDS [PRECISION]]` prints what `sonoplane stream` ends with. The network is
SonoNet-16 in causal (2+1)D at 224 x 288, in float32 or another precision, with drawn weights. A first run of ten
seconds finds the region and keeps it, as a device does; the second is the one that counts.
"""

import signal
import subprocess
import sys
import time
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np

from benchmarks.drawn import plain_bundle
from sonoplane.models.bundle import Bundle
from sonoplane.video.phantom import PhantomSettings, simulate

FPS = 30
ADDRESS = "udp://127.0.0.1:23456"
#: By then the stream listens, and by then it has answered what was sent.
STARTS_S, ENDS_S = 5.0, 5.0


def follow(folder: Path, seconds: float, precision: str) -> str:
    """What the stream said last."""
    bundle, frames = plain_bundle(folder / "bundle", "sononet2plus1d-16-causal"), _frames()
    for length in (10.0, seconds):
        said = _once(bundle, folder / "region.json", frames, length, precision)
    return said


def _once(bundle: Bundle, region: Path, frames: list[np.ndarray], seconds: float, precision: str) -> str:
    words = ["stream", ADDRESS, "--bundle", str(bundle.folder), "--region-cache", str(region), "--json"]
    words += ["--run.precision", precision]
    command = [sys.executable, "-c", "from sonoplane.cli.main import main; main()", *words]
    with (
        (region.with_name("said")).open("w+") as said,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said) as stream,
    ):
        time.sleep(STARTS_S)
        _send(frames, seconds)
        time.sleep(ENDS_S)
        stream.send_signal(signal.SIGINT)
        stream.wait()
        said.seek(0)
        return said.read().strip().splitlines()[-1]


def _send(frames: list[np.ndarray], seconds: float) -> None:
    """One frame every thirtieth of a second."""
    with av.open(f"{ADDRESS}?pkt_size=1316", "w", format="mpegts") as container:
        stream = container.add_stream(
            "libx264", rate=FPS, options={"preset": "ultrafast", "tune": "zerolatency"}
        )
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape, "yuv420p"
        stream.gop_size = FPS
        began = time.monotonic()
        for number, image in zip(range(round(seconds * FPS)), cycle([*frames, *frames[::-1]]), strict=False):
            frame = av.VideoFrame.from_ndarray(image, format="gray").reformat(format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
            time.sleep(max(0.0, began + (number + 1) / FPS - time.monotonic()))
        container.mux(stream.encode(None))


def _frames() -> list[np.ndarray]:
    settings = PhantomSettings(height=480, width=640, frames=200, fps=FPS)
    exam = next(simulate("liver-sweep", patients=1, exams=(1, 1), seed=1, settings=settings))
    return [np.ascontiguousarray(frame.image) for frame in exam.recording.frames()]


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    with TemporaryDirectory() as folder:
        print(follow(Path(folder), float(given.get(1, 300)), given.get(2, "float32")))
