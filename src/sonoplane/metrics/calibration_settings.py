"""The settings of calibration: how probabilities are corrected, and what is found out for when not to answer."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["FIT_AGAIN", "CalibrationSettings"]

#: What to do about a calibration that cannot be used.
FIT_AGAIN = "Fit it again: `sonoplane evaluate ARCHIVE --bundle BUNDLE --split validation --calibrate`."


class CalibrationSettings(BaseModel):
    """How probabilities are made such that they can be believed, on the validation patients."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["temperature", "vector", "identity"] = "temperature"
    """`temperature` divides all logits by one number, which changes no answer; `vector` also weighs the classes, where
    that helps patients left out of the fit; `identity` leaves the network's own probabilities."""
    precisions: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.8, 0.9, 0.95, 0.99)
    """For these shares of right labels, thresholds are looked for that a recording's label must reach."""
    likeness: Literal["energy", "max-logit", "margin"] = "energy"
    """What tells frames unlike those of validation: all logits together, the highest, or its lead."""
    accepted: float = Field(default=0.95, gt=0, lt=1)
    """The share of validation frames that count as alike."""
