"""The trackers of others: Comet, MLflow and W&B, told of the training and of nothing else.

What they gather by themselves (code, git, host, user, command line, output, load) is switched off, as is their own
telemetry. Keys and addresses are theirs to read from the environment.
"""

import io
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from sonoplane.report.confusion import confusion_png

__all__ = ["CometRun", "MlflowRun", "WandbRun"]


class CometRun:
    """A run at Comet, or with COMET_START_ONLINE=0 an archive in the folder for `comet upload`."""

    def __init__(self, folder: Path, *, name: str, project: str, run: str) -> None:
        os.environ.setdefault(
            "COMET_INTERNAL_SENTRY_DSN", ""
        )  # before it is imported: it would report errors
        os.environ.setdefault("COMET_LOGGING_CONSOLE", "CRITICAL")
        from pytorch_lightning.loggers import CometLogger

        self._open = partial(
            CometLogger,
            api_key=os.environ.get("COMET_API_KEY"),
            workspace=os.environ.get("COMET_WORKSPACE"),
            project=project,
            experiment_key=run,
            name=name,
            offline_directory=str(folder),
            log_code=False,
            log_graph=False,
            log_git_metadata=False,
            log_git_patch=False,
            log_env_details=False,
            log_env_host=False,
            parse_args=False,
            auto_output_logging=False,
            auto_param_logging=False,
            auto_metric_logging=False,
            auto_log_co2=False,
            display_summary_level=0,
        )
        self._logger: Any = self._open()

    def parameters(self, parameters: Mapping[str, Any]) -> None:
        """The run's parameters."""
        self._logger.log_hyperparams(dict(parameters))

    def metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """The run's metrics."""
        self._logger.log_metrics(dict(metrics), step)

    def confusion(self, matrix: Int[np.ndarray, "truth answer"], classes: Sequence[str], epoch: int) -> None:
        """As Comet's own confusion matrix."""
        self._logger.experiment.log_confusion_matrix(
            matrix=matrix.tolist(), labels=list(classes), title=f"Epoch {epoch}", epoch=epoch,
            row_label="truth", column_label="answer", file_name=f"confusion-{epoch:04d}.json",
        )  # fmt: skip

    def close(self, status: str) -> None:
        """Send, or pack, what is left."""
        self._logger.experiment.end()
        self._logger = _Later(self._open)


class MlflowRun:
    """A run in MLflow's store: at MLFLOW_TRACKING_URI, else `mlflow.db` beside the folder."""

    def __init__(self, folder: Path, *, name: str, project: str, run: str) -> None:
        for variable, value in (
            ("MLFLOW_DISABLE_TELEMETRY", "true"),
            ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2"),
            ("MLFLOW_HTTP_REQUEST_TIMEOUT", "20"),
        ):
            os.environ.setdefault(variable, value)
        import mlflow  # noqa: F401  # sets its loggers' levels when it is first imported
        from pytorch_lightning.loggers import MLFlowLogger

        for noisy in ("alembic", "mlflow", "pytorch_lightning.loggers.mlflow"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        remote = os.environ.get("MLFLOW_TRACKING_URI")
        home = folder.resolve().parent
        told_by_itself = ("user", "source.name", "source.type", "source.git.commit", "source.git.repoURL")
        self._logger = MLFlowLogger(
            experiment_name=project,
            run_name=name,
            tracking_uri=remote or f"sqlite:///{home / 'mlflow.db'}",
            artifact_location=None if remote else str(home / "mlflow-artifacts"),
            tags={f"mlflow.{tag}": "sonoplane" for tag in told_by_itself} | {"run": run},
            run_id=None,
        )
        self._logger._run_id = self._earlier(project, run)

    def parameters(self, parameters: Mapping[str, Any]) -> None:
        """The run's parameters; MLflow never lets one change."""
        known = self._logger.experiment.get_run(self._logger.run_id).data.params
        self._logger.log_hyperparams({name: value for name, value in parameters.items() if name not in known})

    def metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """The run's metrics."""
        self._logger.log_metrics(metrics, step)

    def confusion(self, matrix: Int[np.ndarray, "truth answer"], classes: Sequence[str], epoch: int) -> None:
        """As counts and as a picture among the run's artifacts."""
        client, run = self._logger.experiment, self._logger.run_id
        counts = {"classes": list(classes), "counts": matrix.tolist(), "epoch": epoch}
        client.log_dict(run, counts, f"confusion/{epoch:04d}.json")
        client.log_image(run, _picture(matrix, classes, epoch), f"confusion/{epoch:04d}.png")

    def close(self, status: str) -> None:
        """The run ends."""
        self._logger.finalize(status)

    def _earlier(self, project: str, run: str) -> str | None:
        """The run that an earlier training began, which this one goes on with."""
        client = self._logger._mlflow_client
        experiment = client.get_experiment_by_name(project)
        found = experiment and client.search_runs([experiment.experiment_id], f"tags.run = '{run}'")
        return found[0].info.run_id if found else None


class WandbRun:
    """A run at W&B, or with WANDB_MODE=offline a folder for `wandb sync`."""

    def __init__(self, folder: Path, *, name: str, project: str, run: str) -> None:
        for variable, value in (("WANDB_ERROR_REPORTING", "false"), ("WANDB_SILENT", "true")):
            os.environ.setdefault(variable, value)
        import wandb
        from pytorch_lightning.loggers import WandbLogger

        settings = wandb.Settings(
            console="off",
            silent=True,
            disable_code=True,
            disable_git=True,
            save_code=False,
            host="",
            program="sonoplane",
            init_timeout=30,
            finish_timeout=120,
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )
        self._open = partial(
            WandbLogger, name=name, save_dir=str(folder), version=run, project=project, settings=settings
        )
        self._logger: Any = self._open()

    def parameters(self, parameters: Mapping[str, Any]) -> None:
        """The run's configuration."""
        self._logger.log_hyperparams(dict(parameters))

    def metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """The run's history."""
        self._logger.log_metrics(metrics, step)

    def confusion(self, matrix: Int[np.ndarray, "truth answer"], classes: Sequence[str], epoch: int) -> None:
        """As a picture."""
        self._logger.log_image("confusion", [_picture(matrix, classes, epoch)])

    def close(self, status: str) -> None:
        """Send, or keep, what is left."""
        self._logger.experiment.finish(exit_code=0 if status == "success" else 1)
        self._logger = _Later(self._open)


class _Later:
    """A logger whose run has ended: it opens again with the first thing that is asked of it."""

    def __init__(self, open_logger: Callable[[], Any]) -> None:
        self._open = open_logger
        self._logger: Any = None

    def __getattr__(self, name: str) -> Any:
        self._logger = self._logger or self._open()
        return getattr(self._logger, name)


def _picture(matrix: Int[np.ndarray, "truth answer"], classes: Sequence[str], epoch: int) -> Any:
    from PIL import Image as Pillow

    return Pillow.open(io.BytesIO(confusion_png(matrix, classes, title=f"epoch {epoch}")))
