"""How labels are understood."""

from pydantic import BaseModel, ConfigDict

__all__ = ["LabelSettings"]


class LabelSettings(BaseModel):
    """What frames without a label mean."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    exhaustive: tuple[str, ...] = ()
    """Tasks whose labellers have seen every frame: what they left unlabelled is `background`. In the other tasks
    unlabelled frames are left out of training and of every figure."""
