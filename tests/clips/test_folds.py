import pytest

from sonoplane.clips.folds import draw_folds
from sonoplane.errors import UsageError

PATIENTS = {f"p{i}_{exam}": f"p{i}" for i in range(7) for exam in range(2)}


@pytest.mark.parametrize("k", [1, 2])
def test_with_fewer_than_three_folds_nothing_is_left_to_train_on(k: int) -> None:
    with pytest.raises(UsageError, match=r"the others train\. Ask for 3 or more"):
        draw_folds(PATIENTS, k=k, seed=0, labelled=PATIENTS)


def test_more_folds_than_patients_with_labels_are_refused_with_how_many_there_can_be() -> None:
    with pytest.raises(UsageError, match=r"7 patients have labels .* for 8 folds\. Ask for 7 folds or fewer"):
        draw_folds(PATIENTS, k=8, seed=0, labelled=PATIENTS)
    with pytest.raises(UsageError, match=r"1 patient has labels .*train without --folds"):
        draw_folds(PATIENTS, k=3, seed=0, labelled=["p1_0"])


def test_each_fold_has_a_patient_with_labels_though_few_have_any() -> None:
    folds = draw_folds(PATIENTS, k=3, seed=1, labelled=["p0_0", "p3_1", "p6_0"])
    assert {folds["p0_0"], folds["p3_1"], folds["p6_0"]} == {1, 2, 3}
    assert folds.keys() == PATIENTS.keys()


def test_classes_are_spread_over_the_folds() -> None:
    view = {name: "a" if patient in ("p0", "p1", "p2") else "b" for name, patient in PATIENTS.items()}
    for seed in range(5):
        folds = draw_folds(PATIENTS, k=3, seed=seed, labelled=PATIENTS, strata=[view])
        assert {folds[name] for name in PATIENTS if view[name] == "a"} == {1, 2, 3}
