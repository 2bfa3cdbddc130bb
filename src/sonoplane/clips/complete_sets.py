"""Validation patients are drawn, centre by centre, among those with a complete set of exams."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sonoplane.clips.splits import audit, split_by_patient
from sonoplane.clips.splits_settings import SplitSettings
from sonoplane.errors import SplitError

__all__ = ["Decided", "decide_split"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """A split, and what was decided on the way."""

    split: dict[str, str]
    """Recording -> part."""
    notes: tuple[str, ...] = ()
    """How many patients each centre gave, and what was odd, a sentence each."""


def decide_split(
    patients: Mapping[str, str],
    *,
    settings: SplitSettings,
    centres: Mapping[str, str],
    strata: Sequence[Mapping[str, str]] = (),
    said: Mapping[str, str] | None = None,
    stored: Mapping[str, str] | None = None,
) -> Decided:
    """Share out recordings between train, validation and test as the settings' policy says, patients whole.

    Args:
        patients: recording -> patient.
        settings: policy, shares and seed.
        centres: recording -> centre; recordings without one count as of one centre.
        strata: what else is to be even, as for `split_by_patient`; the centres count anyway.
        said: recording -> part, as the labels tell. It stays, but where they name no validation patient and leave too
            few open for its share: then validation is drawn from those who train, since such data sets come in two
            parts.
        stored: recording -> part, as an earlier run decided: all of it stays.

    Raises:
        SplitError: a patient would be in two parts, the parts cannot be filled, or no patient of any centre has a
            complete set.

    >>> patients = {f"p{i}_exam{j}": f"p{i}" for i in range(5) for j in range(3 - i % 2)}
    >>> settings = SplitSettings(policy="complete-sets", train=0.8, validation=0.2, test=0)
    >>> decided = decide_split(patients, settings=settings, centres=dict.fromkeys(patients, "north"))
    >>> sorted({patients[name] for name, part in decided.split.items() if part == "validation"})
    ['p4']
    >>> decided.notes
    ("Centre 'north': 1 of 3 patients with a complete set of 3 exams validates, of 5 patients.",)
    """
    said, stored = said or {}, stored or {}
    audit(said, {name: patients[name] for name in said if name in patients})
    loose = "validation" not in {*said.values(), *stored.values()} and _too_few(
        {*patients.values()} - {patients[name] for name in (*said, *stored) if name in patients},
        of=len({*patients.values()}),
        settings=settings,
    )
    kept = {name: part for name, part in said.items() if not (loose and part == "train")} | dict(stored)
    trains = {patients[name] for name, part in said.items() if loose and part == "train"}
    trains -= {patients[name] for name in stored}
    notes: list[str] = []
    if settings.policy == "even" and not trains:
        split = split_by_patient(
            patients, fractions=settings.fractions, seed=settings.seed, strata=[*strata, centres], fixed=kept
        )
        return Decided(split=split)
    kept = _with_test(patients, settings, [*strata, centres], kept, trains)
    if settings.policy == "even":
        split = split_by_patient(
            patients,
            fractions=settings.fractions | {"test": 0.0},
            seed=settings.seed,
            strata=[*strata, centres],
            fixed=kept,
        )
    else:
        split = _complete_sets(patients, settings, centres, kept, notes)
    n_drawn = len({patients[name] for name, part in split.items() if part == "validation"} & trains)
    if n_drawn:
        drawn = "1 patient" if n_drawn == 1 else f"{n_drawn} patients"
        notes.append(
            f"The labels name no validation patients: {drawn} of their train part validate; set the share of"
            " validation to 0 to train on all of it."
        )
    return Decided(split=split, notes=tuple(notes))


def _too_few(open_: set[str], *, of: int, settings: SplitSettings) -> bool:
    """Whether the patients without a part are fewer than the share of validation."""
    if settings.validation == 0:
        return False
    wanted = settings.validation / sum(settings.fractions.values()) * of
    return len(open_) < max(1, round(wanted))


def _with_test(
    patients: Mapping[str, str],
    settings: SplitSettings,
    strata: Sequence[Mapping[str, str]],
    kept: Mapping[str, str],
    trains: set[str],
) -> dict[str, str]:
    """The fixed parts with the test patients among them, drawn evenly where none is named; never one who trains."""
    if settings.test == 0 or "test" in kept.values():
        return dict(kept)
    fixed = {name: "rest" for name, patient in patients.items() if patient in trains}
    fixed |= dict.fromkeys(kept, "rest")
    fractions = {"rest": settings.train + settings.validation, "test": settings.test}
    drawn = split_by_patient(patients, fractions=fractions, seed=settings.seed, strata=strata, fixed=fixed)
    return dict(kept) | {name: part for name, part in drawn.items() if part == "test"}


def _complete_sets(
    patients: Mapping[str, str],
    settings: SplitSettings,
    centres: Mapping[str, str],
    kept: Mapping[str, str],
    notes: list[str],
) -> dict[str, str]:
    """The fixed parts; of every centre its share of validation patients, drawn among the complete; the rest trains."""
    part_of = {patients[name]: part for name, part in kept.items()}
    n_exams = Counter(patients.values())
    rng = np.random.default_rng(settings.seed)
    share = settings.validation / max(settings.train + settings.validation, 1e-12)
    n_complete = 0
    for centre, mine in sorted(_by_centre(patients, centres).items()):
        candidates = [name for name in mine if part_of.get(name) != "test"]
        size = settings.exams or _usual([n_exams[name] for name in candidates])
        complete = [name for name in candidates if n_exams[name] >= size]
        free = [name for name in complete if name not in part_of]
        n_there = sum(part_of.get(name) == "validation" for name in candidates)
        n_wanted = max(round(share * len(candidates)), 1) if share and len(candidates) > 1 else 0
        drawn = [free[i] for i in rng.permutation(len(free))[: max(n_wanted - n_there, 0)]]
        part_of |= dict.fromkeys(drawn, "validation")
        n_complete += len(complete)
        if candidates:
            notes.append(_told(centre, n_there + len(drawn), len(complete), size, len(candidates)))
    if not n_complete and share:
        raise SplitError(
            f"No patient has a complete set of {settings.exams} exams.",
            advice="Ask for fewer with --exams, or choose --policy even.",
        )
    return {name: part_of.get(patient, "train") for name, patient in sorted(patients.items())}


def _told(centre: str, n_validate: int, n_complete: int, size: int, n_patients: int) -> str:
    """What a centre gave."""
    where = f"Centre '{centre}'" if centre else "Without a centre"
    exams = "1 exam" if size == 1 else f"{size} exams"
    if not n_complete:
        return f"{where}: no patient has a complete set of {exams}, so that none of {n_patients} validates."
    verb = "validates" if n_validate == 1 else "validate"
    whole = "patient" if n_complete == 1 else "patients"
    return (
        f"{where}: {n_validate} of {n_complete} {whole} with a complete set of {exams} {verb}, of {n_patients}"
        " patients."
    )


def _usual(numbers: Sequence[int]) -> int:
    """The most frequent number; among those as frequent the largest."""
    counts = Counter(numbers)
    return max(counts, key=lambda number: (counts[number], number), default=1)


def _by_centre(patients: Mapping[str, str], centres: Mapping[str, str]) -> dict[str, list[str]]:
    """Centre -> its patients in order; a patient is of the centre of most of his recordings."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for name, patient in sorted(patients.items()):
        seen[patient][centres.get(name, "")] += 1
    found: dict[str, list[str]] = defaultdict(list)
    for patient, counts in sorted(seen.items()):
        found[max(counts, key=lambda centre: (counts[centre], centre))].append(patient)
    return dict(found)
