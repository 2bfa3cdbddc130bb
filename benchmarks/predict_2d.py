"""From an H.264 file of 640 x 480 to timeline, key frames and report in 2D, against the bare OpenVINO model.

The network is SonoNet-16 at 224 x 288, on OpenVINO in float32; its weights are drawn, which changes no time. The
baseline is that model alone, on frames that were prepared before, in the batches in which it is fastest. Ours is
`steps.predict.predict_all`: it opens the model and the file, finds the region, decodes, prepares, chooses key frames
and writes the results. The recording is the phantom's, coded by x264 at its default quality: 8 kB a frame, where most
real ultrasound videos have 4 to 7 for so many pixels.
"""

import io
import time
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np

from benchmarks.drawn import plain_bundle
from benchmarks.runner import Contest, Facts
from sonoplane.frames.cleaning import clean
from sonoplane.inference.backends import BackendChoice, BatchBackend, open_backend
from sonoplane.inference.export import export
from sonoplane.models.bundle import Bundle
from sonoplane.models.card import Card
from sonoplane.records import Timeline
from sonoplane.steps.predict import predict_all
from sonoplane.steps.recipe import layered
from sonoplane.video.opening import open_recording
from sonoplane.video.phantom import PhantomSettings, simulate
from sonoplane.video.phantom_files import write_mp4

__all__ = ["prepare"]

N_FRAMES = 600
QUALITY = 23
BATCHES = (1, 2, 4, 8, 16)
RECIPE = layered({"run": {"precision": "float32"}, "keyframes": {"min_probability": 0}})
"""Drawn weights are never sure, and there shall be key frames to choose and to write."""


def prepare(folder: Path) -> Contest:
    """One recording: its prepared frames answered by the bare model, its file predicted by ours."""
    path, bundle = (
        _recording(folder / "sweep.mp4"),
        export(plain_bundle(folder / "bundle", "sononet2d-16"), "openvino")[0],
    )
    network, inputs = open_backend(bundle, "openvino", RECIPE.run), _inputs(path, bundle.card)
    assert isinstance(network, BatchBackend)
    batch = _fastest(network, inputs)
    latest: list[Timeline] = []

    def predict() -> int:
        latest[:] = [_predicted(path, bundle, folder / "out", "openvino")]
        return latest[0].n_frames

    def facts() -> Facts:
        expected = _predicted(path, bundle, folder / "torch", "torch")
        same = np.mean(np.array(latest[0].labels) == np.array(expected.labels))
        return {
            "same_labels_percent": 100 * float(same),
            "largest_logit_difference": float(np.abs(latest[0].logits - expected.logits).max()),
            "bare_batch": str(batch),
        }

    return Contest(
        baseline="the bare model on frames in memory, OpenVINO float32",
        piece="frame",
        run_baseline=lambda: _answer(network, inputs, batch),
        run_ours=predict,
        facts=facts,
    )


def _predicted(path: Path, bundle: Bundle, out: Path, backend: BackendChoice) -> Timeline:
    found: list[Timeline] = []
    with redirect_stderr(io.StringIO()):  # no progress among the benchmark's own
        predict_all(
            [path],
            bundle=bundle,
            out=out,
            recipe=RECIPE,
            backend=backend,
            on_done=lambda findings, timeline: found.append(timeline),
        )
    return found[0]


def _inputs(path: Path, card: Card) -> np.ndarray:
    """What the card makes of the recording's cleaned frames."""
    frames = clean(open_recording(path))
    return card.values([card.geometry(frame.image, frames.region.box) for frame in frames])


def _answer(network: BatchBackend, inputs: np.ndarray, batch: int) -> int:
    return sum(len(network(inputs[start : start + batch])) for start in range(0, len(inputs), batch))


def _fastest(network: BatchBackend, inputs: np.ndarray) -> int:
    """The batch in which the model answers fastest, as 48 frames tell."""
    seconds = dict.fromkeys(BATCHES, np.inf)
    for _ in range(4):  # the first warms up
        for batch in BATCHES:
            start = time.perf_counter()
            _answer(network, inputs[:48], batch)
            seconds[batch] = min(seconds[batch], time.perf_counter() - start)
    return min(BATCHES, key=lambda batch: seconds[batch])


def _recording(path: Path) -> Path:
    """The same file every time."""
    settings = PhantomSettings(height=480, width=640, frames=N_FRAMES, fps=30)
    exam = next(simulate("liver-sweep", patients=1, exams=(1, 1), seed=1, settings=settings))
    return write_mp4(exam, path, quality=QUALITY)
