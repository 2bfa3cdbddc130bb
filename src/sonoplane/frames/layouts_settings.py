"""When a remembered layout of a scanner's screen is taken for the one of a recording."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LayoutSettings"]


class LayoutSettings(BaseModel):
    """Settings of the remembered layouts.

    >>> LayoutSettings().least_overlap
    0.9
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    least_overlap: float = Field(default=0.9, gt=0, le=1)
    """A layout is a recording's own where what was found in the recording and what the layout was found as share this
    much of what either covers (intersection over union)."""

    sure_from: float = Field(default=0.7, ge=0, le=1)
    """Regions found with at least this confidence are believed; a recording with less is given the layout of its
    scanner and frame size where only one is known, and a warning."""
