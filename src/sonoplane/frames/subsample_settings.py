"""Which frames of a recording are kept when it is sub-sampled."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["SubsampleSettings"]


class SubsampleSettings(BaseModel):
    """Settings of the choice of frames.

    >>> SubsampleSettings(method="every", every=3).every
    3
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    method: Literal["none", "ssim", "every", "even"] = "none"
    """`none` keeps all frames; `ssim` those where the image changes more than the recording does on average;
    `every` each n-th frame; `even` a fixed number of frames, evenly spaced."""

    every: int = Field(default=5, ge=1)
    """For `every`: the step from one kept frame to the next; frame 0 is the first."""

    frames: int = Field(default=64, ge=1)
    """For `even`: how many frames are kept, the first and the last among them; of a shorter recording, all."""
