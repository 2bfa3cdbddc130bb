import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import tomli_w

from sonoplane.clips.labels import write_labels
from sonoplane.errors import UsageError
from sonoplane.models.bundle import Bundle
from sonoplane.steps.prepare import prepare
from sonoplane.steps.recipe import layered
from sonoplane.steps.train import train
from sonoplane.video.phantom import PhantomExam

RECIPE = {
    "input": {"height": 32, "width": 48},
    "network": {"name": "sononet2d-4"},
    "training": {"epochs": 6, "patience": 6, "batch": 8},
    "split": {"train": 0.5, "validation": 0.25, "test": 0.25},
}


@pytest.fixture(scope="module")
def archive(sweeps: Path, exams: list[PhantomExam], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    write_labels(folder / "planes.csv", [row for exam in exams for row in exam.labels])
    prepare([sweeps], folder / "archive", labels={"planes": folder / "planes.csv"}, recipe=layered(RECIPE))
    return folder / "archive"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopped:
    """A training that was stopped, and what it left."""

    archive: Path
    exit_status: int
    left: Path


@pytest.fixture(scope="module")
def stopped(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    """Stopped as a cluster or a shutdown stops it, after at least one epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    process = start(archive, folder, RECIPE)
    left = folder / "bundle.training"
    while not (left / "last.ckpt").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    return Stopped(archive=archive, exit_status=process.wait(60), left=left)


def start(archive: Path, folder: Path, recipe: dict[str, dict[str, object]]) -> subprocess.Popen[bytes]:
    (folder / "recipe.toml").write_text(tomli_w.dumps(recipe))
    command = ["train", str(archive), "--task", "planes", "--out", str(folder / "bundle")]
    return subprocess.Popen(
        [sys.executable, "-m", "sonoplane", *command, "--recipe", str(folder / "recipe.toml")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_a_stop_leaves_what_is_needed_to_go_on_and_no_bundle(stopped: Stopped) -> None:
    assert stopped.exit_status != 0
    assert (stopped.left / "last.ckpt").is_file()
    assert not stopped.left.with_name("bundle").exists()


def test_the_same_call_goes_on_and_clears_up(stopped: Stopped, tmp_path: Path) -> None:
    shutil.copytree(stopped.left, tmp_path / "b.training")
    bundle = train(stopped.archive, task="planes", out=tmp_path / "b", recipe=layered(RECIPE))
    log = (bundle.folder / "train.log").read_text().splitlines()
    assert [line.split()[1] for line in log] == [f"{epoch}/6" for epoch in range(1, 7)]
    assert len((bundle.folder / "history.csv").read_text().splitlines()) == 7
    assert not (tmp_path / "b.training").exists()
    assert {"train.log", "history.csv"} <= bundle.hashes.keys()


def test_other_settings_do_not_go_on_but_may_begin_anew(stopped: Stopped, tmp_path: Path) -> None:
    shutil.copytree(stopped.left, tmp_path / "b.training")
    other = layered(RECIPE, {"training": {"learning_rate": 1e-3, "epochs": 1}})
    with pytest.raises(UsageError, match="--restart"):
        train(stopped.archive, task="planes", out=tmp_path / "b", recipe=other)
    bundle = train(stopped.archive, task="planes", out=tmp_path / "b", recipe=other, restart=True)
    assert (bundle.metrics or {})["history"][0]["epoch"] == 0


def test_settings_of_pace_may_change_on_the_way(stopped: Stopped, tmp_path: Path) -> None:
    shutil.copytree(stopped.left, tmp_path / "b.training")
    slow = layered(RECIPE, {"training": {"cache_gb": 0, "workers": 1}})
    bundle = train(stopped.archive, task="planes", out=tmp_path / "b", recipe=slow)
    assert len((bundle.metrics or {})["history"]) == 6


@pytest.mark.slow
def test_two_processes_train_together_and_one_of_them_writes(archive: Path, tmp_path: Path) -> None:
    together = {"devices": 2, "accelerator": "cpu", "strategy": "ddp", "epochs": 2}
    recipe = {**RECIPE, "training": {**RECIPE["training"], **together}}
    assert start(archive, tmp_path, recipe).wait(300) == 0
    log = (tmp_path / "bundle" / "train.log").read_text().splitlines()
    assert [line.split()[1] for line in log] == ["1/2", "2/2"]
    assert not (tmp_path / "bundle.training").exists()
    validation = (Bundle.load(tmp_path / "bundle").metrics or {})["validation"]
    assert [sum(row) for row in validation["confusion"]] == validation["labels"]
