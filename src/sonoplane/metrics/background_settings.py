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
    """Labelled frames of a recording at most, evenly spread over it. No more than one in 20 is taken, but one at least;
    in a dense run no more than one in 20 times the frames that are seen together."""
    recordings: int = Field(default=200, ge=1)
    """Recordings at most, drawn class by class and patient by patient from those that were answered."""
    seed: int = Field(default=0, ge=0)
    """Which recordings are drawn, and whose background each frame is given."""
