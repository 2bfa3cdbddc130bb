"""Splits that keep each patient whole: all recordings of a patient are in one part."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, TypeAlias

import numpy as np

from sonoplane.clips.evenness import Evenness
from sonoplane.clips.splits_settings import SplitSettings
from sonoplane.errors import SplitError
from sonoplane.records import Facts

__all__ = ["Patient", "apportion", "audit", "folds_by_patient", "patient_of", "split_by_patient"]

#: So many shares are drawn, and the evenest is kept.
DRAWS = 64

#: How many leaks one error shows.
SHOWN = 20

Origin: TypeAlias = Literal["labels", "dicom", "pattern", "study", "recording"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Patient:
    """Whose recording it is, and who said so."""

    name: str
    """As pseudonymous as its origin: a pattern that matches a name in a path gives that name."""
    origin: Origin


def patient_of(
    recording: str, *, facts: Facts, labelled: str | None = None, settings: SplitSettings | None = None
) -> Patient:
    """Whose recording this is: the label table's word, else DICOM's, else the pattern's, else the study.

    `recording` is its path below the source folder; `labelled` the patient in the label table. Raises
    SplitError where nothing tells and nobody has said that each recording is a patient of its own.

    >>> settings = SplitSettings(patient_pattern="^(p[0-9]+)_")
    >>> patient_of("p02_sweep1", facts=Facts(), settings=settings)
    Patient(name='p02', origin='pattern')
    """
    settings = settings or SplitSettings()
    match = re.search(settings.patient_pattern, recording) if settings.patient_pattern else None
    matched = (match.group(1) if match.re.groups else match.group()) if match else None
    said: list[tuple[str | None, Origin]] = [
        (labelled, "labels"),
        (facts.patient, "dicom"),
        (matched, "pattern"),
        (facts.study, "study"),
        (recording if settings.each_recording_is_a_patient else None, "recording"),
    ]
    for name, origin in said:
        if name:
            return Patient(name=name, origin=origin)
    raise SplitError(
        "Nothing tells which patient a recording is of.",
        advice="Add a 'patient' column to the label table, give --patient-pattern to find the patient in the"
        " recording's name, or say --each-recording-is-a-patient if no two are of one patient.",
    )


def split_by_patient(
    patients: Mapping[str, str],
    *,
    fractions: Mapping[str, float | int],
    seed: int,
    strata: Sequence[Mapping[str, str]] = (),
    fixed: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Share out recordings between parts, patient by patient: recording -> part.

    `patients` tells each recording's patient; `fractions` each part's share of the patients. Each mapping in
    `strata` (recording -> centre, recording -> view) is kept as even between the parts as whole patients
    allow, the first above all. What `fixed` says (the `split` column) stays, and takes the rest of that
    patient along. The answer depends on nothing but the arguments' content. A part with a share above 0 gets
    at least one patient; SplitError where there are too few, and where `fixed` tears a patient apart.

    >>> patients = {f"p{i % 6}_exam{i // 6}": f"p{i % 6}" for i in range(18)}
    >>> split = split_by_patient(patients, fractions={"train": 0.67, "test": 0.33}, seed=0)
    >>> sorted({patients[name] for name, part in split.items() if part == "test"})
    ['p3', 'p4']
    """
    kept = _fixed(patients, fixed or {}, fractions)
    names = sorted(set(patients.values()))
    free = [name for name in names if name not in kept]
    if not free:
        return {recording: kept[name] for recording, name in sorted(patients.items())}
    wanted = apportion(len(names), fractions)
    taken = Counter(kept.values())
    places = {part: max(n - taken[part], 0) for part, n in wanted.items()}
    if sum(places.values()) > len(free):  # some part holds more than its share already
        places = apportion(len(free), places, at_least_one=False)
    part_of = kept | _draw(free, places, patients, strata, kept, seed)
    return {recording: part_of[name] for recording, name in sorted(patients.items())}


def folds_by_patient(
    patients: Mapping[str, str], *, k: int, seed: int, strata: Sequence[Mapping[str, str]] = ()
) -> dict[str, int]:
    """Share out recordings between k folds, patient by patient: recording -> fold, counted from 0.

    The folds differ by one patient at most.

    >>> sorted(folds_by_patient({"a1": "a", "a2": "a", "b1": "b"}, k=2, seed=1).items())
    [('a1', 1), ('a2', 1), ('b1', 0)]
    """
    if k < 2:
        raise SplitError(f"{k} fold cannot be cross-validated.", advice="Ask for at least 2 folds.")
    folds = {str(fold): 1 / k for fold in range(k)}
    split = split_by_patient(patients, fractions=folds, seed=seed, strata=strata)
    return {recording: int(fold) for recording, fold in split.items()}


def audit(
    split: Mapping[str, str], patients: Mapping[str, str], studies: Mapping[str, str] | None = None
) -> None:
    """Raise SplitError if a patient or a study is in two parts, a study has two patients, or one is missing.

    >>> audit({"r1": "train", "r2": "test"}, {"r1": "p02", "r2": "p02"})
    Traceback (most recent call last):
        ...
    sonoplane.errors.SplitError: Patient 'p02' is in 'train' and in 'test'; give each patient one split.
    """
    leaks = []
    if unplaced := sorted(patients.keys() ^ split.keys()):
        leaks.append(f"{len(unplaced)} recordings have a patient but no split, or a split but no patient")
    both = [recording for recording in split if recording in patients]
    leaks += _torn("Patient", patients, split, both, advice="give each patient one split")
    studies = studies or {}
    in_study = [recording for recording in both if recording in studies]
    leaks += _torn("Study", studies, split, in_study, advice="a study is of one patient; give it one split")
    leaks += _torn("Study", studies, patients, in_study, advice="check whose study it is", of="of patient ")
    if leaks:
        more = [f"and {len(leaks) - SHOWN} more"] if len(leaks) > SHOWN else []
        raise SplitError(".\n".join([*leaks[:SHOWN], *more]) + ".")


def apportion(n: int, shares: Mapping[str, float | int], *, at_least_one: bool = True) -> dict[str, int]:
    """Whole numbers in proportion to the shares, adding up to n (the largest remainders are rounded up).

    SplitError where `at_least_one` is asked for each share above 0 and n is too small for that.

    >>> apportion(5, {"train": 0.7, "validation": 0.15, "test": 0.15})
    {'train': 3, 'validation': 1, 'test': 1}
    """
    total = sum(shares.values())
    if any(share < 0 for share in shares.values()) or not total > 0:
        raise SplitError(
            "The shares of a split are not above 0.", advice="Give each part a share, such as 0.7."
        )
    asking = [part for part, share in shares.items() if share > 0]
    if at_least_one and n < len(asking):
        raise SplitError(
            f"{n} patients cannot fill {len(asking)} parts.",
            advice="Ask for fewer parts or folds, or add patients.",
        )
    exact = {part: n * share / total for part, share in shares.items()}
    whole = {part: int(value) for part, value in exact.items()}
    by_remainder = sorted(asking, key=lambda part: whole[part] - exact[part])
    for part in by_remainder[: n - sum(whole.values())]:
        whole[part] += 1
    for part in asking if at_least_one else []:
        if whole[part] == 0:
            whole[max(whole, key=lambda other: whole[other])] -= 1
            whole[part] = 1
    return whole


def _fixed(
    patients: Mapping[str, str], fixed: Mapping[str, str], fractions: Mapping[str, float | int]
) -> dict[str, str]:
    """The patients whose part is given: patient -> part."""
    if surplus := fixed.keys() - patients.keys():
        raise SplitError(
            f"{len(surplus)} recordings have a split but no patient.",
            advice="Tell the patient of each recording.",
        )
    for part in sorted(set(fixed.values()) - fractions.keys()):
        close = get_close_matches(part, fractions, n=1, cutoff=0.3)
        meant = f" Did you mean '{close[0]}'?" if close else ""
        raise SplitError(
            f"'{part}' is no part of this split.{meant}", advice=f"The parts: {', '.join(fractions)}."
        )
    audit(fixed, {recording: patients[recording] for recording in fixed})
    return {patients[recording]: part for recording, part in fixed.items()}


def _draw(
    free: Sequence[str],
    places: Mapping[str, int],
    patients: Mapping[str, str],
    strata: Sequence[Mapping[str, str]],
    kept: dict[str, str],
    seed: int,
) -> dict[str, str]:
    """The evenest of many draws of the free patients into the places, made evener by swaps: patient -> part."""
    counts = _counts(patients, strata)
    rng = np.random.default_rng(seed)
    scale = Evenness.of(counts, [*places, *kept.values()])
    best: dict[str, str] = {}
    least = np.inf
    for _ in range(DRAWS if strata else 1):
        drawn = dict(zip(_shuffled(free, counts, rng), _dealt(places, rng), strict=True))
        uneven = scale.of_parts(kept | drawn) if strata else 0.0
        if uneven < least:
            best, least = drawn, uneven
    return scale.swapped(kept | best, free, rng) if strata else best


def _counts(
    patients: Mapping[str, str], strata: Sequence[Mapping[str, str]]
) -> dict[str, Counter[tuple[int, str]]]:
    """How many recordings each patient has in each stratum."""
    counts: dict[str, Counter[tuple[int, str]]] = {name: Counter() for name in sorted(set(patients.values()))}
    for recording, name in sorted(patients.items()):
        counts[name].update(
            (i, stratum[recording]) for i, stratum in enumerate(strata) if recording in stratum
        )
    return counts


def _shuffled(
    free: Sequence[str], counts: Mapping[str, Counter[tuple[int, str]]], rng: np.random.Generator
) -> list[str]:
    """Patients in a random order in which those of one (first) stratum stand together."""
    groups = defaultdict(list)
    for i in rng.permutation(len(free)):
        first = {key: n for key, n in counts[free[i]].items() if key[0] == 0}
        groups[max(first, key=lambda key: (first[key], key), default=None)].append(free[i])
    return [name for group in groups.values() for name in group]


def _dealt(places: Mapping[str, int], rng: np.random.Generator) -> list[str]:
    """The parts in the order they are dealt out: every stretch of it is as mixed as the whole."""
    parts = [
        list(places)[i] for i in rng.permutation(len(places))
    ]  # so that no part is always first among equals
    spread = [((i + 0.5) / places[part], part) for part in parts for i in range(places[part])]
    order = [part for _, part in sorted(spread, key=lambda place: place[0])]
    start = int(rng.integers(len(order)))
    return order[start:] + order[:start]


def _torn(
    what: str,
    owner: Mapping[str, str],
    place: Mapping[str, str],
    recordings: Sequence[str],
    *,
    advice: str,
    of: str = "in ",
) -> list[str]:
    """A sentence for each owner with recordings in several places."""
    places: dict[str, dict[str, None]] = defaultdict(dict)  # the keys: a set in order
    for recording in recordings:
        places[owner[recording]][place[recording]] = None
    return [
        f"{what} '{name}' is {' and '.join(f'{of}{part!r}' for part in parts)}; {advice}"
        for name, parts in sorted(places.items())
        if len(parts) > 1
    ]
