"""Validation patients with a complete set of exams, a share of every centre; what is given stays."""

from collections import Counter

import pytest

from sonoplane.clips.complete_sets import decide_split
from sonoplane.clips.splits_settings import SplitSettings
from sonoplane.errors import SplitError

S9 = SplitSettings(policy="complete-sets", train=0.8, validation=0.2, test=0)


def clinic(**exams: list[int]) -> tuple[dict[str, str], dict[str, str]]:
    """Recording -> patient, recording -> centre, from the number of exams of each patient of each centre."""
    patients = {
        f"{centre}{i}_{exam}": f"{centre}{i}"
        for centre, numbers in exams.items()
        for i, n in enumerate(numbers)
        for exam in range(n)
    }
    return patients, {recording: recording[0] for recording in patients}


def of_part(split: dict[str, str], patients: dict[str, str], part: str) -> list[str]:
    return sorted({patients[name] for name, where in split.items() if where == part})


def test_each_centre_gives_a_fifth_of_its_patients_from_those_with_a_complete_set() -> None:
    patients, centres = clinic(a=[5] * 6 + [1, 2, 3, 4], b=[3, 3, 3, 2, 1])
    for seed in range(20):
        settings = S9.model_copy(update={"seed": seed})
        decided = decide_split(patients, settings=settings, centres=centres)
        drawn = of_part(decided.split, patients, "validation")
        assert Counter(name[0] for name in drawn) == {"a": 2, "b": 1}
        assert {*drawn} <= {"a0", "a1", "a2", "a3", "a4", "a5", "b0", "b1", "b2"}
        assert set(decided.split.values()) == {"train", "validation"}
    assert decided.notes == (
        "Centre 'a': 2 of 6 patients with a complete set of 5 exams validate, of 10 patients.",
        "Centre 'b': 1 of 3 patients with a complete set of 3 exams validates, of 5 patients.",
    )


def test_a_complete_set_is_what_the_settings_say() -> None:
    patients, centres = clinic(a=[1] * 8 + [4, 6], b=[1, 1, 1])
    settings = S9.model_copy(update={"exams": 4})
    decided = decide_split(patients, settings=settings, centres=centres)
    assert of_part(decided.split, patients, "validation") == ["a8", "a9"]
    assert decided.notes[1] == (
        "Centre 'b': no patient has a complete set of 4 exams, so that none of 3 validates."
    )


def test_no_complete_set_anywhere_is_refused() -> None:
    patients, centres = clinic(a=[1, 2, 3])
    with pytest.raises(SplitError, match=r"complete set of 9 exams\. Ask for fewer with --exams"):
        decide_split(patients, settings=S9.model_copy(update={"exams": 9}), centres=centres)


def test_a_centre_of_one_patient_trains() -> None:
    patients, centres = clinic(a=[2], b=[2, 2, 2])
    decided = decide_split(patients, settings=S9, centres=centres)
    assert decided.split["a0_0"] == "train"


@pytest.mark.parametrize("policy", ["even", "complete-sets"])
def test_a_set_of_two_parts_validates_on_patients_of_its_train_part(policy: str) -> None:
    patients, centres = clinic(a=[2] * 10, b=[3] * 6)
    said = {name: "test" if patients[name] in ("a0", "b0") else "train" for name in patients}
    settings = SplitSettings.model_validate({"policy": policy})
    decided = decide_split(patients, settings=settings, centres=centres, said=said)
    assert of_part(decided.split, patients, "test") == ["a0", "b0"]
    drawn = of_part(decided.split, patients, "validation")
    assert {name[0] for name in drawn} == {"a", "b"}
    assert decided.notes[-1].startswith(
        f"The labels name no validation patients: {len(drawn)} patients of their train part validate"
    )


def test_validation_that_is_given_or_not_wanted_is_not_drawn() -> None:
    patients, centres = clinic(a=[2] * 6)
    parts = {"a0": "test", "a1": "validation"}
    said = {name: parts.get(patient, "train") for name, patient in patients.items()}
    assert decide_split(patients, settings=SplitSettings(), centres=centres, said=said).split == said
    without = {name: "train" if part == "validation" else part for name, part in said.items()}
    none = SplitSettings(train=0.8, validation=0, test=0.2)
    assert decide_split(patients, settings=none, centres=centres, said=without).split == without


def test_patients_said_to_train_stay_where_others_are_open() -> None:
    patients, centres = clinic(a=[2] * 10)
    said = {name: "train" for name in patients if patients[name] < "a5"}
    split = decide_split(patients, settings=SplitSettings(), centres=centres, said=said).split
    assert said.items() <= split.items()
    assert "validation" in split.values()


def test_test_patients_are_drawn_evenly_where_none_is_given() -> None:
    patients, centres = clinic(a=[2] * 10, b=[2] * 10)
    settings = SplitSettings(policy="complete-sets", train=0.6, validation=0.2, test=0.2)
    split = decide_split(patients, settings=settings, centres=centres).split
    assert Counter(name[0] for name in of_part(split, patients, "test")) == {"a": 2, "b": 2}
    assert Counter(name[0] for name in of_part(split, patients, "validation")) == {"a": 2, "b": 2}


def test_what_an_earlier_run_decided_stays() -> None:
    patients, centres = clinic(a=[2] * 10)
    said = dict.fromkeys(patients, "train")
    first = decide_split(patients, settings=S9, centres=centres, said=said).split
    more, centres = clinic(a=[2] * 15)
    said = dict.fromkeys(more, "train")
    again = decide_split(more, settings=S9, centres=centres, said=said, stored=first).split
    assert first.items() <= again.items()
