"""The settings of windows: which frames of a recording make a clip, and what its label is."""

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Kind", "Outside", "Policy", "Short", "WindowSettings"]

Kind: TypeAlias = Literal["continuous", "n-step", "sliding", "clip", "frames", "whole"]
"""How windows lie in a recording."""
Policy: TypeAlias = Literal["one-label-only", "centre", "last", "majority", "per-frame"]
"""How the labels of a clip's frames become the clip's."""
Outside: TypeAlias = Literal["repeat", "reflect"]
"""Which frame stands where a window reaches past the recording: the nearest one, or the mirrored one."""
Short: TypeAlias = Literal["skip", "repeat", "reflect"]
"""What becomes of a recording with too few frames for one clip."""


class WindowSettings(BaseModel):
    """How recordings are cut into clips."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Kind = "continuous"
    """`continuous`: consecutive frames. `n-step`: every `step`-th frame, one clip for each of the `step`
    phases. `sliding`: every `step`-th frame, from every `stride`-th start. `clip`: for every frame the
    consecutive frames that end with it, frame 0 repeated before the start. `frames`: every frame by itself.
    `whole`: one window over all frames."""
    length: int = Field(default=10, ge=1)
    """Frames of a clip; `frames` and `whole` need none."""
    stride: int = Field(default=5, ge=1)
    """Frames from the start of a `continuous` or `sliding` clip to the next one's; `continuous` clips overlap
    by `length` - `stride`. The last clip is moved back so that it ends with the recording."""
    step: int = Field(default=5, ge=1)
    """Frames from one frame of an `n-step` or `sliding` clip to the next."""
    tile: bool = False
    """`n-step`: cut the next `length` x `step` frames too, and so on; else the recording's first ones alone
    are cut, as the echo networks were trained."""
    short: Short = "skip"
    """A recording with too few frames for one clip is skipped, has its last frame repeated, or runs to and
    fro (reflect); it gets a row that says so."""
    policy: Policy = "one-label-only"
    """The label of a clip: the one that all frames share, that of the centre or the last frame, the commonest,
    or one for each frame. Clips without one are left out, counted by reason."""
