"""How prepared frames are stored."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["StoreSettings"]


class StoreSettings(BaseModel):
    """What an archive keeps of each frame."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    resolution: Literal["network", "source"] = "network"
    """Keep frames at the size of the network's input, or at the source's resolution, which serves networks of several
    sizes."""
    grey: bool = False
    """Keep gray levels of color sources, rounded: a third of the pixels, but a network's answers move a little, and it
    is told by how much the levels did. Else color sources stay color, and the network's card turns them gray without
    rounding."""
    sheet: bool = Field(default=True)
    """Leave a contact sheet that shows what was blanked in every recording."""
