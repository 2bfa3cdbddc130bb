"""How the ultrasound region is searched for in the pixels."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["RegionSettings"]


class RegionSettings(BaseModel):
    """Settings of the search for the ultrasound region.

    >>> RegionSettings().first_frames
    64
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    first_frames: int = Field(default=64, ge=1)
    """The region is found in this many frames from the start, then frozen for file and stream alike."""

    lit_above: int = Field(default=6, ge=1, le=128)
    """Gray levels above the background from which a pixel counts as lit (0 to 255)."""

    moves_above: int = Field(default=5, ge=1, le=128)
    """Gray levels between a pixel's darkest and brightest moment from which it counts as moving."""

    thin_share: float = Field(default=0.012, ge=0, le=0.1)
    """Things thinner than this share of the frame's longer side (text, ticks, bars) are no ultrasound."""

    margin_px: int = Field(default=1, ge=0)
    """The mask is eroded by this many pixels, except where it meets the edge of the frame."""

    working_px: int = Field(default=400, ge=100)
    """Frames are reduced by a whole number until their longer side is at most about this for the search."""

    least_share: float = Field(default=0.04, gt=0, lt=1)
    """A found region smaller than this share of the frame is not believed: the whole frame is used."""

    least_confidence: float = Field(default=0.5, ge=0, le=1)
    """Inside a region declared by the scanner, the pixels' own mask is used only from this confidence on."""

    sure_from: float = Field(default=0.6, ge=0, le=1)
    """A region found in the pixels with less confidence than this is warned of."""

    writing: bool = True
    """Text inside the region that never moves is found and blanked."""

    whole_frame: bool = False
    """Where no region is found, go on with the whole frame and whatever is written on it; else such a recording is
    refused."""
