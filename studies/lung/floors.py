"""What pixels tell without a network, and what facts of the files tell without pixels."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float32, Int64

from sonoplane.frames.archive import Archive
from sonoplane.metrics.answers import Answers, answers_of
from sonoplane.metrics.floors import logistic_floor, thumbnails
from studies.lung.plan import FLOORS

__all__ = ["facts_of", "features_of", "floor_answers"]

Features = Float32[np.ndarray, "recordings numbers"]


def features_of(store: Archive, recordings: Sequence[str], *, size: int = 32) -> dict[str, Features]:
    """What each floor sees of every recording: thumbnails of `size` x `size`, read once."""
    rows: dict[str, list[np.ndarray]] = {name: [] for name in FLOORS}
    for recording in recordings:
        small = thumbnails(store.read(recording), size=size)
        mean = small.mean(axis=0)
        rows["middle-frame"].append(small[len(small) // 2])
        rows["mean-frame"].append(mean)
        rows["temporal"].append(np.concatenate([mean, small.std(axis=0)]))
    return {name: np.stack(row) for name, row in rows.items()}


def floor_answers(features: Features, folds: Int64[np.ndarray, "recordings"], like: Answers) -> Answers:
    """Logistic regression answers for each fold, having learned from all others; its rows are those of `like`.

    A floor has no epoch to choose: it learns from the fold that chooses a network's epoch as well.
    """
    n_classes = len(like.classes)
    probabilities = np.zeros((like.n, n_classes))
    for fold in np.unique(folds):
        test = folds == fold
        probabilities[test] = logistic_floor(
            features[~test], like.targets[~test], features[test], like.targets[test], n_classes=n_classes
        ).probabilities
    return answers_of(
        level="recording",
        classes=like.classes,
        targets=like.targets,
        probabilities=probabilities,
        recordings=like.recordings,
        patients=like.patients,
    )


def facts_of(store: Archive, recordings: Sequence[str]) -> Mapping[str, list[float | str | None]]:
    """What the files tell of each recording besides its pixels; layouts by how common they are."""
    entries = [store.entry(name) for name in recordings]
    layouts = [name for name, _ in Counter(entry.layout for entry in entries).most_common()]
    return {
        "rows": [entry.source_height for entry in entries],
        "columns": [entry.source_width for entry in entries],
        "rate": [entry.fps for entry in entries],
        "frames": [entry.n_frames for entry in entries],
        "region height": [entry.box.bottom - entry.box.top if entry.box else None for entry in entries],
        "region width": [entry.box.right - entry.box.left if entry.box else None for entry in entries],
        "screen layout": [f"layout {layouts.index(entry.layout) + 1}" for entry in entries],
    }
