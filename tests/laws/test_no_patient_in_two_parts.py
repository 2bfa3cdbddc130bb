"""No patient is in two parts of a split or in two folds, for any seed and any number of exams."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sonoplane.clips.splits import audit, folds_by_patient, split_by_patient

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
