"""Labels a second of a network that sees clips: ours, from a file on, against one window of frames for each label.

The baseline is the plain way of research scripts: for every frame, the network in eager PyTorch, float32, in its
default memory format and on all cores, answers the 10 frames that end with it. It is given windows that are in memory
and prepared. Ours is `steps.predict.predict`: it opens the file, finds the ultrasound region, decodes, prepares,
answers every frame on the default backend, and chooses key frames. A window costs as much as any other, so that a turn
of the baseline is some windows, and times are compared by the label.

The network has weights of `drawn.py`. Its labels are compared with those of PyTorch in float32, which answers the same
recording in the same mode; peak memory is that of `sonoplane predict` in a process of its own. int8 is fitted to
another recording, and its export proven on this one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.alone import peak_mb
from benchmarks.drawn import Scenes, drawn_bundle, images_of, inputs_of, scenes, timeline
from benchmarks.runner import Contest, Facts, Work
from sonoplane.inference.backends import open_backend
from sonoplane.inference.export import export
from sonoplane.inference.export_proof import Evidence
from sonoplane.inference.export_settings import ExportSettings
from sonoplane.models.bundle import Bundle
from sonoplane.models.registry import load_network
from sonoplane.records import Timeline
from sonoplane.steps.predict import predict
from sonoplane.steps.recipe import layered
from sonoplane.video.opening import open_recording

__all__ = ["FULL", "Size", "agreement", "contest"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How large all of it is."""

    side: int = 256
    """Height and width of the recording, and of the network's input."""
    frames: int = 300
    """Of the recording."""
    turn: int = 300
    """Frames of the recording that is predicted in a turn: where it is another, what is done once weighs more in it."""
    windows: int = 10
    """Of the baseline's turn."""
    length: int = 10
    """Frames of a window."""
    fitted: int = 300
    """Of another recording, which int8 is fitted to."""


FULL = Size()


def contest(folder: Path, network: str, *, mode: str, precision: str, size: Size = FULL) -> Contest:
    """The windows of eager PyTorch, and prediction in a mode and a precision."""
    whole = seen = _scenes(folder, size, size.frames)
    if size.turn != size.frames:
        seen = _scenes(folder, size, size.turn)
    bundle = drawn_bundle(folder, network, (size.side, size.side), seen, mode=mode)
    if precision == "int8":
        bundle = _in_int8(bundle, _scenes(folder, size, size.fitted, seed=2), seen)
    run = {"mode": mode, "precision": precision}
    expected = timeline(seen.file, bundle, {"mode": mode}, "torch")
    latest: list[Timeline] = []

    def facts() -> Facts:
        flags = ("--mode", mode, "--run.precision", precision)
        peak = peak_mb("predict", whole.file, "--bundle", bundle.folder, "--out", folder / "out", *flags)
        return {**agreement(latest[-1], expected), "peak_memory_mb": peak}

    return Contest(
        baseline=f"a {size.length}-frame window for each label, eager PyTorch float32",
        piece="label",
        run_baseline=_windows(bundle, inputs_of(seen.file, bundle.card), size),
        run_ours=_prediction(seen, bundle, run, latest),
        same_work=False,
        facts=facts,
    )


def _scenes(folder: Path, size: Size, n_frames: int, seed: int = 1) -> Scenes:
    file = folder / f"{n_frames} of {seed}.mp4"
    return scenes(file, height=size.side, width=size.side, n_frames=n_frames, seed=seed)


def _in_int8(bundle: Bundle, other: Scenes, seen: Scenes) -> Bundle:
    """With a model of pieces in int8, fitted to one recording and proven on the other."""
    fitted, shown = (
        Evidence(runs=(np.stack(images_of(each.file, bundle.card)),), told="of the phantom")
        for each in (other, seen)
    )
    settings = ExportSettings(form="dense", precision="int8")
    return export(bundle, "openvino", settings, evidence=lambda *_: shown, calibration=lambda *_: fitted)[0]


def agreement(found: Timeline, expected: Timeline) -> Facts:
    """How far a timeline is from that of PyTorch in float32."""
    same = np.mean(np.array(found.labels) == np.array(expected.labels))
    changes = sum(a != b for a, b in zip(expected.labels, expected.labels[1:], strict=False))
    return {
        "same_labels_percent": 100 * float(same),
        "label_changes": float(changes),
        "largest_logit_difference": float(np.abs(found.logits - expected.logits).max()),
        "largest_probability_difference": float(np.abs(found.probabilities - expected.probabilities).max()),
    }


def _windows(bundle: Bundle, inputs: np.ndarray, size: Size) -> Work:
    """Windows from all over the recording, one after the other."""
    network = load_network(bundle)
    starts = np.linspace(0, len(inputs) - size.length, size.windows).astype(int)
    windows = [torch.from_numpy(inputs[None, None, i : i + size.length, 0].copy()) for i in starts]

    def label() -> int:
        with torch.inference_mode():
            return len([int(network(window).argmax()) for window in windows])

    return label


def _prediction(seen: Scenes, bundle: Bundle, run: dict[str, str], latest: list[Timeline]) -> Work:
    recipe = layered(bundle.recipe, {"run": run})
    backend = open_backend(bundle, "auto", recipe.run)

    def label() -> int:
        recording = open_recording(seen.file)
        latest[:] = [predict(recording, bundle=bundle, backend=backend, recipe=recipe)[1]]
        return latest[0].n_frames

    return label
