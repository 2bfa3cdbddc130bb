"""The settings of streaming: how far answers may fall behind the feed."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["StreamSettings"]


class StreamSettings(BaseModel):
    """How far answers may fall behind the feed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    ahead: int = Field(default=4, ge=1)
    """Frames that may wait for the network; where more come the oldest is dropped. Fewer keep answers fresh, more
    ride out a moment in which the machine is busy."""
    catch_up_s: float = Field(default=30.0, ge=0)
    """Seconds, from when the ultrasound region is known, within which the frames that came until then may be answered
    late, as long as answers gain on the feed; then the newest win."""
