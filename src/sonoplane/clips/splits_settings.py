"""The settings of splits: how many patients go where, and how a patient is told."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["SplitSettings"]


class SplitSettings(BaseModel):
    """How patients are shared out between the parts of a split; the shares of a recipe add up to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    train: float = Field(default=0.7, ge=0, le=1)
    """Share of the patients that the network learns from."""
    validation: float = Field(default=0.15, ge=0, le=1)
    """Share of the patients that choose the best epoch."""
    test: float = Field(default=0.15, ge=0, le=1)
    """Share of the patients that are kept for the final figures."""
    seed: int = Field(default=0, ge=0)
    """Another seed draws other patients."""
    policy: Literal["even", "complete-sets"] = "even"
    """How validation patients are drawn. `even`: at random, every class and centre in each part as evenly as whole
    patients allow. `complete-sets`: centre by centre, among the patients with a complete set of exams, who are followed
    through; all others train."""
    exams: int | None = Field(default=None, ge=1)
    """How many recordings of a patient make a complete set; where it is not given, for each centre the number that most
    of its patients have (the larger one of two that are as frequent)."""
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

    @property
    def fractions(self) -> dict[str, float]:
        """Part -> share of the patients."""
        return {"train": self.train, "validation": self.validation, "test": self.test}
