"""Where the figures of a training are noted, apart from the bundle."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["TrackingSettings"]


class TrackingSettings(BaseModel):
    """Settings of the experiment trackers; keys are never among them, but in the environment.

    >>> TrackingSettings().trackers
    ('csv', 'tensorboard')
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    trackers: tuple[Literal["csv", "tensorboard", "comet", "mlflow", "wandb"], ...] = ("csv", "tensorboard")
    """Who keeps parameters, figures and confusion matrices. `csv` and `tensorboard` write files; `comet`, `mlflow` and
    `wandb` need their extra, such as `sonoplane[tracking-mlflow]`, and take keys and addresses from the environment.
    Nothing is sent to one that is not named here."""
    project: str = Field(default="sonoplane", min_length=1)
    """The project (MLflow: experiment) that the run belongs to at a service."""
    every: int = Field(default=10, ge=0)
    """Note the loss of every n-th step, too; 0 notes epochs alone."""
