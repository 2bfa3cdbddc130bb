"""Every number of one network's answers, each with its doubt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int64

from sonoplane.metrics.answers import Answers, Level
from sonoplane.metrics.doubt import Scale, estimates
from sonoplane.metrics.intervals import Estimate
from sonoplane.metrics.scores import ClassScore, scores_of
from sonoplane.metrics.tally import Number, Tally, tally

__all__ = ["ClassMeasured", "Measured", "measure", "scale_of"]

#: A class that fewer patients show can hardly be judged.
_FEW = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassMeasured:
    """One class against all others."""

    name: str
    n: int
    """Items labelled so."""
    n_patients: int
    """Patients that show it."""
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    numbers: Mapping[str, Estimate]
    """precision (positive predictive value), recall (sensitivity), f1, specificity, npv, auroc, auprc."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """All numbers over the whole set."""

    level: Level
    n: int
    """Items scored: those with a label."""
    n_unlabelled: int
    n_recordings: int
    n_patients: int
    n_tied: int
    """Scored items for which two classes were equal first."""
    numbers: Mapping[str, Estimate]
    """accuracy, balanced_accuracy, macro_f1, weighted_f1, kappa, top_2, ..., auroc and auprc (means over classes)."""
    classes: tuple[ClassMeasured, ...]
    """In the network's order."""
    confusion: Int64[np.ndarray, "truth answer"] = field(repr=False)
    notes: tuple[str, ...] = ()
    """What was left out and what can hardly be known, a sentence each."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        counts = ("n", "n_unlabelled", "n_recordings", "n_patients", "n_tied")
        parts = ("true_positives", "false_positives", "false_negatives", "true_negatives")
        return {
            "level": self.level,
            **{name: getattr(self, name) for name in counts},
            "numbers": {name: number.to_json() for name, number in self.numbers.items()},
            "classes": {
                one.name: {
                    "n": one.n,
                    "patients": one.n_patients,
                    **{part: getattr(one, part) for part in parts},
                    "numbers": {name: number.to_json() for name, number in one.numbers.items()},
                }
                for one in self.classes
            },
            "confusion": self.confusion.tolist(),
            "notes": list(self.notes),
        }


def measure(
    answers: Answers,
    *,
    top: Sequence[int] = (2, 3),
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> Measured:
    """Every number over all labelled rows, never a mean over batches, with its interval over patients.

    Frames weigh alike, patients are what is resampled. AUROC and AUPRC (average precision) are of each class against
    the rest, and their plain mean. A class without labels is left out of every mean, and a note says so. `top` are
    the k of top-k accuracy; those not below the number of classes are left out.

    Raises UsageError where nothing is labelled.

    >>> from sonoplane.metrics.answers import answers_of
    >>> found = measure(answers_of(level="recording", classes=("kidney", "liver"), targets=[0, 1, 1, 0],
    ...     probabilities=[[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]], recordings="abcd", patients="pqrs"))
    >>> found.numbers["accuracy"].value, found.classes[1].numbers["recall"].value
    (0.75, 0.5)
    """
    counted = tally(answers, top=[k for k in top if 0 < k < len(answers.classes)])
    found = dict(
        zip(
            counted.numbers,
            estimates(
                counted.values,
                n_patients=len(counted.patients),
                shown=counted.shown,
                scales=[scale_of(number) for number in counted.numbers],
                level=level,
                draws=draws,
                seed=seed,
            ),
            strict=True,
        )
    )
    known, counts = answers.labelled, counted.counts.sum(axis=0).astype(np.int64)
    shown = (counted.counts.sum(axis=2) > 0).sum(axis=0)
    return Measured(
        level=answers.level,
        n=int(known.sum()),
        n_unlabelled=int((~known).sum()),
        n_recordings=len(np.unique(answers.recordings[known])),
        n_patients=len(counted.patients),
        n_tied=int(answers.tied[known].sum()),
        numbers={name: found[name, of] for name, of in counted.numbers if not of},
        classes=tuple(
            _of_class(score, int(n), found)
            for score, n in zip(scores_of(counts, counted.classes).classes, shown, strict=True)
        ),
        confusion=counts,
        notes=(*answers.notes, *_notes(answers, counted)),
    )


def scale_of(number: Number) -> Scale:
    """Kappa may be negative, all else is a share."""
    return "signed" if number[0] == "kappa" else "share"


def _of_class(score: ClassScore, n_patients: int, found: Mapping[Number, Estimate]) -> ClassMeasured:
    return ClassMeasured(
        name=score.name,
        n=score.support,
        n_patients=n_patients,
        true_positives=score.true_positives,
        false_positives=score.false_positives,
        false_negatives=score.false_negatives,
        true_negatives=score.true_negatives,
        numbers={kind: estimate for (kind, of), estimate in found.items() if of == score.name},
    )


def _notes(answers: Answers, counted: Tally) -> tuple[str, ...]:
    """What can hardly be known, and ties."""
    shown = (counted.counts.sum(axis=2) > 0).sum(axis=0)
    absent = [name for name, n in zip(counted.classes, shown, strict=True) if not n]
    rare = [f"{name} ({n})" for name, n in zip(counted.classes, shown, strict=True) if 0 < n < _FEW]
    notes = []
    if absent:
        notes.append(f"Nothing is labelled {', '.join(absent)}: left out of every mean over classes.")
    if rare:
        notes.append(f"Shown by few patients, so hardly known: {', '.join(rare)}.")
    if n_tied := int(answers.tied[answers.labelled].sum()):
        notes.append(
            f"Two classes were equal first in {n_tied} of {int(answers.labelled.sum())}: settled as likelier."
        )
    return tuple(notes)
