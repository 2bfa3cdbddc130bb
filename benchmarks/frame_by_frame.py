"""A live feed: pushing frames into `Streamer` one by one, against the bare stateful model on frames in memory.

The network is a causal SonoNet-16 in 3D at 224 x 288 with weights of `drawn.py`; the feed has frames of 640 x 480. Ours
crops and resizes a frame, makes its values, answers it and gives calibrated probabilities. The baseline is the compiled
model alone, which remembers the past inside, on frames that were prepared before. Every frame is timed by itself: a
turn stands for the median of its frames, and the 99th percentiles are those of all frames of all turns.

`python -m benchmarks.frame_by_frame BUNDLE RECORDING PRECISION FEW MANY` tells the memory after so many frames.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.alone import memory_mb, say_last
from benchmarks.drawn import drawn_bundle, inputs_of, scenes, timeline
from benchmarks.runner import Contest, Facts
from sonoplane.frames.cleaning import clean
from sonoplane.inference.backends import open_backend
from sonoplane.inference.graph import piece_graph
from sonoplane.inference.layers import layers_of
from sonoplane.inference.openvino_runtime import stateful
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.streaming import Streamer
from sonoplane.inference.timeline import softmax
from sonoplane.models.bundle import Bundle
from sonoplane.video.opening import open_recording

__all__ = ["FULL", "Size", "contest"]

#: What OpenVINO calls the arithmetic.
PRECISIONS = {"float32": "f32", "bf16": "bf16"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How large all of it is."""

    network: str = "sononet3d-16-causal"
    frame: tuple[int, int] = (480, 640)
    """Height and width of the feed's frames."""
    input: tuple[int, int] = (224, 288)
    """Height and width of the network's input."""
    frames: int = 120
    """Different ones; the feed has them over and over."""
    turn: int = 134
    """Frames of a turn: 2,010 in 15 turns."""
    few: int = 200
    many: int = 20_000
    """After how many frames memory is looked at."""


FULL = Size()


class Timed:
    """A feed that never ends, of which every turn takes some frames; remembers how long each took."""

    def __init__(self, take: Callable[[Any], object], frames: Iterable[object], n_turn: int) -> None:
        self._take = take
        self._feed = cycle(frames)
        self._n_turn = n_turn
        self._turns: list[list[float]] = []

    def turn(self) -> list[float]:
        """Seconds of each frame."""
        seconds = []
        for frame in islice(self._feed, self._n_turn):
            start = time.perf_counter()
            self._take(frame)
            seconds.append(time.perf_counter() - start)
        self._turns.append(seconds)
        return seconds

    def ms(self, percentile: float) -> float:
        """Of all frames of all turns but the first, which warms up."""
        return float(np.percentile(np.concatenate(self._turns[1:]), percentile)) * 1000


def contest(folder: Path, precision: str, size: Size = FULL) -> Contest:
    """The bare model, and the class that a device's loop uses."""
    height, width = size.frame
    seen = scenes(folder / "scenes.mp4", height=height, width=width, n_frames=size.frames)
    bundle = drawn_bundle(folder, size.network, size.input, seen, mode="dense")
    streamer, images = _streamer(bundle, seen.file, precision)
    expected = timeline(seen.file, bundle, {"mode": "dense"}, "torch")
    found = np.array([streamer.push(image) for image in images])
    bare = Timed(_bare(bundle, precision), inputs_of(seen.file, bundle.card)[:, None, None], size.turn)
    ours = Timed(streamer.push, images, size.turn)

    def facts() -> Facts:
        same = np.mean(found.argmax(axis=1) == expected.logits.argmax(axis=1))
        return {
            "same_labels_percent": 100 * float(same),
            "largest_probability_difference": float(np.abs(found - softmax(expected.logits)).max()),
            "median_over_bare_median": ours.ms(50) / bare.ms(50),
            "p99_over_bare_median": ours.ms(99) / bare.ms(50),
            "bare_p99_over_bare_median": bare.ms(99) / bare.ms(50),
        }

    def long_facts() -> Facts:
        after = str(size.few), str(size.many)
        told = say_last("benchmarks.frame_by_frame", bundle.folder, seen.file, precision, *after)
        after_few, after_many = json.loads(told)
        return {
            f"memory_after_{size.few}_mb": after_few,
            f"memory_after_{size.many}_mb": after_many,
            "memory_growth_percent": 100 * (after_many / after_few - 1),
        }

    return Contest(
        baseline="the bare stateful OpenVINO model on prepared frames",
        piece="frame",
        run_baseline=bare.turn,
        run_ours=ours.turn,
        facts=facts,
        long_facts=long_facts,
    )


def _bare(bundle: Bundle, precision: str) -> Callable[[np.ndarray], object]:
    """The network as a model of one frame that keeps its past inside, and nothing around it."""
    import openvino

    piece = piece_graph(layers_of(bundle.spec, bundle.weights()), bundle.card.size, 1, ends=False)
    core = openvino.Core()
    model = stateful(core.read_model(piece.model.SerializeToString()), piece.memory)
    hints = {"INFERENCE_PRECISION_HINT": PRECISIONS[precision], "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(model, "CPU", hints).create_infer_request()
    return lambda frame: np.array(request.infer([frame], share_inputs=True)[0])


def _streamer(bundle: Bundle, recording: Path, precision: str) -> tuple[Streamer, list[np.ndarray]]:
    """The class, and the frames of its feed."""
    run = RunSettings.model_validate({"mode": "dense", "piece": 1, "precision": precision})
    frames = clean(open_recording(recording))
    images = [frame.image for frame in frames.read()]
    return Streamer(bundle, open_backend(bundle, "openvino", run), run, box=frames.region.box), images


def _memory(bundle: Path, recording: Path, precision: str, *after: int) -> list[float]:
    """What the process holds, MB, after so many frames."""
    streamer, images = _streamer(Bundle.load(bundle), recording, precision)
    feed = cycle(images)
    held = []
    for n_frames in np.diff([0, *after]):
        for image in islice(feed, int(n_frames)):
            streamer.push(image)
        held.append(memory_mb("VmRSS"))
    return held


if __name__ == "__main__":
    print(json.dumps(_memory(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:]))))
