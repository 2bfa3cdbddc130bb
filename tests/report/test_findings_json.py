"""findings.json: what it holds, and that nothing wrong gets into it."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonoplane.errors import UsageError
from sonoplane.report import findings_json
from sonoplane.report.images import image_names
from tests.report.sweeps import findings, timeline


def document(**changed):
    found = findings(timeline(60), **changed)
    return findings_json.to_json(found, image_names(found.keyframes))


def test_findings_meet_the_schema_after_a_round_trip_through_a_file(tmp_path):
    findings_json.write(tmp_path / "findings.json", document())
    assert findings_json.read(tmp_path / "findings.json") == document()


def test_what_the_contract_names_is_there():
    told = document()
    assert {"recording", "frames", "fps", "classes", "segments", "sonoplane"} <= told.keys()
    assert told["recording_label"].keys() == {"label", "probability"}
    assert told["planes"].keys() == {"found", "missing"}
    assert told["bundle"].keys() == {"name", "version", "sha256"}
    assert {"frame", "time_s", "label", "probability", "image"} <= told["keyframes"][0].keys()
    assert sum(s["stop"] - s["start"] for s in told["segments"]) == told["frames"] == 60


@pytest.mark.parametrize("rate", [None, math.nan, math.inf])
def test_an_unknown_frame_rate_is_null(rate):
    told = document(fps=rate)
    findings_json.validate(told)
    assert told["fps"] is None


def test_a_probability_that_is_no_number_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"recording_label\.probability"):
        findings_json.write(tmp_path / "findings.json", document(probability=math.nan))


def test_settings_of_any_kind_become_json_without_absolute_paths():
    settings = {
        "bundle": Path("/home/someone/bundle"),
        "labels": "/srv/patients/labels.csv",
        "windows": "C:\\data\\doe\\a.csv",
        "recipe": Path("recipes/liver.toml"),
        "size": np.array([224, 288]),
        "limit": math.inf,
        "rate": np.float32(0.5),
        "crop": (1, 2),
    }
    told = document(settings=settings)
    findings_json.validate(told)
    assert told["settings"] == {
        "bundle": "bundle",
        "labels": "labels.csv",
        "windows": "a.csv",
        "recipe": "recipes/liver.toml",
        "size": [224, 288],
        "limit": None,
        "rate": 0.5,
        "crop": [1, 2],
    }


def test_no_pseudonym_is_told():
    text = json.dumps(document())
    assert "pseudonym-4711" not in text
    assert "study-0815" not in text


@pytest.mark.parametrize("key", ["planes", "bundle", "fps", "region"])
def test_a_document_that_lacks_a_part_is_refused_by_name(key):
    told = document()
    del told[key]
    with pytest.raises(UsageError, match=key):
        findings_json.validate(told)


@pytest.mark.parametrize("text", ["", "frames", '{"fps": NaN}'])
def test_another_file_is_no_findings(tmp_path, text):
    (tmp_path / "findings.json").write_text(text)
    with pytest.raises(UsageError, match=r"findings\.json cannot be read"):
        findings_json.read(tmp_path / "findings.json")


def test_names_and_key_frames_must_match():
    found = replace(findings(timeline(60)))
    with pytest.raises(ValueError, match="zip"):
        findings_json.to_json(found, [])
