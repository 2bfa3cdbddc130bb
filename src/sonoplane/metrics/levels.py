"""Answers for frames or clips become answers for segments, recordings and patients."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sonoplane.errors import UsageError
from sonoplane.metrics.aggregation import Aggregate, How, aggregate
from sonoplane.metrics.answers import Answers, Level

__all__ = ["to_patients", "to_recordings", "to_segments"]

Rows = npt.NDArray[np.int64]


def to_segments(answers: Answers, how: How = "mean") -> Answers:
    """One row for each labelled run of one class in a recording, from all its frames; unlabelled frames are in none.

    >>> from sonoplane.metrics.answers import answers_of
    >>> frames = answers_of(level="frame", classes=("kidney", "liver"), targets=[0, 0, -1, 1], patients=["p"] * 4,
    ...                     probabilities=[[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.2, 0.8]], recordings=["a"] * 4)
    >>> to_segments(frames).targets, to_segments(frames).probabilities[0]
    (array([0, 1]), array([0.65, 0.35]))
    """
    _check_order(answers)
    turns = (answers.targets[1:] != answers.targets[:-1]) | (
        answers.recordings[1:] != answers.recordings[:-1]
    )
    runs = [run for run in _runs(turns, answers.n) if answers.targets[run[0]] >= 0]
    pooled = [aggregate(answers.probabilities[run], how) for run in runs]
    return _rows(answers, "segment", [int(answers.targets[run[0]]) for run in runs], pooled, runs, ())


def to_recordings(answers: Answers, how: How = "mean", *, leave_out: str | None = None) -> Answers:
    """One row for each recording, from all its frames, labelled or not.

    Its target is its one labelled class; `leave_out`, such as the background, neither makes a target nor is an answer.
    A recording that shows several classes, or none, has target -1, and a note counts such.
    """
    _check_order(answers)
    skip = _number(answers, leave_out)
    runs = list(_runs(answers.recordings[1:] != answers.recordings[:-1], answers.n))
    shown = [_shown(answers, run, skip) for run in runs]
    pooled = [aggregate(answers.probabilities[run], how, leave_out=skip) for run in runs]
    return _rows(answers, "recording", _targets(shown), pooled, runs, _left_out(shown, "recording"))


def to_patients(answers: Answers, how: How = "mean", *, leave_out: str | None = None) -> Answers:
    """One row for each patient, from one answer a recording, so that a long recording counts no more than a short one.

    Its target is the one class that all labelled frames of all recordings share; else it is -1, and a note counts such.
    """
    skip = _number(answers, leave_out)
    recordings = to_recordings(answers, how, leave_out=leave_out)
    names = np.unique(answers.patients)
    shown = [_shown(answers, np.flatnonzero(answers.patients == name), skip) for name in names]
    places = [np.flatnonzero(recordings.patients == name) for name in names]
    if how == "vote":  # each recording votes for what it was said to be
        ballots = np.eye(len(answers.classes))[recordings.said]
        pooled = [_elected(ballots[rows], recordings.probabilities[rows], skip) for rows in places]
    else:
        pooled = [aggregate(recordings.probabilities[rows], how, leave_out=skip) for rows in places]
    made = _rows(recordings, "patient", _targets(shown), pooled, places, ())
    notes = (*answers.notes, *_left_out(shown, "patient"))
    return replace(made, recordings=made.patients, notes=notes)


def _elected(
    ballots: npt.NDArray[np.float64], probabilities: npt.NDArray[np.float64], skip: int | None
) -> Aggregate:
    """A vote of recordings; a tie is settled by their mean probabilities."""
    vote = aggregate(ballots, "mean", leave_out=skip)
    if not vote.tied:
        return vote
    equal = np.isclose(vote.probabilities, vote.probabilities[vote.label], atol=1e-9)
    label = int(np.where(equal & (np.arange(len(equal)) != skip), probabilities.mean(axis=0), -1).argmax())
    return Aggregate(label=label, probabilities=vote.probabilities, tied=True)


def _runs(turns: npt.NDArray[np.bool_], n: int) -> Iterator[Rows]:
    """Rows of each run, which ends where `turns` says so of a row and its next."""
    if n:
        yield from np.split(np.arange(n), np.flatnonzero(turns) + 1)


def _shown(answers: Answers, rows: Rows, skip: int | None) -> set[int]:
    """The classes that the rows are labelled with."""
    return {int(target) for target in np.unique(answers.targets[rows])} - {-1, skip}


def _targets(shown: Sequence[set[int]]) -> list[int]:
    return [next(iter(classes)) if len(classes) == 1 else -1 for classes in shown]


def _left_out(shown: Sequence[set[int]], unit: str) -> tuple[str, ...]:
    """A sentence for each reason why rows have no target."""
    several, none = sum(len(classes) > 1 for classes in shown), sum(not classes for classes in shown)
    told = ((several, "with several labelled classes"), (none, "without a label"))
    return tuple(
        f"{count} of {len(shown)} {unit}s {what}: not scored as {'a whole' if count == 1 else 'wholes'}."
        for count, what in told
        if count
    )


def _rows(
    answers: Answers,
    level: Level,
    targets: Sequence[int],
    pooled: Sequence[Aggregate],
    rows: Sequence[Rows],
    notes: tuple[str, ...],
) -> Answers:
    first = np.array([run[0] for run in rows], dtype=np.int64)
    n_classes = len(answers.classes)
    return Answers(
        level=level,
        classes=answers.classes,
        targets=np.array(targets, dtype=np.int64),
        probabilities=np.array([one.probabilities for one in pooled]).reshape(len(pooled), n_classes),
        said=np.array([one.label for one in pooled], dtype=np.int64),
        recordings=answers.recordings[first],
        patients=answers.patients[first],
        tied=np.array([one.tied for one in pooled], dtype=bool),
        notes=(*answers.notes, *notes),
    )


def _number(answers: Answers, name: str | None) -> int | None:
    if name is None:
        return None
    if name not in answers.classes:
        raise UsageError(
            f"There is no class '{name}' to leave out.", advice=f"Take one of {', '.join(answers.classes)}."
        )
    return answers.classes.index(name)


def _check_order(answers: Answers) -> None:
    if answers.level not in ("frame", "clip"):
        raise UsageError(
            f"Answers for {answers.level}s are pooled already.",
            advice="Start from those for frames or clips.",
        )
