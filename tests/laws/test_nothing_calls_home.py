"""No library that we load opens a connection or looks up a name, whatever it was made to report."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sonoplane.models.bundle import Bundle
from tests.inference.test_backends import tiny_bundle

#: Runs a command line in a process that notes every connection and look-up that Python code makes.
WATCHED = """
import sys
calls = []
sys.addaudithook(
    lambda event, args: calls.append((event, args if "host" in event or "addr" in event else args[1:]))
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname")
    and not (event == "socket.connect" and isinstance(args[1], str))
    else None
)
from sonoplane.cli.main import main
sys.argv = ["sonoplane", *sys.argv[1:]]
status = None
if __name__ == "__main__":
    try:
        main()
    except SystemExit as ended:
        status = ended.code
    assert status == 0, status
    if "--workers" in sys.argv:  # worker processes are spoken to, on this machine alone
        calls = [call for call in calls if "127.0.0.1" not in repr(call)]
    assert not calls, calls
"""


def run_watched(folder: Path, *words: str | Path) -> None:
    script = folder / "watched.py"
    script.write_text(WATCHED)
    done = subprocess.run(
        [sys.executable, script, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_export_and_prediction_open_no_connection(bundle: Bundle, sweeps: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle.folder, tmp_path / "bundle")
    for form in ("onnx", "openvino"):
        run_watched(tmp_path, "export", copy, "--to", form)
    run_watched(tmp_path, "predict", sweeps, "--bundle", copy, "--out", tmp_path / "out")


def test_training_opens_no_connection(sweeps: Path, tmp_path: Path) -> None:
    labels = tmp_path / "planes.csv"
    names = sorted(path.stem for path in sweeps.iterdir())
    rows = [f"{name},,,{'ab'[index % 2]}\n" for index, name in enumerate(names)]
    labels.write_text("recording,start,stop,label\n" + "".join(rows))
    size = ("--input.height", "32", "--input.width", "48")
    run_watched(
        tmp_path,
        "prepare",
        sweeps,
        "--workers",
        "2",
        "--out",
        tmp_path / "archive",
        "--labels",
        labels,
        *size,
        "--each-recording-is-a-patient",
    )
    run_watched(
        tmp_path, "train", tmp_path / "archive", "--task", "planes", "--out", tmp_path / "b", *size, "--network.name",
        "sononet2d-4", "--training.epochs", "1",
    )  # fmt: skip


#: Exports a bundle for both runtimes, and opens it on both.
OPENED = """
import sys
from pathlib import Path
from sonoplane.inference.backends import open_backend
from sonoplane.inference.export import export
from sonoplane.models.bundle import Bundle
bundle = Bundle.load(Path(sys.argv[1]))
for name in ("openvino", "onnx"):
    bundle, _ = export(bundle, name)
    open_backend(bundle, name)
"""


@pytest.mark.parametrize("name", ["sononet2d-2", pytest.param("echo3dcnn", marks=pytest.mark.slow)])
def test_no_runtime_leaves_anything_in_the_home_folder(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    unset = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    kept = {key: value for key, value in os.environ.items() if key not in unset}
    done = subprocess.run(
        [sys.executable, "-c", OPENED, tiny_bundle(name, tmp_path / "bundle").folder],
        env=kept | {"HOME": str(home), "SONOPLANE_CACHE": str(tmp_path / "cache")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not [path for path in home.rglob("*") if path.is_file()]
