"""A training's parameters, figures and confusion matrices go to the trackers that were chosen, and to no other.

A tracker opens with the first thing it is told, in the process that leads. One that fails is told of once; the training
goes on without it. Neither paths nor the name of the machine or of its user are told to any.
"""

import os
import secrets
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pytorch_lightning as lightning
from jaxtyping import Int
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from sonoplane.errors import MissingExtra, UsageError
from sonoplane.training.tracking_files import CsvFiles, EventFile
from sonoplane.training.tracking_services import CometRun, MlflowRun, WandbRun
from sonoplane.training.tracking_settings import TrackingSettings

__all__ = [
    "BatchFigures",
    "Parameter",
    "Tracker",
    "Writer",
    "flat_parameters",
    "log_confusion",
    "open_trackers",
]

Parameter = bool | int | float | str

#: What a tracker needs: the module, its extra, and how it is called.
_PACKAGES = {
    "tensorboard": ("tensorboardX", "train", "TensorBoard"),
    "comet": ("comet_ml", "tracking-comet", "Comet"),
    "mlflow": ("mlflow", "tracking-mlflow", "MLflow"),
    "wandb": ("wandb", "tracking-wandb", "W&B"),
}

#: A service's key, and the variable with the values of it that keep the run on this machine.
_KEYS = {
    "comet": ("COMET_API_KEY", "COMET_START_ONLINE", ("0", "false", "no", "off")),
    "wandb": ("WANDB_API_KEY", "WANDB_MODE", ("offline", "disabled", "dryrun")),
}

#: The file that keeps the run's id, so that a training that goes on goes on with the same run.
_RUN = "run.txt"


@runtime_checkable
class Writer(Protocol):
    """What keeps the figures of one run."""

    def parameters(self, parameters: Mapping[str, Parameter]) -> None:
        """Keep the settings of the run."""

    def metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Keep figures of one step."""

    def confusion(self, matrix: Int[np.ndarray, "truth answer"], classes: Sequence[str], epoch: int) -> None:
        """Keep the confusion matrix of one epoch."""

    def close(self, status: str) -> None:
        """The run ends, with `success` or not; what is noted later is still kept with it."""


class Tracker(Logger):
    """One tracker as the training framework wants it; whatever fails in it ends it, not the training."""

    def __init__(
        self,
        open_writer: Callable[[], Writer],
        *,
        title: str,
        name: str,
        parameters: Mapping[str, Parameter],
        tell: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._open, self._title, self._name, self._tell = open_writer, title, name, tell
        self._parameters = parameters
        self._writer: Writer | None = None
        self._lost = False

    @property
    def name(self) -> str:
        """The run's name."""
        return self._name

    @property
    def version(self) -> str:
        """There is one run of a name."""
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Note the figures of one step."""
        plain = {name: float(value) for name, value in metrics.items()}
        self._do(lambda writer: writer.metrics(plain, step or 0))

    @rank_zero_only
    def log_hyperparams(self, params: Any, *rest: Any, **named: Any) -> None:
        """Note more settings than were given at the start."""
        plain = flat_parameters(params if isinstance(params, Mapping) else vars(params))
        self._do(lambda writer: writer.parameters(plain))

    @rank_zero_only
    def log_confusion(
        self, matrix: Int[np.ndarray, "truth answer"], classes: Sequence[str], epoch: int
    ) -> None:
        """Note the confusion matrix of one epoch, counted from 1."""
        self._do(lambda writer: writer.confusion(matrix, classes, epoch))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """The training ends."""
        if self._writer is not None:
            self._do(lambda writer: writer.close(status))

    def _do(self, work: Callable[[Writer], None]) -> None:
        if self._lost:
            return
        try:
            if self._writer is None:
                self._writer = self._open()
                self._writer.parameters(self._parameters)
            work(self._writer)
        except Exception as error:  # a service, or its package, can raise anything
            self._lost = True
            self._tell(
                f"{self._title} does not answer ({type(error).__name__}); training goes on without it."
            )


class BatchFigures(lightning.Callback):
    """Notes the loss and the learning rate of every n-th step."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._noted = 0

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, outputs: Any, *rest: Any) -> None:
        """A step is over, or a part of one."""
        step = trainer.global_step
        if not trainer.is_global_zero or not self._every or step == self._noted or step % self._every:
            return
        self._noted = step
        loss = outputs["loss"] if isinstance(outputs, Mapping) else outputs
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        for logger in trainer.loggers:
            logger.log_metrics({"batch_loss": float(loss), "batch_learning_rate": float(rate)}, step=step)


def open_trackers(
    settings: TrackingSettings,
    folder: Path,
    *,
    name: str,
    parameters: Mapping[str, Any],
    resumed: bool = False,
    tell: Callable[[str], None] = warnings.warn,
) -> list[Logger]:
    """A logger for each tracker that is chosen; files lie in `folder`, which is made with the first thing noted.

    `parameters` are the settings of all steps, nested; of a path its last part is told. A run that is `resumed` goes on
    where the last one stopped, else files of an earlier run in the folder are replaced. MLflow's store, unless
    MLFLOW_TRACKING_URI names one, is `mlflow.db` beside the folder, for all runs there; it holds where its artifacts
    lie. `tell` hears of a tracker that fails.

    Raises:
        MissingExtra: the package of a tracker is not installed.
        UsageError: its key is not in the environment.
    """
    for kind in settings.trackers:
        _check(kind)
    plain = flat_parameters(parameters)
    return [
        Tracker(
            partial(_open, kind, folder, name=name, project=settings.project, resumed=resumed),
            title=_PACKAGES[kind][2] if kind in _PACKAGES else "CSV",
            name=name,
            parameters=plain,
            tell=tell,
        )
        for kind in dict.fromkeys(settings.trackers)
    ]


def log_confusion(
    loggers: Sequence[Any], matrix: Int[np.ndarray, "truth answer"], classes: Sequence[str], epoch: int
) -> None:
    """Note the confusion matrix of an epoch, counted from 1, with every tracker; other loggers are left out."""
    for logger in loggers:
        if isinstance(logger, Tracker):
            logger.log_confusion(np.asarray(matrix), classes, epoch)


def flat_parameters(parameters: Mapping[str, Any]) -> dict[str, Parameter]:
    """Nested settings by their full names; of an absolute path the last part remains.

    >>> flat_parameters({"training": {"epochs": 3, "milestones": (1, 2)}, "start": "/data/smith/fetal.npz"})
    {'training.epochs': 3, 'training.milestones': '[1, 2]', 'start': 'fetal.npz'}
    """
    flat: dict[str, Parameter] = {}
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": plain for inner, plain in flat_parameters(value).items()}
        else:
            flat[name] = _plain(value)
    return flat


def _plain(value: Any) -> Parameter:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return str(
            [_plain(each) if not isinstance(each, Mapping) else flat_parameters(each) for each in value]
        )
    text = "" if value is None else str(value)
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(text).is_absolute():
            return kind(text).name
    return text


def _check(kind: str) -> None:
    if kind in _PACKAGES:
        module, extra, title = _PACKAGES[kind]
        if find_spec(module) is None:
            raise MissingExtra(
                f"Tracking with {title} needs the package {module}.",
                advice=f"Run `pip install 'sonoplane[{extra}]'`, or leave '{kind}' out of tracking.trackers.",
            )
    if kind in _KEYS:
        key, mode, offline = _KEYS[kind]
        if not os.environ.get(key) and os.environ.get(mode, "").lower() not in offline:
            raise UsageError(
                f"Tracking with {_PACKAGES[kind][2]} needs a key, and {key} is not set.",
                advice=f"Set {key} in the environment, or {mode}={offline[0]} to keep the run on this machine.",
            )


def _open(kind: str, folder: Path, *, name: str, project: str, resumed: bool) -> Writer:
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "csv":
        return CsvFiles(folder, resumed=resumed)
    if kind == "tensorboard":
        return EventFile(folder, resumed=resumed)
    run = _run_id(folder / f"{kind}-{_RUN}", resumed=resumed)
    services: dict[str, Callable[..., Writer]] = {"comet": CometRun, "mlflow": MlflowRun, "wandb": WandbRun}
    return services[kind](folder, name=name, project=project, run=run)


def _run_id(path: Path, *, resumed: bool) -> str:
    """32 letters and digits, drawn for each run."""
    if not (resumed and path.is_file()):
        path.write_text(secrets.token_hex(16), encoding="utf-8")
    return path.read_text(encoding="utf-8")
