import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = [
    "predict",
    "stream",
    "prepare",
    "train",
    "evaluate",
    "explain",
    "compare",
    "export",
    "models",
    "demo",
    "weights import",
    "weights list",
    "weights get",
]


def sonoplane(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sonoplane", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "200", **environment},
        check=False,
    )


def test_help_loads_neither_torch_nor_dicom_nor_tables() -> None:
    code = (
        "import sys; sys.argv = ['sonoplane', '--help']\n"
        "import sonoplane.cli.main\n"
        "try: sonoplane.cli.main.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pydicom', 'polars', 'numpy', 'av', 'cv2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = sonoplane(*command.split(), "--help")
    assert done.returncode == 0
    assert f"Example: sonoplane {command}" in done.stdout.replace("`", "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pedict"], 'Did you mean "predict"?'),
        (["predict", "x", "--bundel", "b", "--out", "o"], "Did you mean --bundle?"),
        (["predict", "x", "--bundle", "no-bundle", "--out", "o"], "is no bundle"),
        (["weights", "import", "no.npz", "--out", "o"], "no.npz"),
        (["weights", "get", "SonoNet17"], "SonoNet17"),
        (["train", "no-archive", "--task", "t", "--out", "o"], "not an archive"),
        (
            ["predict", "x", "--bundle", "b", "--out", "o", "--keyframes.per-plane", "0"],
            "greater than or equal to 1",
        ),
        (["demo", "--patients", "2"], "too few"),
    ],
)
def test_a_mistake_is_told_in_words_with_status_2(words: list[str], told: str, tmp_path: Path) -> None:
    os.chdir(tmp_path)
    done = sonoplane(*words)
    assert done.returncode == 2
    assert told in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr
    assert "pydantic.dev" not in done.stderr


def test_debug_shows_where_an_error_arose(tmp_path: Path) -> None:
    done = sonoplane("predict", tmp_path, "--bundle", tmp_path, "--out", tmp_path / "o", "--debug")
    assert "Traceback" in done.stderr


def test_version_is_the_packages() -> None:
    from sonoplane import __version__

    assert sonoplane("--version").stdout.strip() == __version__


def test_weights_list_is_json(tmp_path: Path) -> None:
    listed = json.loads(sonoplane("weights", "list", "--json").stdout)
    assert {"sononet16", "sononet32", "sononet64"} <= {row["name"] for row in listed}
