"""How long the classes last and which follows which, learned from labelled recordings of any frame rate."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from sonoplane.clips.labels import UNLABELLED
from sonoplane.errors import BundleError, UsageError
from sonoplane.models.bundle import Bundle

__all__ = ["TRANSITIONS", "LabelledFrames", "Transitions", "learn_transitions", "transitions_of"]

#: The file of a bundle that holds them.
TRANSITIONS = "transitions.json"
FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledFrames:
    """The class numbers of a recording's frames (-1 where nobody labelled one), and how fast they came."""

    numbers: Int64[np.ndarray, "time"]
    fps: float | None
    patient: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Transitions:
    """A Markov chain in continuous time over the classes, as it was counted.

    Kept as changes and seconds, not as chances from frame to frame: these belong to one frame rate, and their
    fractional powers, which another rate would need, may be negative or complex. The chances at any rate are
    `expm(rates / fps)`, always positive, and twice as many frames a second take two steps for one.
    """

    classes: tuple[str, ...]
    counts: Int64[np.ndarray, "classes classes"]
    """How often a frame of one class (row) was followed by a frame of another (column)."""
    seconds: Float64[np.ndarray, "classes"]
    """How long each class was watched."""
    prior: Float64[np.ndarray, "classes"]
    """How often the network expects each class, by how it was trained; its probabilities are divided by this."""
    fps: float
    """Median of the training recordings."""
    n_recordings: int
    n_patients: int

    def __post_init__(self) -> None:
        n = len(self.classes)
        shapes = (self.counts.shape, self.seconds.shape, self.prior.shape)
        sound = (
            n > 0
            and len(set(self.classes)) == n
            and shapes == ((n, n), (n,), (n,))
            and bool((self.counts >= 0).all() and not self.counts.diagonal().any())
            and bool(np.isfinite(self.seconds).all() and (self.seconds >= 0).all())
            and bool((self.prior > 0).all() and np.isclose(self.prior.sum(), 1))
            and bool(np.isfinite(self.fps) and self.fps > 0)
        )
        if not sound:
            raise UsageError(
                "The transitions do not fit their classes, or hold a number that cannot be.",
                advice="Learn them again from labelled recordings.",
            )

    @property
    def rates(self) -> Float64[np.ndarray, "classes classes"]:
        """Changes a second from each class (row) to each other, one added to every count; rows add up to zero.

        One second is added to every class's time as well, so that a class that was never seen has rates, too: the
        mean of what a rate can be when, before any data, it was drawn from an exponential distribution of mean one
        a second.
        """
        rates = (self.counts + 1.0) / (self.seconds + 1.0)[:, None]
        np.fill_diagonal(rates, 0)
        np.fill_diagonal(rates, -rates.sum(axis=1))
        return rates

    @property
    def start(self) -> Float64[np.ndarray, "classes"]:
        """How likely each class is before anything was seen: its share of the time, one second added to each."""
        return np.asarray((self.seconds + 1) / (self.seconds + 1).sum())

    def matrix(self, fps: float) -> Float64[np.ndarray, "classes classes"]:
        """How likely each class (column) is one frame after a frame of each class (row), at this frame rate."""
        from scipy.linalg import expm  # only smoothing waits for it

        chances = np.maximum(expm(self.rates / fps), np.finfo(np.float64).tiny)
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))

    def to_json(self) -> bytes:
        """As the bundle keeps them."""
        values = {
            "format": FORMAT,
            "classes": list(self.classes),
            "counts": self.counts.tolist(),
            "seconds": self.seconds.tolist(),
            "prior": self.prior.tolist(),
            "fps": self.fps,
            "n_recordings": self.n_recordings,
            "n_patients": self.n_patients,
        }
        return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Transitions":
        """What `to_json` wrote.

        Raises:
            BundleError: it is something else, or of a later format.
        """
        try:
            values: dict[str, Any] = json.loads(data)
            if values.pop("format") != FORMAT:
                raise BundleError(
                    f"{TRANSITIONS} is of a format that is not known here.", advice="Update sonoplane."
                )
            return cls(
                classes=tuple(values["classes"]),
                counts=np.array(values["counts"], dtype=np.int64),
                seconds=np.array(values["seconds"], dtype=np.float64),
                prior=np.array(values["prior"], dtype=np.float64),
                fps=float(values["fps"]),
                n_recordings=int(values["n_recordings"]),
                n_patients=int(values["n_patients"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError, UsageError) as error:
            raise BundleError(
                f"{TRANSITIONS} does not hold what it should.",
                advice="Copy the bundle again from where it was made, or train it anew.",
            ) from error


def learn_transitions(
    recordings: Iterable[LabelledFrames],
    classes: tuple[str, ...],
    prior: Float64[np.ndarray, "classes"] | None = None,
) -> Transitions | None:
    """Count how the classes follow each other; None where they never do (one label a recording) or no rate is known.

    Of two neighboring frames both must be labelled to count: what happens in a gap is not known. Recordings without
    frame times are passed over. `prior` is how often the network expects each class; if it is not given, its share of
    the labelled frames, one added to each.

    >>> labels = np.array([0, 0, 0, 1, 1, -1, 0])
    >>> learned = learn_transitions([LabelledFrames(numbers=labels, fps=2.0, patient="p0")], ("none", "kidney"))
    >>> learned.counts.tolist(), learned.seconds.tolist(), learned.prior.tolist()
    ([[0, 1], [0, 0]], [1.5, 0.5], [0.625, 0.375])
    """
    n = len(classes)
    pairs, frames = np.zeros((n, n), np.int64), np.zeros(n, np.int64)
    seconds = np.zeros(n)
    rates: list[float] = []
    patients = set()
    for one in recordings:
        frames += np.bincount(one.numbers[one.numbers != UNLABELLED], minlength=n)
        before, after = one.numbers[:-1], one.numbers[1:]
        known = (before != UNLABELLED) & (after != UNLABELLED)
        if one.fps is None or not known.any():
            continue
        counted = np.zeros((n, n), np.int64)
        np.add.at(counted, (before[known], after[known]), 1)
        pairs += counted
        seconds += counted.sum(axis=1) / one.fps
        rates.append(one.fps)
        patients.add(one.patient)
    counts = pairs * (1 - np.eye(n, dtype=np.int64))
    if not counts.any():
        return None
    return Transitions(
        classes=classes,
        counts=counts,
        seconds=seconds,
        prior=(frames + 1) / (frames + 1).sum() if prior is None else prior,
        fps=float(median(rates)),
        n_recordings=len(rates),
        n_patients=len(patients),
    )


def transitions_of(bundle: Bundle) -> Transitions | None:
    """What a bundle knows of how its classes follow each other; None where it knows nothing.

    Raises:
        BundleError: its file was altered, does not hold what it should, or is about other classes than its card.
    """
    path = bundle.file(TRANSITIONS)
    if path is None:
        return None
    transitions = Transitions.from_json(path.read_bytes())
    if transitions.classes != bundle.card.classes:
        raise BundleError(
            f"{TRANSITIONS} of bundle '{bundle.name}' is about other classes than its card.",
            advice="Train the bundle anew, or remove the file from where it was made.",
        )
    return transitions
