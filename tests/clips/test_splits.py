"""How patients are told and shared out."""

import pytest
from pydantic import ValidationError

from sonoplane.clips.splits import apportion, audit, folds_by_patient, patient_of, split_by_patient
from sonoplane.clips.splits_settings import SplitSettings
from sonoplane.errors import SplitError
from sonoplane.records import Facts

FACTS = Facts(patient="9f3a", study="77c1")
TWO = {"train": 0.8, "test": 0.2}


def test_the_patient_is_told_in_the_decided_order() -> None:
    settings = SplitSettings(patient_pattern="patient_[0-9]+", each_recording_is_a_patient=True)
    told = [
        patient_of("patient_62_R1", facts=FACTS, labelled="p02", settings=settings),
        patient_of("patient_62_R1", facts=FACTS, settings=settings),
        patient_of("patient_62_R1", facts=Facts(study="77c1"), settings=settings),
        patient_of("other", facts=Facts(study="77c1"), settings=settings),
        patient_of("other", facts=Facts(), settings=settings),
    ]
    assert [(who.name, who.origin) for who in told] == [
        ("p02", "labels"),
        ("9f3a", "dicom"),
        ("patient_62", "pattern"),
        ("77c1", "study"),
        ("other", "recording"),
    ]


def test_nothing_known_is_refused_with_the_ways_out_and_without_the_name() -> None:
    with pytest.raises(SplitError, match=r"--patient-pattern.*--each-recording-is-a-patient") as caught:
        patient_of("Doe_Jane", facts=Facts())
    assert "Doe" not in str(caught.value)


def test_settings_refuse_shares_and_patterns_that_cannot_be() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        SplitSettings(train=1.1)
    with pytest.raises(ValidationError, match="not a regular expression"):
        SplitSettings(patient_pattern="(")


def test_a_torn_patient_is_named_with_the_remedy() -> None:
    split = {"r1": "train", "r2": "test", "r3": "train"}
    patients = {"r1": "p02", "r2": "p02", "r3": "p03"}
    with pytest.raises(SplitError) as caught:
        audit(split, patients)
    assert str(caught.value) == "Patient 'p02' is in 'train' and in 'test'; give each patient one split."


def test_a_torn_study_a_shared_study_and_a_missing_recording_are_told() -> None:
    split = {"r1": "train", "r2": "test", "r3": "train"}
    each = {"r1": "p1", "r2": "p2", "r4": "p3"}
    with pytest.raises(SplitError) as caught:
        audit(split, each, {"r1": "s", "r2": "s"})
    told = str(caught.value)
    assert "2 recordings have a patient but no split, or a split but no patient" in told
    assert "Study 's' is in 'train' and in 'test'" in told
    assert "Study 's' is of patient 'p1' and of patient 'p2'" in told


def test_twenty_leaks_are_shown_of_many() -> None:
    patients = {f"r{i}": f"p{i // 2}" for i in range(100)}
    with pytest.raises(SplitError, match="and 30 more"):
        audit({name: ("train", "test")[i % 2] for i, name in enumerate(patients)}, patients)


def test_the_split_column_stays_and_takes_the_patient_along() -> None:
    patients = {f"p{i}_{exam}": f"p{i}" for i in range(10) for exam in range(3)}
    split = split_by_patient(patients, fractions=TWO, seed=3, fixed={"p4_1": "test", "p7_0": "train"})
    audit(split, patients)
    assert {split[f"p4_{exam}"] for exam in range(3)} == {"test"}
    assert len({patients[name] for name, part in split.items() if part == "test"}) == 2


def test_a_split_that_is_wholly_given_is_kept_whatever_the_shares() -> None:
    patients = {"a": "p1", "b": "p2", "c": "p3"}
    fixed = {"a": "test", "b": "test", "c": "test"}
    assert split_by_patient(patients, fractions=TWO, seed=0, fixed=fixed) == fixed


def test_a_part_given_more_than_its_share_gets_no_more() -> None:
    patients = {f"r{i}": f"p{i}" for i in range(10)}
    fixed = {f"r{i}": "test" for i in range(5)}
    split = split_by_patient(patients, fractions=TWO, seed=0, fixed=fixed)
    assert sorted(split.values()) == ["test"] * 5 + ["train"] * 5


def test_a_torn_or_unknown_given_split_is_refused() -> None:
    patients = {"a": "p1", "b": "p1"}
    with pytest.raises(SplitError, match="Patient 'p1' is in 'train' and in 'test'"):
        split_by_patient(patients, fractions=TWO, seed=0, fixed={"a": "train", "b": "test"})
    with pytest.raises(SplitError, match=r"'trian' is no part of this split\. Did you mean 'train'\?"):
        split_by_patient(patients, fractions=TWO, seed=0, fixed={"a": "trian"})
    with pytest.raises(SplitError, match="1 recordings have a split but no patient"):
        split_by_patient(patients, fractions=TWO, seed=0, fixed={"c": "train"})


def test_too_few_patients_are_refused() -> None:
    with pytest.raises(SplitError, match="2 patients cannot fill 3 parts"):
        folds_by_patient({"a": "p1", "b": "p2", "c": "p2"}, k=3, seed=0)
    with pytest.raises(SplitError, match="1 fold cannot"):
        folds_by_patient({"a": "p1"}, k=1, seed=0)


def test_shares_of_patients_are_exact() -> None:
    assert apportion(24, {"train": 16, "test": 8}) == {"train": 16, "test": 8}
    assert apportion(3, {"train": 0.98, "validation": 0.01, "test": 0.01}) == dict.fromkeys(
        ("train", "validation", "test"), 1
    )
    assert apportion(7, {"train": 1, "test": 0}) == {"train": 7, "test": 0}


def test_every_centre_gives_its_share_of_patients() -> None:
    """20 % of the patients of each centre, as the research system drew them."""
    patients = {f"{c}{i}_{exam}": f"{c}{i}" for c in "abcd" for i in range(10) for exam in range(1 + i % 3)}
    centres = {recording: recording[0] for recording in patients}
    for seed in range(20):
        split = split_by_patient(patients, fractions=TWO, seed=seed, strata=[centres])
        tested = {patients[name] for name, part in split.items() if part == "test"}
        assert sorted(name[0] for name in tested) == sorted("abcd" * 2)


def test_folds_are_as_even_in_views_as_patients_allow() -> None:
    views = ("2ch", "3ch", "4ch")
    patients = {f"p{i}_{view}": f"p{i}" for i in range(12) for view in views[: 1 + i % 3]}
    view_of = {recording: recording.partition("_")[2] for recording in patients}
    folds = folds_by_patient(patients, k=4, seed=1, strata=[view_of])
    for view, wanted in (("2ch", 3), ("3ch", 2), ("4ch", 1)):
        per_fold = [sum(f == k and view_of[r] == view for r, f in folds.items()) for k in range(4)]
        assert all(abs(n - wanted) <= 1 for n in per_fold)


def test_a_seeded_split_moves_patients_not_exams() -> None:
    """The research system shuffled exams, so one patient's exams were in train and in validation."""
    patients = {f"p{i}_exam{exam}": f"p{i}" for i in range(8) for exam in range(5)}
    for seed in range(50):
        audit(split_by_patient(patients, fractions=TWO, seed=seed), patients)


def test_any_number_of_exams_a_patient_is_split() -> None:
    """The research system took patients with exactly five exams only."""
    patients = {f"p{i}_exam{exam}": f"p{i}" for i in range(9) for exam in range(1 + i)}
    split = split_by_patient(patients, fractions=TWO, seed=5)
    assert split.keys() == patients.keys()
    assert set(split.values()) == {"train", "test"}


def test_another_seed_draws_others() -> None:
    patients = {f"r{i}": f"p{i}" for i in range(20)}
    drawn = {tuple(split_by_patient(patients, fractions=TWO, seed=seed).values()) for seed in range(10)}
    assert len(drawn) > 5
