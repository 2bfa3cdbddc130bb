"""The tutorial's commands run as they stand, on the public data set that they are about."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sonoplane.frames.archive import open_archive
from sonoplane.steps.prepare import verify

PAGE = Path(__file__).parents[1] / "docs" / "tutorial-lung.md"


@pytest.mark.slow
def test_the_tutorial_runs_from_top_to_bottom(shared_data: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    script = "\n".join(blocks).replace("DATA=covid-blues ", f"DATA='{shared_data}/covid-blues' ")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PATH": path}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "237 recordings of 42 patients" in done.stdout
    assert "237 of them new" in done.stdout
    store = open_archive(tmp_path / "lung")
    assert (len(store), store.tasks) == (237, ("blines", "zone"))
    assert verify(tmp_path / "lung") == []
    assert (tmp_path / "blines-16" / "bundle.json").exists()
