"""What trackers are told, what they keep, and that a training outlives them."""

import csv
import os
import socket
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch
from pydantic import ValidationError
from torch.utils.data import DataLoader

from sonoplane.errors import MissingExtra, UsageError
from sonoplane.training import tracking
from sonoplane.training.tracking import BatchFigures, Tracker, log_confusion, open_trackers
from sonoplane.training.tracking_settings import TrackingSettings

RECIPE = {"training": {"learning_rate": 0.005, "batch": 4}, "network": {"name": "sononet2d-4", "start": None}}
CLASSES = ("liver", "kidney, left")
MATRIX = np.array([[5, 1], [2, 4]])


def opened(folder, *kinds, **more):
    settings = TrackingSettings(trackers=kinds) if kinds else TrackingSettings()
    return open_trackers(settings, folder, name="run", parameters=RECIPE, **more)


def note(loggers, steps, epoch=1):
    for logger in loggers:
        for step in steps:
            logger.log_metrics({"batch_loss": 1 / step}, step)
        logger.log_metrics({"val_loss": 0.25, "val_accuracy": torch.tensor(0.75)}, steps[-1])
    log_confusion(loggers, MATRIX, CLASSES, epoch)


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row) for row in csv.reader(file)]


def events(folder):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    return accumulator.EventAccumulator(str(folder), purge_orphaned_data=True).Reload()


def test_nothing_is_made_before_something_is_noted(tmp_path):
    opened(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_csv_holds_parameters_figures_and_confusion(tmp_path):
    note(opened(tmp_path, "csv"), [1, 2])
    assert ("training.learning_rate", "0.005") in table(tmp_path / "parameters.csv")
    assert table(tmp_path / "metrics.csv") == [
        ("step", "name", "value"), ("1", "batch_loss", "1"), ("2", "batch_loss", "0.5"), ("2", "val_loss", "0.25"),
        ("2", "val_accuracy", "0.75"),
    ]  # fmt: skip
    assert ("1", "kidney, left", "liver", "2") in table(tmp_path / "confusion.csv")


def test_tensorboard_reads_figures_parameters_and_confusion(tmp_path):
    loggers = opened(tmp_path, "tensorboard")
    note(loggers, [1, 2])
    for logger in loggers:
        logger.finalize("success")
    told = events(tmp_path)
    assert [(point.step, point.value) for point in told.Scalars("batch_loss")] == [(1, 1.0), (2, 0.5)]
    assert told.Scalars("val_accuracy")[0].value == 0.75
    image = told.Images("confusion")[0]
    assert image.encoded_image_string.startswith(b"\x89PNG")
    assert min(image.width, image.height) > 100
    assert b"learning_rate" in told.summary_metadata["_hparams_/session_start_info"].plugin_data.content


@pytest.mark.parametrize("kind", ["csv", "tensorboard"])
def test_a_resumed_run_forgets_what_came_after_its_checkpoint(tmp_path, kind):
    note(opened(tmp_path, kind), [1, 2, 3])  # killed: nothing is finalized
    note(opened(tmp_path, kind, resumed=True), [3, 4])
    if kind == "csv":
        steps = [int(step) for step, name, _ in table(tmp_path / "metrics.csv")[1:] if name == "batch_loss"]
        assert len(table(tmp_path / "confusion.csv")) == 1 + MATRIX.size
    else:
        steps = [point.step for point in events(tmp_path).Scalars("batch_loss")]
    assert steps == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["csv", "tensorboard"])
def test_what_is_noted_after_the_end_is_kept_too(tmp_path, kind):
    loggers = opened(tmp_path, kind)
    note(loggers, [1, 2], epoch=1)
    note(loggers, [3, 4], epoch=2)
    loggers[0].finalize("success")
    log_confusion(loggers, MATRIX, CLASSES, 1)  # the best epoch's
    loggers[0].log_metrics({"test_accuracy": 0.5}, 4)
    if kind == "csv":
        assert [row[1] for row in table(tmp_path / "metrics.csv")[-3:]] == [
            "val_loss",
            "val_accuracy",
            "test_accuracy",
        ]
        assert {row[0] for row in table(tmp_path / "confusion.csv")[1:]} == {"1", "2"}
    else:
        assert {"batch_loss", "val_loss", "test_accuracy"} <= set(events(tmp_path).Tags()["scalars"])


@pytest.mark.parametrize("kind", ["csv", "tensorboard"])
def test_a_new_run_replaces_an_old_one(tmp_path, kind):
    note(opened(tmp_path, kind), [1, 2, 3])
    n_files = len(list(tmp_path.iterdir()))
    note(opened(tmp_path, kind), [2])
    assert len(list(tmp_path.iterdir())) == n_files
    if kind == "csv":
        assert table(tmp_path / "metrics.csv")[1] == ("2", "batch_loss", "0.5")


def test_files_hold_neither_paths_nor_host_nor_user(tmp_path):
    start = tmp_path / "smith" / "fetal.npz"
    recipe = {"network": {"start": str(start)}, "more": [start]}
    loggers = open_trackers(TrackingSettings(), tmp_path / "run", name="run", parameters=recipe)
    note(loggers, [1])
    secret = [socket.gethostname(), str(tmp_path), "smith", *filter(None, [os.environ.get("USER")])]
    secret = [word for word in secret if len(word) > 4]
    for path in (tmp_path / "run").iterdir():
        assert not any(word in path.name or word.encode() in path.read_bytes() for word in secret)


def test_a_tracker_that_fails_is_told_of_once_and_left(tmp_path):
    heard = []
    (tmp_path / "run").write_text("a file where the folder should be")
    note(opened(tmp_path / "run", "csv", tell=heard.append), [1, 2, 3])
    assert heard == ["CSV does not answer (FileExistsError); training goes on without it."]


@pytest.mark.parametrize(
    ("kind", "module"), [("comet", "comet_ml"), ("wandb", "wandb"), ("mlflow", "mlflow")]
)
def test_a_missing_package_is_named_with_its_extra(tmp_path, kind, module):
    if tracking.find_spec(module):
        pytest.skip(f"{module} is installed")
    with pytest.raises(MissingExtra, match=rf"{module}.*sonoplane\[tracking-{kind}\]"):
        opened(tmp_path, kind)


@pytest.mark.parametrize(
    ("kind", "key", "offline"),
    [("comet", "COMET_API_KEY", "COMET_START_ONLINE=0"), ("wandb", "WANDB_API_KEY", "WANDB_MODE=offline")],
)
def test_a_missing_key_is_named(tmp_path, kind, key, offline, monkeypatch):
    monkeypatch.setitem(tracking._PACKAGES, kind, ("csv", *tracking._PACKAGES[kind][1:]))
    for name in (key, offline.split("=")[0]):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=f"{key} is not set.*{offline}"):
        opened(tmp_path, kind)
    monkeypatch.setenv(*offline.split("="))
    assert len(opened(tmp_path, kind)) == 1


def test_settings_take_no_key():
    with pytest.raises(ValidationError):
        TrackingSettings(api_key="secret")


class Line(lightning.LightningModule):
    """The smallest thing that trains."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, index):
        return self.layer(batch).mean()

    def on_train_epoch_end(self):
        for logger in self.trainer.loggers:
            logger.log_metrics({"epoch": self.trainer.current_epoch}, step=self.trainer.global_step)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore")  # the framework's advice
def test_the_training_framework_notes_every_nth_step(tmp_path: Path):
    loggers = opened(tmp_path, "csv", "tensorboard")
    assert all(isinstance(logger, Tracker) for logger in loggers)
    lightning.Trainer(
        max_epochs=2, accelerator="cpu", logger=loggers, callbacks=[BatchFigures(2)], enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    ).fit(Line(), DataLoader(torch.ones(5, 1)))  # fmt: skip
    rows = table(tmp_path / "metrics.csv")
    assert [int(step) for step, name, _ in rows if name == "batch_loss"] == [2, 4, 6, 8, 10]
    assert [int(step) for step, name, _ in rows if name == "epoch"] == [5, 10]


def test_mlflow_keeps_runs_in_its_store_and_goes_on(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "run"
    loggers = opened(folder, "mlflow", tell=pytest.fail)
    note(loggers, [1, 2])
    note(opened(folder, "mlflow", resumed=True, tell=pytest.fail), [3])
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("sonoplane").experiment_id])
    assert run.data.params["training.batch"] == "4"
    assert [point.step for point in client.get_metric_history(run.info.run_id, "batch_loss")] == [1, 2, 3]
    assert run.data.tags["mlflow.user"] == run.data.tags["mlflow.source.name"] == "sonoplane"


def test_wandb_offline_keeps_the_run_here(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    loggers = opened(tmp_path, "wandb", tell=pytest.fail)
    note(loggers, [1, 2])
    loggers[0].finalize("success")
    (kept,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert b"learning_rate" in kept.read_bytes()
    assert socket.gethostname().encode() not in kept.read_bytes()


def test_comet_offline_packs_the_run_here(tmp_path, monkeypatch):
    pytest.importorskip("comet_ml")
    monkeypatch.setenv("COMET_START_ONLINE", "0")
    loggers = opened(tmp_path, "comet", tell=pytest.fail)
    note(loggers, [1, 2])
    loggers[0].finalize("success")
    assert len(list(tmp_path.glob("*.zip"))) == 1
