"""What training learns from: clips of recordings, or single frames, with their labels."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float64, Int64

from sonoplane.clips.labels import UNLABELLED
from sonoplane.clips.policies import cut
from sonoplane.clips.windows_settings import WindowSettings
from sonoplane.errors import UsageError
from sonoplane.training.settings import TrainingSettings

__all__ = ["Form", "Samples", "class_counts", "cut_samples", "evening_weights", "form_of"]

Form: TypeAlias = Literal["frames", "centres", "clips", "dense"]
"""Every labelled frame; the centre frame of each clip; clips with one label; clips with a label for each frame."""
Targets: TypeAlias = Int64[np.ndarray, "samples answers"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """The samples of one recording."""

    recording: str
    frames: Int64[np.ndarray, "samples length"]
    """The frames of each."""
    targets: Targets
    """The class of each, or of each of its frames; -1 where there is none."""

    def __len__(self) -> int:
        return len(self.targets)


def form_of(settings: TrainingSettings, *, takes_clips: bool) -> Form:
    """What a network is shown.

    >>> form_of(TrainingSettings(), takes_clips=False), form_of(TrainingSettings(dense=True), takes_clips=True)
    ('frames', 'dense')
    """
    if takes_clips:
        return "dense" if settings.dense else "clips"
    return "centres" if settings.centre_frame else "frames"


def cut_samples(
    recording: str,
    labels: Int64[np.ndarray, "time"],
    *,
    form: Form,
    windows: WindowSettings,
    chosen: Int64[np.ndarray, "chosen"] | None = None,
    every: int = 1,
) -> Samples:
    """The samples of a recording, from the class number of every frame (-1 where it has none).

    Where frames were `chosen` (sub-sampling), only these are taken, and only clips that hold one of them; `every`
    takes the n-th of what is left.

    >>> labels = np.array([0, 0, 0, 0, 1, 1, -1])
    >>> made = cut_samples("a", labels, form="clips", windows=WindowSettings(length=2, stride=2))
    >>> made.frames.tolist(), made.targets.tolist()
    ([[0, 1], [2, 3], [4, 5]], [[0], [0], [1]])
    >>> cut_samples("a", labels, form="frames", windows=WindowSettings(), every=3).frames.tolist()
    [[0], [3]]

    Raises:
        UsageError: the clips have a label for each frame where they need one.
    """
    if form == "frames":
        windows = WindowSettings(kind="frames", policy="last")
    elif form != "dense" and windows.policy == "per-frame":
        raise UsageError(
            "Clips with a label for each frame cannot be learned as a whole.",
            advice="Say --training.dense, or give another `windows.policy`.",
        )
    made = cut(labels, windows=windows, policy="per-frame" if form == "dense" else windows.policy)
    frames = made.windows.indices()
    if form == "centres":
        frames = made.windows.centres[:, None]
    targets = made.targets if made.targets.ndim == 2 else made.targets[:, None]
    held = np.ones(len(frames), bool) if chosen is None else np.isin(frames, chosen).any(axis=1)
    return Samples(recording=recording, frames=frames[held][::every], targets=targets[held][::every])


def class_counts(targets: Targets, n_classes: int) -> Int64[np.ndarray, "classes"]:
    """How many labels there are of each class."""
    return np.bincount(targets[targets != UNLABELLED], minlength=n_classes)


def evening_weights(targets: Targets, n_classes: int) -> Float64[np.ndarray, "samples"]:
    """How often to draw each sample so that all classes come equally often; they add up to 1.

    >>> evening_weights(np.array([[0], [0], [0], [1]]), 2).round(3).tolist()
    [0.167, 0.167, 0.167, 0.5]
    """
    rarity = np.append(
        1 / np.maximum(class_counts(targets, n_classes), 1), 0.0
    )  # the last is that of no label
    weights = rarity[targets].sum(axis=1) / np.maximum((targets != UNLABELLED).sum(axis=1), 1)
    return np.asarray(weights / weights.sum())
