"""The study of boxes counts what it says."""

import json
from pathlib import Path

from sonoplane.records import Box
from sonoplane.report.findings_json import read
from sonoplane.steps.explain import explain_all
from sonoplane.steps.recipe import layered
from sonoplane.steps.weights import import_bundle
from sonoplane.video.phantom import simulate
from studies.localization.fetal import LOOKED_AT, page
from studies.localization.phantom import Boxed, guessed, guesses, row, shares, table

ROOT = Path(__file__).parents[2]
WITHIN = Box(left=100, top=50, right=300, bottom=250)
TRUE = Box(left=120, top=70, right=160, bottom=110)


def frame(patient: str, plane: str = "aorta") -> Boxed:
    return Boxed(patient=patient, plane=plane, true=TRUE, within=WITHIN, found=TRUE, shuffled=None)


def test_a_box_is_right_from_half_overlap_on() -> None:
    half, less = Box(left=120, top=70, right=160, bottom=90), Box(left=120, top=70, right=160, bottom=89)
    frames = [frame("a"), frame("b"), frame("b", "ivc"), frame("c", "ivc")]
    found = row([TRUE, half, less, None], frames)
    assert found["right"] == 0.5
    assert found["low"] < 0.5 < found["high"]
    assert found["by_plane"] == {"aorta": [2, 2], "ivc": [0, 2]}


def test_shares_of_the_ultrasound_become_the_box_again() -> None:
    assert guessed(shares(TRUE, WITHIN), WITHIN) == TRUE


def test_guesses_are_of_mean_size_in_the_centre_and_where_structures_lie_in_the_mean() -> None:
    exam = next(simulate("liver-sweep", patients=1, seed=3))
    plane = next(label.label for label in exam.labels if label.label != "background")
    centred, mean = guesses([exam])[plane]
    assert abs((centred[:2] + centred[2:]) / 2 - 0.5).max() < 1e-9
    assert abs((centred[2:] - centred[:2]) - (mean[2:] - mean[:2])).max() < 1e-9
    assert (mean >= -0.01).all()
    assert (mean <= 1.01).all()


def test_the_table_has_a_row_for_each_network() -> None:
    rows = {"boxes": row([TRUE, TRUE], [frame("a"), frame("b")])}
    lines = table({"net": {"frames": 2, "patients": 2, **rows}}).splitlines()
    assert lines[0] == "| network | frames, patients | boxes |"
    assert lines[2].startswith("| net | 2, 2 | 1.00")


def test_the_docs_tell_what_the_studies_found() -> None:
    told = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")
    found = json.loads((ROOT / "studies" / "localization" / "phantom.json").read_text(encoding="utf-8"))
    for line in table(found).splitlines()[2:]:
        assert line.partition(" | ")[2] in told  # but for the network's name, which is written out there
    for is_on, said in LOOKED_AT.values():
        assert f" | {is_on} | {said} |" in told


def test_the_seven_fetal_images_are_shown_with_their_boxes(shared_data: Path, tmp_path: Path) -> None:
    bundle = import_bundle(shared_data / "sononet" / "SonoNet16.npz", tmp_path / "fetal")
    images, out = shared_data / "sononet" / "images", tmp_path / "out"
    explain_all([images], bundle=bundle, out=out, recipe=layered(bundle.recipe))
    shown = page(out)
    expected = json.loads((shared_data / "sononet" / "expected.json").read_text(encoding="utf-8"))
    assert shown.count("<img src='data:image/jpeg") == len(LOOKED_AT) == 7
    for name in LOOKED_AT:
        (keyframe,) = read(out / name / "findings.json")["keyframes"]
        assert keyframe["label"] == expected["images"][name]["predicted"]
        assert keyframe["box"] is not None
        assert f"<h2>{keyframe['label']}, probability" in shown
