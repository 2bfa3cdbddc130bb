"""The knobs of the ultrasound phantom: sizes and counts; its difficulty is fixed and no knob."""

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["PhantomSettings", "Preset"]

Preset: TypeAlias = Literal["liver-sweep", "vessels", "echo-views"]
"""What is simulated: sweeps through the liver's standard planes, sweeps that hold at its large vessels, or recordings
of a beating heart."""


class PhantomSettings(BaseModel):
    """How large the simulated recordings are; figures that are compared use the defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    height: int = Field(default=320, ge=160, le=1080)
    """Rows of a frame: the whole screen of the scanner, banner included."""
    width: int = Field(default=400, ge=200, le=1440)
    """Columns of a frame."""
    frames: int = Field(default=120, ge=20, le=2000)
    """Frames of a recording; a liver sweep fits about five planes into 120."""
    fps: float = Field(default=25.0, gt=0)
    """Frames a second."""
    centres: int = Field(default=3, ge=1, le=3)
    """How many hospitals, each with a scanner of its own look."""
    beams: int = Field(default=128, ge=32, le=512)
    """Scan lines of a sector."""
    samples: int = Field(default=320, ge=64, le=2048)
    """Samples along a scan line."""
