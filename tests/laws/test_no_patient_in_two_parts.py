"""No patient is in two parts of a split or in two folds, for any seed and any number of exams."""

from collections import Counter
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from sonoplane.clips.complete_sets import decide_split
from sonoplane.clips.splits import audit, folds_by_patient, split_by_patient
from sonoplane.clips.splits_settings import SplitSettings

FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}

#: The exams of each patient, and the centre of each.
exams_of_patients = st.lists(st.tuples(st.integers(1, 8), st.sampled_from("abc")), min_size=3, max_size=25)
seeds = st.integers(0, 2**32)


def recordings(exams: list[tuple[int, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """Recording -> patient, recording -> centre."""
    patients = {f"p{i}_{exam}": f"p{i}" for i, (n, _) in enumerate(exams) for exam in range(n)}
    return patients, {recording: exams[int(name[1:])][1] for recording, name in patients.items()}


@given(exams_of_patients, seeds, st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_split_keeps_patients_whole_and_loses_no_recording(
    exams: list[tuple[int, str]], seed: int, stratified: bool
) -> None:
    patients, centres = recordings(exams)
    strata = [centres] if stratified else []
    split = split_by_patient(patients, fractions=FRACTIONS, seed=seed, strata=strata)
    audit(split, patients, patients)
    assert set(split.values()) == set(FRACTIONS)
    backwards = dict(reversed(patients.items()))
    assert split == split_by_patient(backwards, fractions=FRACTIONS, seed=seed, strata=strata)


@given(exams_of_patients, seeds, st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_given_stays_and_patients_stay_whole(
    exams: list[tuple[int, str]], seed: int, data: st.DataObject
) -> None:
    patients, _ = recordings(exams)
    given_part = data.draw(st.dictionaries(st.sampled_from(sorted(patients)), st.just("test"), max_size=9))
    split = split_by_patient(patients, fractions=FRACTIONS, seed=seed, fixed=given_part)
    audit(split, patients)
    assert given_part.items() <= split.items()


@given(exams_of_patients, seeds, st.integers(2, 12))
@settings(max_examples=60, deadline=None)
def test_folds_keep_patients_whole_and_alike_in_size(exams: list[tuple[int, str]], seed: int, k: int) -> None:
    patients, centres = recordings(exams)
    k = min(k, len(exams))
    folds = folds_by_patient(patients, k=k, seed=seed, strata=[centres])
    audit({name: str(fold) for name, fold in folds.items()}, patients)
    sizes = [len({patients[name] for name, fold in folds.items() if fold == i}) for i in range(k)]
    assert max(sizes) - min(sizes) <= 1
    assert sum(sizes) == len(exams)


@given(exams_of_patients, seeds, st.data())
@settings(max_examples=60, deadline=None)
def test_complete_sets_keep_patients_whole_and_what_is_given(
    exams: list[tuple[int, str]], seed: int, data: st.DataObject
) -> None:
    patients, centres = recordings(exams)
    names = sorted({*patients.values()})
    tested = data.draw(st.sets(st.sampled_from(names), max_size=len(names) - 1))
    said = {name: "test" if patient in tested else "train" for name, patient in patients.items()}
    policy = SplitSettings(policy="complete-sets", train=0.8, validation=0.2, test=0, seed=seed)
    decided = decide_split(patients, settings=policy, centres=centres, said=said)
    audit(decided.split, patients)
    assert {patients[name] for name, part in decided.split.items() if part == "test"} == tested
    for centre in {*centres.values()}:
        sizes = {
            name: n
            for name, n in Counter(patients.values()).items()
            if name not in tested and exams[int(name[1:])][1] == centre
        }
        drawn = [name for name in sizes if decided.split[f"{name}_0"] == "validation"]
        usual = max(sizes.values(), key=lambda n: ([*sizes.values()].count(n), n), default=0)
        assert len(drawn) <= max(1, round(0.2 * len(sizes)))
        assert all(sizes[name] >= usual for name in drawn)
        assert bool(drawn) == (len(sizes) > 1)
    again = decide_split(patients, settings=policy, centres=centres, stored=decided.split)
    assert again.split == decided.split


@given(exams_of_patients, seeds, st.sampled_from(["even", "complete-sets"]), st.data())
@settings(max_examples=60, deadline=None)
def test_what_was_decided_stays_when_patients_come(
    exams: list[tuple[int, str]], seed: int, policy: Literal["even", "complete-sets"], data: st.DataObject
) -> None:
    patients, centres = recordings(exams)
    stored = {
        name: part
        for patient in data.draw(st.sets(st.sampled_from(sorted({*patients.values()}))))
        for part in [data.draw(st.sampled_from(sorted(FRACTIONS)))]
        for name in patients
        if patients[name] == patient
    }
    decided = decide_split(
        patients, settings=SplitSettings(policy=policy, seed=seed), centres=centres, stored=stored
    )
    audit(decided.split, patients)
    assert stored.items() <= decided.split.items()
    assert decided.split.keys() == patients.keys()


@given(st.lists(st.sampled_from("aaabbc"), min_size=4, max_size=40), seeds, st.integers(2, 10))
@settings(max_examples=60, deadline=None)
def test_every_fold_has_each_class_that_enough_patients_have(views: list[str], seed: int, k: int) -> None:
    k = min(k, len(views))
    patients = {f"r{i}": f"p{i}" for i in range(len(views))}
    view_of = {f"r{i}": view for i, view in enumerate(views)}
    folds = folds_by_patient(patients, k=k, seed=seed, strata=[view_of])
    for view in {*views}:
        per_fold = [sum(folds[name] == i for name in folds if view_of[name] == view) for i in range(k)]
        assert min(per_fold) >= min(1, views.count(view) // k)
        assert max(per_fold) - min(per_fold) <= 2
