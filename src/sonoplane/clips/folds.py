"""Folds of a cross-validation: each is held out once, while the next chooses the epoch and the others train."""

from collections.abc import Collection, Mapping, Sequence

from sonoplane.clips.splits import folds_by_patient
from sonoplane.errors import UsageError

__all__ = ["FEWEST", "HELD_OUT", "draw_folds", "parts_of_fold"]

#: One fold is held out, one chooses the epoch, one trains.
FEWEST = 3

#: The part of the recordings that a fold's network never sees.
HELD_OUT = "held-out"


def draw_folds(
    patients: Mapping[str, str],
    *,
    k: int,
    seed: int,
    labelled: Collection[str],
    strata: Sequence[Mapping[str, str]] = (),
) -> dict[str, int]:
    """Share out recordings between k folds, patient by patient: recording -> fold, counted from 1.

    Patients with labelled recordings are drawn as `folds_by_patient` does, so that every fold has as many of them but
    for one; those without, who teach nothing and are only answered, are dealt out in turn. The same arguments give the
    same folds.

    >>> patients = {f"p{i % 4}_exam{i // 4}": f"p{i % 4}" for i in range(8)}
    >>> folds = draw_folds(patients, k=3, seed=0, labelled=[name for name in patients if "p3" not in name])
    >>> [sorted({patients[name] for name in folds if folds[name] == fold}) for fold in (1, 2, 3)]
    [['p1', 'p3'], ['p0'], ['p2']]

    Raises:
        UsageError: there are fewer folds than 3, or fewer patients with labels than folds.
    """
    if k < FEWEST:
        raise UsageError(
            f"{k} {'fold' if k == 1 else 'folds'} cannot be cross-validated: one is held out, another chooses the "
            "epoch, and the others train.",
            advice=f"Ask for {FEWEST} or more.",
        )
    taught = {patients[name] for name in labelled}
    if len(taught) < k:
        known = "1 patient has" if len(taught) == 1 else f"{len(taught)} patients have"
        raise UsageError(
            f"{known} labels outside the test part, too few for {k} folds.",
            advice=f"Ask for {len(taught)} folds or fewer."
            if len(taught) >= FEWEST
            else "Label recordings of more patients, or train without --folds.",
        )
    drawn = folds_by_patient(
        {name: patient for name, patient in patients.items() if patient in taught},
        k=k,
        seed=seed,
        strata=strata,
    )
    others = sorted({*patients.values()} - taught)
    dealt = {patient: place % k for place, patient in enumerate(others)}
    return {
        name: 1 + (drawn[name] if name in drawn else dealt[patient])
        for name, patient in sorted(patients.items())
    }


def parts_of_fold(folds: Mapping[str, int], fold: int) -> dict[str, str]:
    """Which part each recording plays for one fold's network: recording -> `train`, `validation` or `held-out`.

    The fold is held out; the one after it (after the last, the first) validates, so that what chooses the epoch is
    not what is reported.

    >>> parts_of_fold({"a": 1, "b": 2, "c": 3}, 3)
    {'a': 'validation', 'b': 'train', 'c': 'held-out'}
    """
    k = max(folds.values())
    role = {fold: HELD_OUT, fold % k + 1: "validation"}
    return {name: role.get(number, "train") for name, number in folds.items()}
