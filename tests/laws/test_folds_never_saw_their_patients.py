"""Law: for any seed, no network of a cross-validation has learned from, or chosen its epoch on, whom it answers."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from sonoplane.clips.folds import HELD_OUT, draw_folds, parts_of_fold
from sonoplane.clips.splits import audit

#: Of each patient: how many recordings, and whether any has a label.
exams_of_patients = st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=3, max_size=20).filter(
    lambda exams: sum(labelled for _, labelled in exams) >= 3
)


@given(exams_of_patients, st.integers(0, 2**32), st.integers(3, 8))
@settings(max_examples=80, deadline=None)
def test_each_patient_is_answered_once_and_never_by_who_saw_him(
    exams: list[tuple[int, bool]], seed: int, k: int
) -> None:
    patients = {f"p{i}_{exam}": f"p{i}" for i, (n, _) in enumerate(exams) for exam in range(n)}
    labelled = {name for name, patient in patients.items() if exams[int(patient[1:])][1]}
    taught = {patients[name] for name in labelled}
    k = min(k, len(taught))
    folds = draw_folds(patients, k=k, seed=seed, labelled=labelled, strata=[dict.fromkeys(labelled, "shown")])
    assert folds == draw_folds(
        dict(reversed(patients.items())),
        k=k,
        seed=seed,
        labelled=labelled,
        strata=[dict.fromkeys(labelled, "shown")],
    )
    roles: Counter[tuple[str, str]] = Counter()
    for fold in range(1, k + 1):
        parts = parts_of_fold(folds, fold)
        assert parts.keys() == patients.keys()
        audit(parts, patients)
        roles.update(parts.items())
        assert {parts[name] for name in labelled} == {"train", "validation", HELD_OUT}
    for name in patients:
        assert roles[name, HELD_OUT] == roles[name, "validation"] == 1
        assert roles[name, "train"] == k - 2
    sizes = Counter(
        {fold for name, fold in folds.items() if patients[name] == patient}.pop() for patient in taught
    )
    assert max(sizes.values()) - min(sizes.values()) <= 1
