"""What a network answered, beside the truth: the one record that all numbers are computed from."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float64, Int64, Shaped

from sonoplane.errors import UsageError
from sonoplane.metrics.scores import class_numbers
from sonoplane.records import Timeline

__all__ = ["Answers", "Level", "answers_of", "check_same_rows", "frame_answers"]

Level: TypeAlias = Literal["frame", "clip", "segment", "recording", "patient"]

#: How far from one the probabilities of a row may sum.
_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """One row for each item: a frame, clip, segment, recording or patient. Build it with `answers_of`."""

    level: Level
    classes: tuple[str, ...]
    targets: Int64[np.ndarray, "n"] = field(repr=False)
    """The true class; -1 where nobody labelled it: such rows are never scored."""
    probabilities: Float64[np.ndarray, "n classes"] = field(repr=False)
    said: Int64[np.ndarray, "n"] = field(repr=False)
    """The class answered; the likeliest, unless the rule that made the row left a class out or counted votes."""
    recordings: Shaped[np.ndarray, "n"] = field(repr=False)
    """Whose row it is; rows of a recording follow each other, in time. The patient's name at level `patient`."""
    patients: Shaped[np.ndarray, "n"] = field(repr=False)
    tied: Bool[np.ndarray, "n"] = field(repr=False)
    """Two classes were equal first, by the rule that made the row."""
    notes: tuple[str, ...] = ()
    """What was left out on the way here, a sentence each."""

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.targets)

    @property
    def sure(self) -> Float64[np.ndarray, "n"]:
        """The probability of each row's answer, which need not be the likeliest class."""
        return np.asarray(self.probabilities[np.arange(self.n), self.said])

    @property
    def labelled(self) -> Bool[np.ndarray, "n"]:
        """Rows with a target: those that are scored."""
        return self.targets >= 0

    def only(self, rows: npt.ArrayLike | slice, *notes: str) -> "Answers":
        """Some of the rows (a mask, numbers or a slice), with more notes."""
        place = rows if isinstance(rows, slice) else np.asarray(rows)
        return Answers(
            level=self.level,
            classes=self.classes,
            targets=self.targets[place],
            probabilities=self.probabilities[place],
            said=self.said[place],
            recordings=self.recordings[place],
            patients=self.patients[place],
            tied=self.tied[place],
            notes=(*self.notes, *notes),
        )


def answers_of(
    *,
    level: Level,
    classes: Iterable[str],
    targets: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    recordings: Iterable[str],
    patients: Iterable[str],
    said: npt.ArrayLike | None = None,
    tied: npt.ArrayLike | None = None,
    notes: Iterable[str] = (),
) -> Answers:
    """Check everything once; `said` is the likeliest class unless given.

    Raises UsageError for lengths that differ, NaN, probabilities that are negative or do not sum to one, targets
    that are no class numbers, a recording with two patients.

    >>> answers = answers_of(level="recording", classes=("kidney", "liver"), targets=[0, -1],
    ...                      probabilities=[[0.9, 0.1], [0.5, 0.5]], recordings=["a", "b"], patients=["p", "p"])
    >>> answers.said, answers.tied, answers.labelled
    (array([0, 0]), array([False,  True]), array([ True, False]))
    """
    names = tuple(classes)
    chances = _probabilities(probabilities, len(names))
    true = class_numbers(targets, len(names), what="targets")
    whose, patient = _names(recordings), _names(patients)
    if not len(true) == len(chances) == len(whose) == len(patient):
        raise UsageError(
            f"There are {len(true)} targets, {len(chances)} rows of probabilities, {len(whose)} recordings"
            f" and {len(patient)} patients.",
            advice="Give one of each for every row; a target of -1 where there is no label.",
        )
    _check_patients(whose, patient)
    best = chances.max(axis=1, initial=0)[:, None]
    likeliest = chances.argmax(axis=1) if len(chances) else np.zeros(0)
    return Answers(
        level=level,
        classes=names,
        targets=true,
        probabilities=chances,
        said=class_numbers(likeliest if said is None else said, len(names), what="answers", lowest=0),
        recordings=whose,
        patients=patient,
        tied=(chances == best).sum(axis=1) > 1 if tied is None else np.asarray(tied, dtype=bool),
        notes=tuple(notes),
    )


def frame_answers(
    watched: Iterable[tuple[Timeline, npt.NDArray[np.int64], str]], *, level: Level = "frame"
) -> Answers:
    """The rows of all frames of timelines, each with its frames' targets (-1: unlabelled) and its patient.

    What was said of a frame is its class on the timeline's path, where smoothing settled one.

    Raises UsageError where timelines disagree on the classes, or two are of one recording.
    """
    taken = list(watched)
    if not taken:
        raise UsageError("There is no timeline to score.", advice="Name a part that holds recordings.")
    classes = taken[0][0].classes
    if any(timeline.classes != classes for timeline, _, _ in taken):
        raise UsageError("The timelines are of different classes.", advice="Score one network at a time.")
    if len({timeline.recording for timeline, _, _ in taken}) < len(taken):
        raise UsageError(
            "Two timelines are of one recording.", advice="Give each recording a name of its own."
        )
    lengths = [timeline.n_frames for timeline, _, _ in taken]
    return answers_of(
        level=level,
        classes=classes,
        targets=np.concatenate([targets for _, targets, _ in taken]),
        probabilities=np.concatenate([timeline.probabilities for timeline, _, _ in taken]),
        said=np.concatenate([timeline.numbers for timeline, _, _ in taken]),
        recordings=np.repeat([timeline.recording for timeline, _, _ in taken], lengths),
        patients=np.repeat([patient for _, _, patient in taken], lengths),
    )


def check_same_rows(first: Answers, second: Answers) -> None:
    """Refuse to compare answers for other items, or beside another truth."""
    same = (
        first.level == second.level
        and first.classes == second.classes
        and np.array_equal(first.targets, second.targets)
        and np.array_equal(first.recordings, second.recordings)
        and np.array_equal(first.patients, second.patients)
    )
    if not same:
        raise UsageError(
            "The two networks did not answer for the same rows.",
            advice="Evaluate both on the same part of the same archive, at the same level, with the same classes.",
        )


def _probabilities(values: npt.ArrayLike, n_classes: int) -> Float64[np.ndarray, "n classes"]:
    """Checked, each row summing to one."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != n_classes:
        raise UsageError(
            f"Probabilities of shape {array.shape} are not one for each of {n_classes} classes.",
            advice="Give a row for each item, a column for each class.",
        )
    if n_bad := int((~np.isfinite(array)).any(axis=1).sum()):
        raise UsageError(
            f"{n_bad} of {len(array)} rows of probabilities hold NaN or infinity.",
            advice="Find where the network's answers turn NaN: a diverged training, or float16 that overflows.",
        )
    sums = array.sum(axis=1)
    if (array < 0).any() or (np.abs(sums - 1) > _TOLERANCE).any():
        raise UsageError(
            "Probabilities are negative, or a row does not sum to one.",
            advice="Give probabilities, not logits: take the softmax first.",
        )
    return array


def _names(values: Iterable[str]) -> Shaped[np.ndarray, "n"]:
    return np.asarray(values if isinstance(values, np.ndarray) else list(values), dtype=str).reshape(-1)


def _check_patients(recordings: Shaped[np.ndarray, "n"], patients: Shaped[np.ndarray, "n"]) -> None:
    """One patient for each recording, rows of a recording beside each other."""
    turns = np.flatnonzero(recordings[1:] != recordings[:-1]) + 1
    first = np.concatenate([[0], turns]) if len(recordings) else turns
    if len(np.unique(recordings[first])) < len(first):
        raise UsageError(
            "The rows of a recording do not follow each other.", advice="Sort them by recording and time."
        )
    if (patients[1:] != patients[:-1])[recordings[1:] == recordings[:-1]].any():
        raise UsageError("A recording has two patients.", advice="Give each recording one patient.")
