"""The settings of activation maximization: how long a picture is changed, and what keeps it a picture."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ActivationSettings"]


class ActivationSettings(BaseModel):
    """How a picture is made that a filter answers most strongly."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    steps: int = Field(default=128, ge=1)
    """How often the picture is changed."""
    rate: float = Field(default=0.1, gt=0)
    """How much at a time, where 1 is a quarter of the way from black to white at middle gray."""
    jitter: int = Field(default=8, ge=0)
    """Each time the picture is moved by up to so many pixels, so that no pixel counts by its place."""
    blur: float = Field(default=2.0, ge=0)
    """Standard deviation in pixels of the Gaussian that smooths every change at first; it ends at a quarter of that."""
    decay: float = Field(default=0.01, ge=0, lt=1)
    """Share by which all pixels return to middle gray each time."""
