"""The settings of the look at the background: how many frames are taken for it."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["BackgroundSettings"]


class BackgroundSettings(BaseModel):
    """How much is looked at to find out whether a network reads what lies around the ultrasound.

    >>> BackgroundSettings().frames
    4
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    frames: int = Field(default=4, ge=1)
    """Labelled frames of a recording at most, evenly spread over it; a short one has one in 20."""
    recordings: int = Field(default=200, ge=1)
    """Recordings at most, evenly spread over those that were answered."""
    seed: int = Field(default=0, ge=0)
    """Which recording's background each frame is given."""
