"""What the box of a key frame costs: guided back-propagation, blur, threshold and region, as prediction does it.

The baseline is one forward pass of eager PyTorch, float32, in its default memory format and on all cores, over what the
network sees of a key frame: the frame, or the clip that ends with it. Both are given what the card has prepared. The
network's weights are drawn: it costs what a trained one costs. Boxes are in the arithmetic that is the default here.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.drawn import inputs_of, plain_bundle, scenes
from benchmarks.runner import Contest, Facts, Work
from sonoplane.inference.localization_settings import LocalizationSettings
from sonoplane.inference.localize import Localizer, box_of, near
from sonoplane.inference.settings import RunSettings
from sonoplane.models.bundle import Bundle
from sonoplane.models.registry import load_network
from sonoplane.records import Box

__all__ = ["FULL", "Size", "contest"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How large all of it is."""

    frames: int = 20
    """Of the recording."""
    turn: int = 4
    """Key frames of a turn."""
    frame: tuple[int, int] = (480, 640)
    """Height and width of the recording."""


FULL = Size()


def contest(folder: Path, network: str, size: Size = FULL) -> Contest:
    """A forward pass of eager PyTorch, and a box."""
    height, width = size.frame
    seen = scenes(folder / "scenes.mp4", height=height, width=width, n_frames=size.frames)
    bundle = plain_bundle(folder / "plain", network)
    localizer = Localizer(bundle, RunSettings())
    inputs = inputs_of(seen.file, bundle.card)
    ends = np.linspace(localizer.sight.length, len(inputs), size.turn).astype(int)
    clips = [np.ascontiguousarray(inputs[end - localizer.sight.length : end]) for end in ends]
    blur, place = LocalizationSettings().blur, localizer.sight.place
    boxes: list[Box | None] = []

    def box() -> int:
        boxes[:] = [box_of(near(localizer(clip, 1), place), blur) for clip in clips]
        return len(boxes)

    def facts() -> Facts:
        exact = Localizer(bundle, RunSettings(), "float32")
        same = [
            found.overlap(other) if found and other else float(found is other)
            for found, other in zip(
                boxes, (box_of(near(exact(clip, 1), place), blur) for clip in clips), strict=True
            )
        ]
        return {"arithmetic": localizer.precision, "overlap_with_float32": float(np.mean(same))}

    return Contest(
        baseline="one forward pass of eager PyTorch float32 over what the network sees of it",
        piece="key frame",
        run_baseline=_forward(bundle, clips),
        run_ours=box,
        facts=facts,
    )


def _forward(bundle: Bundle, clips: list[np.ndarray]) -> Work:
    network = load_network(bundle)
    given = [
        torch.from_numpy(clip.swapaxes(0, 1)[None].copy() if network.takes_clips else clip) for clip in clips
    ]

    def answer() -> int:
        with torch.inference_mode():
            return len([int(network(one).argmax()) for one in given])

    return answer
