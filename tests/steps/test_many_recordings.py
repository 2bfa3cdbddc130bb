"""Thirty real recordings and five broken files at once, as a clinic's disk has them."""

import csv
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from sonoplane.inference.export import export
from sonoplane.steps.weights import import_bundle

BROKEN = {"empty", "truncated", "text", "ct", "dangling"}


@pytest.fixture
def disk(shared_data: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    echo, ct = (Path(str(get_testdata_file(name))) for name in ("examples_ybr_color.dcm", "CT_small.dcm"))
    pocus = sorted(path for path in (shared_data / "pocus").iterdir() if path.suffix.lower() != ".tsv")[::3]
    lung = sorted((shared_data / "covid-blues/lus_videos").iterdir())[::40]
    still = sorted((shared_data / "itkpocus").glob("*.[dm][cp][m4]"))
    recordings = [*pocus[:20], *lung[:6], *still, echo]
    assert len(recordings) == 30
    for path in recordings:
        (folder / path.name).symlink_to(path)
    (folder / "empty.mp4").touch()
    (folder / "truncated.dcm").write_bytes(echo.read_bytes()[:50_000])
    (folder / "text.mp4").write_text("This is no video.\n")
    (folder / "ct.dcm").symlink_to(ct)
    (folder / "dangling.mp4").symlink_to(folder / "nowhere.mp4")
    return folder


@pytest.mark.slow
def test_the_good_are_predicted_and_the_broken_listed_within_the_memory_of_a_clinics_machine(
    disk: Path, shared_data: Path, tmp_path: Path
) -> None:
    bundle, _ = export(import_bundle(shared_data / "sononet/SonoNet16.npz", tmp_path / "fetal16"), "openvino")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "sonoplane", "predict", disk, "--bundle", bundle.folder, "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(list(out.glob("*/findings.json"))) == 30
    with (out / "failures.csv").open(encoding="utf-8") as file:
        failures = list(csv.DictReader(file))
    assert {row["recording"] for row in failures} == BROKEN
    assert all(row["reason"] and row["what_to_do"] for row in failures)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < 1.5e9
