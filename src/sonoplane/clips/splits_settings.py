"""The settings of splits: how many patients go where, and how a patient is told."""

import math
import re

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["SplitSettings"]


class SplitSettings(BaseModel):
    """How patients are shared out between the parts of a split."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    train: float = Field(default=0.7, ge=0, le=1)
    """Share of the patients that the network learns from."""
    validation: float = Field(default=0.15, ge=0, le=1)
    """Share of the patients that choose the best epoch."""
    test: float = Field(default=0.15, ge=0, le=1)
    """Share of the patients that are kept for the final figures."""
    seed: int = Field(default=0, ge=0)
    """Another seed draws other patients."""
    patient_pattern: str | None = None
    """Where neither the label table nor the file tells the patient: a regular expression searched in the
    recording's path below the source folder; its first group (else all it matches) is the patient."""
    each_recording_is_a_patient: bool = False
    """Say on purpose that no two recordings share a patient, where nothing else tells the patient."""

    @field_validator("patient_pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        """A pattern that cannot be read is told at once."""
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return pattern

    @model_validator(mode="after")
    def _adds_up(self) -> "SplitSettings":
        """The shares are of one whole."""
        if not math.isclose(sum(self.fractions.values()), 1, abs_tol=1e-6):
            raise ValueError("train, validation and test must add up to 1")
        return self

    @property
    def fractions(self) -> dict[str, float]:
        """Part -> share of the patients."""
        return {"train": self.train, "validation": self.validation, "test": self.test}
