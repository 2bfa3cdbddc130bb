"""When two recordings count as near-duplicates."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["DuplicateSettings"]


class DuplicateSettings(BaseModel):
    """Settings of the search for near-duplicate recordings.

    The defaults are measured, see `studies/near_duplicates.py`.

    >>> DuplicateSettings().least_share
    0.5
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    alike: float = Field(default=0.81, gt=0, le=1)
    """Two frames match from this agreement of their fingerprints on: 1 for the same frame, about 0 for any two. It
    decides where frames are too small to show speckle."""

    perhaps_alike: float = Field(default=0.75, gt=0, le=1)
    """The same where speckle decides afterwards: a lower value finds more copies and takes longer."""

    least_share: float = Field(default=0.5, gt=0, le=1)
    """Two recordings are near-duplicates if this share of the shorter one's frames, or more, matches the other."""

    least_share_small: float = Field(default=0.95, gt=0, le=1)
    """The same where frames are too small to show speckle: there, other patients' frames match as well."""

    least_speckle: float = Field(default=0.25, ge=0, le=1)
    """And if their speckle agrees by so much: 0.6 to 1 in copies, below 0.2 in recordings of two patients."""

    probes: int = Field(default=8, ge=1)
    """So many frames of each recording are looked up in all others; pairs without a match among them are not compared
    further."""
