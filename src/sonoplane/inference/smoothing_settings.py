"""The settings of smoothing: what neighboring frames say of a frame."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["SmoothingSettings"]


class SmoothingSettings(BaseModel):
    """How the answers of neighboring frames are weighed together; the network's logits stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["auto", "none", "average", "hysteresis", "hmm"] = "auto"
    """`average`: the mean of the probabilities over `window_s`. `hysteresis`: that, then a label holds until another is
    sure enough. `hmm`: how long planes last and which follow which, learned from the training recordings. `auto`:
    `hmm` where the bundle knows that, else `none`."""
    window_s: float = Field(default=0.2, ge=0)
    """Seconds of `average` and `hysteresis`, around a frame of a file, before a frame of a stream; 0 is none."""
    enter: float = Field(default=0.5, ge=0, le=1)
    """Of `hysteresis`: a class that reaches this probability takes over."""
    leave: float = Field(default=0.4, ge=0, le=1)
    """Of `hysteresis`: a class that falls below this probability gives way to the likeliest."""
    shortest_s: float = Field(default=0.2, ge=0)
    """Of `hysteresis`: a shorter segment goes to the neighbor that is likelier in it; in a stream, a new label is told
    when it has held for so long."""
    decoding: Literal["posterior", "viterbi"] = "posterior"
    """Of `hmm`: each frame's likeliest class, or the likeliest course of the whole file. A stream, which does not know
    what comes, has each frame's likeliest class in view of those before it."""
    alike_s: float = Field(default=0.0, ge=0)
    """Of `hmm`: seconds within which a network errs alike, so that frames this close together count as one; 0 takes
    every frame for a new witness, which makes the probabilities surer than they should be."""
