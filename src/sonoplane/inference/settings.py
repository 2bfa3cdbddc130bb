"""The settings of prediction: how the network runs, and what becomes a key frame."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["FindingsSettings", "KeyFrameSettings", "RunSettings"]

_CONFIG = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RunSettings(BaseModel):
    """How the network runs."""

    model_config = _CONFIG

    mode: Literal["auto", "clip", "dense"] = "auto"
    """How a network that sees several frames at once answers each frame: `clip` from the clip that ends with it,
    `dense` in one pass over all of them, with far less work. `auto` is `dense` for causal networks, else `clip`; a
    training that was dense leaves `dense` in its bundle. Networks of single frames answer the same in both."""
    clip_length: int = Field(default=10, ge=1)
    """Frames of a clip; a bundle brings the length it was trained with."""
    clip_step: int = Field(default=1, ge=1)
    """From one frame that the network sees together with others to the next; a bundle brings its own, too."""
    batch: int = Field(default=8, ge=1)
    """Frames, or clips, that go through the network together."""
    piece: int = Field(default=0, ge=0)
    """Frames of a piece in which a dense pass goes through a recording; 0: as many as fit well. A live stream has 1.
    It changes speed and memory, and no answer but in int8, where another length is another model."""
    threads: int = Field(default=0, ge=0)
    """Processor threads for the network; 0 leaves it to the backend."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where PyTorch computes, with `--backend torch`; `auto`: on a GPU, where there is one."""
    precision: Literal["auto", "float32", "bf16", "int8"] = "auto"
    """Arithmetic of the network, on OpenVINO; the findings name it. `auto`: the fastest that `sonoplane export` has
    proven for this bundle and this mode on 100 real frames or more, else float32. bf16 is for processors that have it;
    int8 needs an export.
    """

    @property
    def arithmetic(self) -> Literal["float32", "bf16", "int8"]:
        """The precision, float32 where nothing else was settled."""
        return "float32" if self.precision == "auto" else self.precision


class FindingsSettings(BaseModel):
    """How frames become an answer for the whole recording."""

    model_config = _CONFIG

    background_is_a_view: bool = True
    """Let the background class be the answer for a whole recording; a sweep's recipe says no."""
    precision: float | None = Field(default=None, gt=0, lt=1)
    """Say `unknown` of a recording unless labels so sure are right this often, such as 0.9, and its frames look like
    those of validation; by default a label is always given. It needs a bundle that was calibrated for it."""
    cautious: bool = True
    """Let the precision be one that validation warrants for new patients, not only one that it happens to show."""


class KeyFrameSettings(BaseModel):
    """Which frames a physician is shown."""

    model_config = _CONFIG

    per_plane: int = Field(default=3, ge=1)
    """At most so many key frames a plane."""
    apart_s: float = Field(default=0.5, ge=0)
    """Seconds between two key frames of one plane."""
    apart_frames: int = Field(default=10, ge=1)
    """Frames between two key frames of one plane, where the recording has no frame times."""
    min_probability: float = Field(default=0.5, ge=0, le=1)
    """A frame below this probability is never a key frame."""
    min_run: int = Field(default=3, ge=1)
    """A plane must hold for so many frames in a row (a shorter recording: for all its frames)."""
    blurred_below: float = Field(default=0.15, ge=0, le=1)
    """Frames among this share of the recording's least sharp are passed over while a sharper one is at hand."""
