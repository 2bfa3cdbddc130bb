"""What each patient adds to every number, counted once, so that patients can be weighed again and again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64, Int64

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers
from sonoplane.metrics.ranking import Ranking, rank
from sonoplane.metrics.rates import CLASS_RATES, RATES, mean_of_known, rates, share

__all__ = ["CLASS_RANKINGS", "Number", "Tally", "tally"]

Number: TypeAlias = tuple[str, str]
"""Which number: its name and its class, "" for a number of the whole set."""

#: Numbers of each class against the rest, from probabilities alone; the plain name without a class is their mean.
CLASS_RANKINGS = ("auroc", "auprc")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """Labelled rows, counted by patient."""

    classes: tuple[str, ...]
    patients: tuple[str, ...]
    counts: Float64[np.ndarray, "patients truth answer"] = field(repr=False)
    top: Float64[np.ndarray, "patients ks"] = field(repr=False)
    """Rows whose true class is among the k likeliest."""
    ks: tuple[int, ...]
    ranked: tuple[str, ...]
    """Which of `CLASS_RANKINGS` to compute."""
    rankings: tuple[Ranking, ...] = field(repr=False)
    """One for each class, where any is to be computed."""

    @property
    def numbers(self) -> tuple[Number, ...]:
        """What `values` computes, in its order."""
        whole = [*RATES, *(f"top_{k}" for k in self.ks), *self.ranked]
        each = [*CLASS_RATES, *self.ranked]
        return (*((name, "") for name in whole), *((name, c) for name in each for c in self.classes))

    @property
    def shown(self) -> tuple[int, ...]:
        """For each number, how many patients it is counted from."""
        labels, answers = self.counts.sum(axis=2), self.counts.sum(axis=1)
        n = labels.sum(axis=1, keepdims=True)
        behind = {"precision": answers, "specificity": n - labels, "npv": n - answers}
        columns = {name: (behind.get(name, labels) > 0).sum(axis=0) for name, _ in self.numbers}
        places = {c: i for i, c in enumerate(self.classes)}
        return tuple(int(columns[name][places[c]]) if c else len(self.patients) for name, c in self.numbers)

    def columns(self, wanted: Sequence[Number]) -> tuple[int, ...]:
        """Where numbers stand among all. Raises UsageError for one that is not there."""
        for number in wanted:
            if number not in self.numbers:
                raise UsageError(
                    f"There is no number {' of '.join(filter(None, number))}.",
                    advice=f"Take some of {', '.join(sorted({name for name, _ in self.numbers}))}.",
                )
        return tuple(self.numbers.index(number) for number in wanted)

    def values(self, weights: Float64[np.ndarray, "draws patients"]) -> Float64[np.ndarray, "draws numbers"]:
        """Every number with each patient counting as often as its weight says; NaN where undefined."""
        n = len(self.classes)
        counts = (weights @ self.counts.reshape(len(self.patients), -1)).reshape(len(weights), n, n)
        known = rates(counts)
        whole = [*known.whole.values(), *share(weights @ self.top, counts.sum(axis=(1, 2))[:, None]).T]
        each = list(known.classes.values())
        for name in self.ranked:
            values = np.stack([getattr(ranking, name)(weights) for ranking in self.rankings], axis=1)
            whole.append(mean_of_known(values))
            each.append(values)
        return np.concatenate([np.stack(whole, axis=1), *each], axis=1)


def tally(
    answers: Answers,
    *,
    top: Sequence[int] = (),
    ranked: Sequence[str] = CLASS_RANKINGS,
    whose: npt.ArrayLike | None = None,
) -> Tally:
    """Count the labelled rows by patient; `whose` names them otherwise, row by row.

    Raises UsageError where nothing is labelled.

    >>> from sonoplane.metrics.answers import answers_of
    >>> answers = answers_of(
    ...     level="frame", classes=("kidney", "liver"), targets=[0, 1, 1], recordings=["a", "a", "b"],
    ...     probabilities=[[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], patients=["p", "p", "q"])
    >>> counted = tally(answers)
    >>> dict(zip(counted.numbers, counted.values(np.array([[1.0, 0.0]]))[0], strict=True))["accuracy", ""]
    np.float64(0.5)
    """
    known = answers.only(answers.labelled)
    if not known.n:
        raise UsageError(
            "Nothing is labelled, so there is nothing to score.", advice="Check the label table."
        )
    owners = known.patients if whose is None else np.asarray(whose)[answers.labelled]
    names, owner = np.unique(owners, return_inverse=True)
    n, n_patients = len(known.classes), len(names)
    place = (owner * n + known.targets) * n + known.said
    return Tally(
        classes=known.classes,
        patients=tuple(str(name) for name in names),
        counts=np.bincount(place, minlength=n_patients * n * n).reshape(n_patients, n, n).astype(np.float64),
        ks=tuple(top),
        top=_top(known, owner, n_patients, top),
        rankings=tuple(
            rank(known.probabilities[:, c], known.targets == c, owner, n_patients) for c in range(n)
        )
        if ranked
        else (),
        ranked=tuple(ranked),
    )


def _top(
    known: Answers, whose: Int64[np.ndarray, "n"], n_patients: int, ks: Sequence[int]
) -> Float64[np.ndarray, "patients ks"]:
    """Each patient's rows whose true class is among the k likeliest; of equal ones, the share that has a place left."""
    own = known.probabilities[np.arange(known.n), known.targets][:, None]
    above = (known.probabilities > own).sum(axis=1)
    equal = (known.probabilities == own).sum(axis=1)
    hits = [np.bincount(whose, np.clip((k - above) / equal, 0, 1), minlength=n_patients) for k in ks]
    return np.stack(hits, axis=1) if hits else np.zeros((n_patients, 0))
