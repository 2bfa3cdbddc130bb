"""The settings of attribution: how finely integrated gradients and occlusion look."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["AttributionSettings"]


class AttributionSettings(BaseModel):
    """How finely each pixel's share in an answer is looked for."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    steps: int = Field(default=32, ge=2)
    """Steps from a gray frame to the frame, of integrated gradients; doubled until they add up."""
    most_steps: int = Field(default=1024, ge=2)
    """No more steps than this, whether they add up or not."""
    tolerance: float = Field(default=0.01, gt=0)
    """Integrated gradients add up where their sum is the change of the logit but for this share of it."""
    box: float = Field(default=0.2, gt=0, le=1)
    """Side of the square that occlusion lays over the frame, as a share of the frame's shorter side; it moves by half
    its size."""
    frames: float = Field(default=0.4, gt=0, le=1)
    """How many frames of a clip the square lies over, as a share of the clip; it moves by half of them."""
