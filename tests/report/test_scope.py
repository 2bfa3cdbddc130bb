"""Cautions: what the numbers do not say is said."""

from dataclasses import replace

from sonoplane.report.scope import Confound, cautions
from tests.report.measured import CONFOUND, SCOPE

CALM = replace(
    SCOPE, n_patients=40, n_labelled=SCOPE.n_frames, n_centres=3, patients_of=dict.fromkeys(SCOPE.classes, 20)
)


def test_many_patients_with_all_classes_need_no_caution():
    assert cautions(CALM) == ()
    assert cautions(CALM, Confound(flagged=False, verdict="Fine.")) == ()


def test_the_gravest_comes_first():
    told = cautions(SCOPE, CONFOUND)
    assert told[0].startswith("Facts of the files alone")
    assert told[1].startswith("Only 9 patients.")


def test_absent_and_rare_classes_are_named():
    told = " ".join(cautions(SCOPE))
    assert "No label here of kidney | left" in told
    assert "fewer than 5 patients: liver <b> (3)" in told


def test_one_patient_one_centre_and_unlabelled_frames_are_told():
    told = " ".join(cautions(replace(SCOPE, n_patients=1)))
    assert "one patient: it says nothing about others" in told
    assert "of one centre" in told
    assert "100 frames (10\xa0%) without a label were left out." in told


def test_patients_that_were_trained_on_are_told():
    assert "were trained on" in cautions(replace(CALM, unseen=False))[0]
    assert "is not known" in cautions(replace(CALM, unseen=None))[0]


def test_unknown_patients_are_told():
    assert "Patients are not known" in cautions(replace(CALM, patients_known=False))[0]


def test_how_often_intervals_held_is_told_where_it_is_known():
    told = cautions(replace(SCOPE, interval_caution="91 % of such intervals held the truth."))[0]
    assert "91 % of such intervals held the truth. One unusual patient" in told


def test_what_was_taken_of_the_archive_reads_as_words():
    told = [replace(SCOPE, part=part).where for part in ("test", "all", "out-of-fold")]
    assert told == ["test part of sweeps", "all of sweeps", "sweeps, out of fold"]
