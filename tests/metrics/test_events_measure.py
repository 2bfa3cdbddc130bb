"""The events of many sweeps as numbers over patients."""

import json

import pytest

from sonoplane.errors import UsageError
from sonoplane.metrics.events_measure import EventsMeasured, measure_events
from tests.metrics.test_events import events


def several() -> EventsMeasured:
    """Six patients: all good but for what is said."""
    good = ("bbkkkkbbllll", "bbkkkkbbllll", {4: "kidney", 9: "liver"})
    late = (
        "bbkkkkbbllll",
        "bbbkkkbbbbll",
        {4: "kidney", 9: "liver"},
    )  # the liver's key frame is right, its run late
    missed = ("bbkkkkbbllll", "bbkkkkbbbbbb", {4: "kidney"})
    alarmed = ("bbkkkkbbbbbb", "bbkkkkbbllll", {4: "kidney", 9: "liver"})
    return measure_events(
        [events(*case, patient=f"p{i}") for i, case in enumerate([good, good, late, missed, alarmed, good])]
    )


def test_numbers_are_ratios_over_all_sweeps() -> None:
    found = several().numbers
    assert found["completeness"].value == pytest.approx(10 / 11)
    assert found["retrieval"].value == pytest.approx(10 / 11)
    assert found["keyframe_precision"].value == pytest.approx(10 / 11)
    assert found["false_alarms_per_minute"].value == pytest.approx(1 / (6 * 1.2 / 60))
    assert found["first_hit_s"].value == pytest.approx((0.1 + 0.2) / 10)
    assert found["completeness"].n_patients == 6
    assert "may be too narrow" in str(found["completeness"])


def test_segment_f1_is_pooled_in_each_plane_then_averaged() -> None:
    found = several()
    kidney, liver = (found.planes[name]["segment_f1_50"].value for name in ("kidney", "liver"))
    assert kidney == 1.0
    assert liver == pytest.approx(2 * 4 / (2 * 4 + 1 + 1))
    assert found.numbers["segment_f1_50"].value == pytest.approx((1 + 0.8) / 2)


def test_each_plane_has_its_own_numbers_from_the_patients_that_show_it() -> None:
    liver = several().planes["liver"]["found"]
    assert liver.value == pytest.approx(4 / 5)
    assert liver.n_patients == 5


def test_a_patient_with_many_sweeps_is_one_patient() -> None:
    sweeps = [events("bbkk", "bbkk", {3: "kidney"}, patient="p") for _ in range(5)]
    found = measure_events(sweeps)
    assert (found.n_recordings, found.n_patients) == (5, 1)
    assert "one patient says nothing about others" in str(found.numbers["completeness"])


def test_what_cannot_be_known_is_none_and_said() -> None:
    found = measure_events([events("bbkk", "bbkk", {3: "kidney"}, timed=False, patient=p) for p in "pq"])
    assert found.numbers["first_hit_s"].value is None
    assert found.numbers["false_alarms_per_minute"].value is None
    assert found.planes["liver"]["found"].value is None
    assert found.notes == (
        "2 of 2 recordings have no frame times: left out of seconds and minutes.",
        "Never labelled: liver; whether they would be found is not known.",
    )
    json.dumps(found.to_json(), allow_nan=False)


def test_no_sweep_is_told() -> None:
    with pytest.raises(UsageError, match="no sweep"):
        measure_events([])
