"""What can be told without seeing an image: classes answered from facts of the files alone, such as size and codec.

Where the recordings of a class come from one scanner or one collection, a network may learn the source in place of
the anatomy, and nothing in its score shows that. So a plain model gets the facts alone and the same recordings.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Int64, Shaped
from sklearn.model_selection import StratifiedGroupKFold

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers, Level, answers_of
from sonoplane.metrics.confound_models import Column, Round, answered, told_by_one
from sonoplane.metrics.rates import rates

__all__ = ["ConfoundAudit", "Fact", "TellingFact", "audit_confounds"]

Fact: TypeAlias = str | float | int | bool | None
"""One fact of one recording; None where it is not known. Numbers are ordered, words are not."""

#: How often patients' labels are shuffled.
_SHUFFLES = 999

#: A fact alone must be so much better than chance to be told of.
_TELLS = 0.05
#: Facts told of at most.
_MOST_TOLD = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class TellingFact:
    """One fact that tells the class by itself."""

    name: str
    score: float
    """Balanced accuracy of a small decision tree that knows nothing else."""
    sentence: str
    """What it tells, in words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfoundAudit:
    """What the facts of the files tell of the classes."""

    answers: Answers = field(repr=False)
    """For the recordings that were tested, never by a model that saw their patient: the mean of two models."""
    chance: float
    """Balanced accuracy of answering blindly: one over the classes that are labelled."""
    p: float
    """How often answers as good would come by chance: the share of shuffles, of patients' labels, that do as well."""
    facts: tuple[str, ...]
    """The names of those that were given, without those that are the same everywhere."""
    telling: tuple[TellingFact, ...]
    """The most telling first."""
    way: str
    """How training and test recordings were kept apart, in words."""
    n_train: int
    """Recordings with a label that were learned from: of the training part, or in all where folds took turns."""


def audit_confounds(
    facts: Mapping[str, Sequence[Fact]],
    *,
    classes: Sequence[str],
    targets: npt.ArrayLike,
    recordings: Sequence[str],
    patients: Sequence[str],
    tested: npt.ArrayLike | None = None,
    level: Level = "recording",
    folds: int = 5,
    seed: int = 0,
) -> ConfoundAudit:
    """Answer for the `tested` rows from their facts alone, having learned from the others.

    `facts` has a column for each fact and an entry for each row; rows are recordings, or segments (`level`), and may
    then have facts such as their place in the sweep. `targets` are class numbers, -1 where there is no label: such
    rows are left out. Without `tested`, patients take turns in `folds`. Two models answer, a logistic regression on
    standardized numbers and on words as columns of 0 and 1, and a forest of 60 small trees, both with classes
    weighing alike; their probabilities are averaged, so that nothing is chosen by its test score.

    Raises:
        UsageError: columns differ in length, a patient is on both sides, or there are fewer than two classes or two
            patients to learn from.

    >>> audit = audit_confounds({"codec": ["h264", "mpeg4"] * 6}, classes=("kidney", "liver"), targets=[0, 1] * 6,
    ...     recordings=[f"r{i}" for i in range(12)], patients=[f"p{i // 2}" for i in range(12)])
    >>> print(audit.telling[0].sentence)
    codec alone reaches 1.00: 'h264' goes with kidney (6 of 6), 'mpeg4' with liver (6 of 6).
    """
    numbers = np.asarray(targets, dtype=np.int64)
    columns = _columns(facts, len(numbers))
    owner = np.asarray(patients, dtype=str)
    if not len(numbers) == len(owner) == len(recordings):
        raise UsageError(
            f"{len(numbers)} targets, {len(recordings)} recordings and {len(owner)} patients do not fit.",
            advice="Give one of each for every row.",
        )
    labelled = numbers >= 0
    rounds = list(_rounds(numbers, owner, labelled, tested, folds, seed))
    chances = answered(list(columns.values()), numbers, rounds, len(classes), seed)
    test = np.sort(np.concatenate([test for _, test in rounds]))
    answers = answers_of(
        level=level,
        classes=classes,
        targets=numbers[test],
        probabilities=chances[test],
        recordings=np.asarray(recordings, dtype=str)[test],
        patients=owner[test],
    )
    chance = 1 / len(np.unique(numbers[test]))
    way = (
        "learned from the other part"
        if tested is not None
        else f"patients taking turns in {len(rounds)} folds"
    )
    return ConfoundAudit(
        answers=answers,
        chance=chance,
        p=_by_chance(answers, seed),
        facts=tuple(columns),
        telling=_telling(columns, numbers, rounds, test, classes, chance),
        way=way,
        n_train=len(np.unique(np.concatenate([train for train, _ in rounds]))),
    )


def _columns(facts: Mapping[str, Sequence[Fact]], n: int) -> dict[str, Column]:
    """Each fact that is not the same everywhere, as floats with NaN, or as words."""
    columns: dict[str, Column] = {}
    for name, values in facts.items():
        if len(values) != n:
            raise UsageError(
                f"The fact '{name}' is given for {len(values)} of {n} rows.",
                advice="Give None where it is not known.",
            )
        if len(set(values)) < 2:
            continue
        if any(isinstance(value, str) for value in values):
            columns[name] = np.array(["unknown" if v is None else str(v) for v in values], dtype=object)
        else:
            columns[name] = np.array([np.nan if v is None else float(v) for v in values])
    return columns


def _rounds(
    targets: Int64[np.ndarray, "n"],
    patients: Shaped[np.ndarray, "n"],
    labelled: Bool[np.ndarray, "n"],
    tested: npt.ArrayLike | None,
    folds: int,
    seed: int,
) -> Iterator[Round]:
    """Rows to learn from and rows to answer, labelled all of them."""
    rows = np.flatnonzero(labelled)
    if tested is not None:
        is_test = np.asarray(tested, dtype=bool)
        both = set(patients[rows][is_test[rows]]) & set(patients[rows][~is_test[rows]])
        if both:
            raise UsageError(
                f"{len(both)} patients are among the tested and among the others.",
                advice="Give each patient one part of the split.",
            )
        _check_two(targets[rows[~is_test[rows]]], patients[rows[~is_test[rows]]])
        if not is_test[rows].any():
            raise UsageError("No tested row has a label.", advice="Check the label table and the split.")
        yield rows[~is_test[rows]], rows[is_test[rows]]
        return
    _check_two(targets[rows], patients[rows])
    of_class = np.bincount(targets[rows])
    n_folds = min(folds, len(np.unique(patients[rows])), int(of_class.max()))
    splitter = StratifiedGroupKFold(n_splits=max(n_folds, 2), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        for train, test in splitter.split(rows, targets[rows], patients[rows]):
            if len(test):
                yield rows[train], rows[test]


def _check_two(targets: Int64[np.ndarray, "n"], patients: Shaped[np.ndarray, "n"]) -> None:
    if len(np.unique(targets)) < 2 or len(np.unique(patients)) < 2:
        raise UsageError(
            "There are fewer than two classes or two patients to learn from.",
            advice="Label more recordings; without them, nothing can be said about confounds.",
        )


def _by_chance(answers: Answers, seed: int) -> float:
    """The share of shuffles with as high a balanced accuracy: each patient's answers meet another patient's labels.

    Of 240 simulated studies of 30 patients whose files tell nothing, 10 had p below 0.025.

    A patient's labels stay together, in any order, repeated or cut to the other's number of rows; p is that of
    Phipson and Smyth (2010).
    """
    rng = np.random.default_rng(seed)
    n = len(answers.classes)
    rows = [np.flatnonzero(answers.patients == patient) for patient in np.unique(answers.patients)]
    order = np.concatenate(rows)
    said = answers.said[order]
    counts = np.empty((_SHUFFLES + 1, n, n))
    for turn in range(_SHUFFLES + 1):
        met = np.arange(len(rows)) if turn == 0 else rng.permutation(len(rows))
        true = np.concatenate(
            [
                np.resize(answers.targets[rng.permutation(rows[other]) if turn else own], len(own))
                for own, other in zip(rows, met, strict=True)
            ]
        )
        counts[turn] = np.bincount(true * n + said, minlength=n * n).reshape(n, n)
    scores = rates(counts).whole["balanced_accuracy"]
    return float((1 + (scores[1:] >= scores[0] - 1e-12).sum()) / (1 + _SHUFFLES))


def _telling(
    columns: Mapping[str, Column],
    targets: Int64[np.ndarray, "n"],
    rounds: Sequence[Round],
    test: Int64[np.ndarray, "test"],
    classes: Sequence[str],
    chance: float,
) -> tuple[TellingFact, ...]:
    """What each fact tells by itself, where it tells something."""
    found = []
    for name, column in columns.items():
        score = told_by_one(column, targets, rounds, test, len(classes))
        if score >= chance + _TELLS:
            rows = np.unique(np.concatenate([np.concatenate(pair) for pair in rounds]))
            words = _in_words(column[rows], targets[rows], classes)
            sentence = f"{name} alone reaches {score:.2f}: {words}."
            found.append(TellingFact(name=name, score=score, sentence=sentence))
    return tuple(sorted(found, key=lambda fact: -fact.score)[:_MOST_TOLD])


def _in_words(column: Column, targets: Int64[np.ndarray, "n"], classes: Sequence[str]) -> str:
    """Which value goes with which class, or the classes' medians; the four commonest at most."""
    if column.dtype != object:
        present = [
            number for number in np.argsort(-np.bincount(targets), kind="stable") if (targets == number).any()
        ]
        known = [(number, column[(targets == number) & ~np.isnan(column)]) for number in present[:4]]
        return "its median is " + ", ".join(
            f"{np.median(values):.4g} for {classes[number]}" for number, values in known if len(values)
        )
    values, counts = np.unique(column.astype(str), return_counts=True)
    told: list[str] = []
    for value in values[np.argsort(-counts, kind="stable")][:4]:
        mine = np.bincount(targets[column == value], minlength=len(classes))
        goes = "goes with" if not told else "with"
        told.append(f"'{value}' {goes} {classes[int(mine.argmax())]} ({mine.max()} of {mine.sum()})")
    return ", ".join(told)
