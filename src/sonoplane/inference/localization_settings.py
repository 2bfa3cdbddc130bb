"""The settings of localisation: when boxes are drawn around what the network saw."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LocalizationSettings"]


class LocalizationSettings(BaseModel):
    """Where in key frames the network saw the plane."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    keyframes: bool = True
    """Draw a box around what the network saw on each key frame; for SonoNets and SmallNet, whose class score maps
    tell it."""
    blur: float = Field(default=0.05, ge=0, le=1)
    """Standard deviation of the Gaussian that joins neighboring pixels that counted, as a share of the input's
    shorter side."""
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """Arithmetic of localization; `auto` is bf16 where the processor has it, which takes a third of the time. It
    mostly moves the edges of boxes by a pixel of the network's input, but where two regions count alike, now and then
    the other one is boxed."""
