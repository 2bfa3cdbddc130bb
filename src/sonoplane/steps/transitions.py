"""How the classes of a task follow each other in the recordings that a network learns from."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64, Int64

from sonoplane.frames.archive import Archive
from sonoplane.inference.smoothing_transitions import LabelledFrames, Transitions, learn_transitions
from sonoplane.training.settings import TrainingSettings

__all__ = ["expected_classes", "transitions_in"]


def transitions_in(
    store: Archive,
    targets: Mapping[str, Int64[np.ndarray, "time"]],
    classes: tuple[str, ...],
    *,
    parts: Mapping[str, str],
    expected: Float64[np.ndarray, "classes"] | None = None,
) -> Transitions | None:
    """What the recordings of part `train` teach; None where the class never changes within a recording.

    `targets` are the class numbers of each recording's frames, -1 where there is none; `parts` says which part each
    recording is in; `expected` is how often the network expects each class.
    """
    recordings = [
        LabelledFrames(numbers=targets[entry.id], fps=entry.fps, patient=entry.patient or entry.id)
        for entry in store.entries
        if parts.get(entry.id) == "train"
    ]
    return learn_transitions(recordings, classes, expected)


def expected_classes(
    counts: Int64[np.ndarray, "classes"], training: TrainingSettings
) -> Float64[np.ndarray, "classes"]:
    """How often a network comes to expect each class, from how many labels it learned from; one added to each.

    Weighing classes by their rarity, or drawing them equally often, teaches that all are equally common, whatever the
    labels say; doing both, that the rare ones are the common ones.

    >>> counts = np.array([7, 1])
    >>> expected_classes(counts, TrainingSettings(class_weights=False)).tolist()
    [0.8, 0.2]
    >>> expected_classes(counts, TrainingSettings(class_weights=True)).tolist()
    [0.5, 0.5]
    """
    evened = int(training.class_weights) + int(training.sampling == "balanced")
    shares = (counts + 1.0) ** (1 - evened)
    return np.asarray(shares / shares.sum())
