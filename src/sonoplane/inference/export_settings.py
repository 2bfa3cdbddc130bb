"""The settings of an export: which model is made of a network."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ExportSettings"]


class ExportSettings(BaseModel):
    """Which model is made of a network."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    form: Literal["auto", "frame", "clip", "dense", "stream"] = "auto"
    """`frame`: each frame by itself; `clip`: a clip as a whole; `dense`: a run of frames in pieces; `stream`: a run
    frame by frame, each answered at once, of causal networks. `auto` is `frame` or `clip`, as the network is."""
    precision: Literal["float32", "bf16", "int8"] = "float32"
    """What the model computes in, on OpenVINO: `bf16` on processors that have it, `int8` with --calibrate. `predict`
    takes the fastest that was proven on 100 real frames or more (--verify, --calibrate), unless told otherwise by
    --run.precision."""
    values: Literal["outside", "inside"] = "outside"
    """Whether the model takes network input, or, with the card's formula inside, uint8 frames of the card's size."""
    color: bool = False
    """With values inside: take RGB frames, else gray ones."""
    any_size: bool = False
    """Let frames of any height and width in; of SonoNets and SmallNet, frames and clips."""
    piece: int = Field(default=0, ge=0)
    """Frames of a piece of a dense model; 0: as many as fit well."""
