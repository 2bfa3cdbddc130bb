"""What answers without a network reach: the floors that stand beside every figure."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64, Int64
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sonoplane.errors import UsageError

__all__ = ["Floor", "logistic_floor", "majority_floor", "mean_frame_floor", "thumbnail_floor", "thumbnails"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Floor:
    """What a plain rule reaches on the test set."""

    name: str
    accuracy: float
    answers: Int64[np.ndarray, "n"]
    """A class number for each test item, for scores and intervals of one's own."""
    probabilities: Float64[np.ndarray, "n classes"]
    """How likely each class is thought, in the order of class numbers."""


def majority_floor(
    train_labels: npt.ArrayLike, test_labels: npt.ArrayLike, *, n_classes: int | None = None
) -> Floor:
    """Answer the commonest class of the training set, always; each class is as likely as it is common there.

    `n_classes`, here and below, is how many columns the probabilities have; if not given, as many as the labels show.

    >>> floor = majority_floor([0, 1, 1, 1], [1, 0, 0, 1, 1])
    >>> floor.accuracy, floor.probabilities[0].tolist()
    (0.6, [0.25, 0.75])
    """
    train, test = _labels(train_labels), _labels(test_labels)
    known = train[train >= 0]
    counts = np.bincount(known, minlength=_width(n_classes, train, test))
    return _floor("majority class", np.tile(counts / len(known), (len(test), 1)), test)


def thumbnail_floor(
    train_images: Iterable[npt.NDArray[Any]],
    train_labels: npt.ArrayLike,
    test_images: Iterable[npt.NDArray[Any]],
    test_labels: npt.ArrayLike,
    *,
    size: int = 32,
    n_classes: int | None = None,
) -> Floor:
    """Logistic regression on thumbnails of single frames.

    Images (uint8, `height width` or `height width 3`, of any sizes) are read once, in turn. Items labelled -1
    are left out.
    """
    train, test = thumbnails(train_images, size=size), thumbnails(test_images, size=size)
    name = "logistic regression on single frames"
    return logistic_floor(train, train_labels, test, test_labels, n_classes=n_classes, name=name)


def mean_frame_floor(
    train_runs: Iterable[Iterable[npt.NDArray[Any]]],
    train_labels: npt.ArrayLike,
    test_runs: Iterable[Iterable[npt.NDArray[Any]]],
    test_labels: npt.ArrayLike,
    *,
    size: int = 32,
    n_classes: int | None = None,
) -> Floor:
    """Logistic regression on the mean frame of each labelled run: what can be known without motion."""
    train, test = _mean_thumbnails(train_runs, size), _mean_thumbnails(test_runs, size)
    name = "logistic regression on the mean frame"
    return logistic_floor(train, train_labels, test, test_labels, n_classes=n_classes, name=name)


def logistic_floor(
    train: Float32[np.ndarray, "n numbers"],
    train_labels: npt.ArrayLike,
    test: Float32[np.ndarray, "m numbers"],
    test_labels: npt.ArrayLike,
    *,
    n_classes: int | None = None,
    name: str = "logistic regression",
) -> Floor:
    """Logistic regression on standardized numbers of each item, such as its thumbnail; items labelled -1 are left out.

    Raises UsageError where the training set shows fewer than two classes, or the test set has no label.
    """
    known, asked = _labels(train_labels), _labels(test_labels)
    labelled = known >= 0
    if len(np.unique(known[labelled])) < 2:
        raise UsageError(
            "The training set of a floor shows fewer than two classes.",
            advice="Label more of it, or take majority_floor.",
        )
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a floor need not be exact to the last digit
        model.fit(train[labelled], known[labelled])
    probabilities = np.zeros((len(test), _width(n_classes, known, asked)))
    probabilities[:, model.classes_] = model.predict_proba(test)
    return _floor(name, probabilities / probabilities.sum(axis=1, keepdims=True), asked)


def thumbnails(images: Iterable[npt.NDArray[Any]], *, size: int = 32) -> Float32[np.ndarray, "n pixels"]:
    """Each image's gray area mean at `size` x `size`, as one row.

    >>> thumbnails([np.array([[0, 10], [20, 30]], dtype=np.uint8)], size=1)
    array([[15.]], dtype=float32)
    """
    rows = []
    for image in images:
        if image.ndim not in (2, 3) or not image.size:
            raise UsageError(f"An image of shape {image.shape} is none.", advice="Give height width [3].")
        gray = image if image.ndim == 2 else image.mean(axis=2)
        height, width = gray.shape
        rows.append((_area_mean(height, size) @ gray @ _area_mean(width, size).T).ravel())
    return np.array(rows, dtype=np.float32).reshape(len(rows), size * size)


def _mean_thumbnails(
    runs: Iterable[Iterable[npt.NDArray[Any]]], size: int
) -> Float32[np.ndarray, "n pixels"]:
    """The mean thumbnail of each run, which is the thumbnail of its mean frame."""
    means = [thumbnails(run, size=size).mean(axis=0) for run in runs]
    return np.array(means, dtype=np.float32).reshape(len(means), size * size)


def _area_mean(n: int, size: int) -> Float64[np.ndarray, "size n"]:
    """The matrix that turns n pixels into the means of `size` equal stretches of them."""
    edges = np.linspace(0, n, size + 1)
    pixels = np.arange(n)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.asarray(np.maximum(overlap, 0) * (size / n))


def _floor(
    name: str, probabilities: Float64[np.ndarray, "n classes"], test_labels: Int64[np.ndarray, "n"]
) -> Floor:
    """The floor with its likeliest classes, and their accuracy over the labelled test items."""
    labelled = test_labels >= 0
    if not labelled.any():
        raise UsageError(
            "The test set of a floor has no label.", advice="Check the label table and the split."
        )
    answers = probabilities.argmax(axis=1).astype(np.int64)
    accuracy = float((answers == test_labels)[labelled].mean())
    return Floor(name=name, accuracy=accuracy, answers=answers, probabilities=probabilities)


def _width(n_classes: int | None, train: Int64[np.ndarray, "n"], test: Int64[np.ndarray, "m"]) -> int:
    return n_classes or int(max(train.max(), test.max())) + 1


def _labels(labels: npt.ArrayLike | Sequence[int]) -> Int64[np.ndarray, "n"]:
    """Class numbers, at least one of them."""
    array = np.asarray(labels)
    if array.ndim != 1 or array.dtype.kind not in "iu" or not len(array):
        raise UsageError(
            "The labels of a floor are not one class number for each item.", advice="Give integers."
        )
    return array.astype(np.int64)
