"""The knobs of live sources: how a file is paced, what is asked of a device, how long a lost source is waited for."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LiveSettings", "RawFormat"]

_CONFIG = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class LiveSettings(BaseModel):
    """How a live source is opened and followed."""

    model_config = _CONFIG

    pace: Literal["own", "fast"] = "own"
    """A recording comes at its `own` pace, as the scanner made it, or as `fast` as it can be read; raw frames with a
    rate likewise."""
    fps: float = Field(default=25.0, gt=0)
    """Frames a second of a recording that does not say."""
    connect_s: float = Field(default=15.0, gt=0)
    """Seconds that an address or a device may take to answer, and then again to send a picture to begin with: many
    encoders send a whole picture only every 8 to 10 s. Data without a picture for so long counts as lost, too."""
    stall_s: float = Field(default=5.0, gt=0)
    """Seconds without data after which an address or a device counts as lost."""
    reconnect_s: float = Field(default=1.0, gt=0)
    """Seconds before the first new try to reach a source that was lost; each further wait is twice as long."""
    longest_wait_s: float = Field(default=30.0, gt=0)
    """No wait between two tries is longer, in seconds."""
    give_up_s: float = Field(default=600.0, ge=0)
    """Seconds without a frame after which a lost source is given up; 0: at once, `inf`: never."""
    rtsp_transport: Literal["tcp", "udp"] = "tcp"
    """How RTSP sends its pictures; `udp` is a little quicker and loses data on a busy network."""
    certificates: Path | None = None
    """A PEM file with the authority that signed the certificate of an https:// or rtsps:// source; by default those
    that the system trusts."""
    verify: bool = True
    """Refuse an https:// or rtsps:// source whose certificate is not trusted."""
    device_height: int | None = Field(default=None, ge=1)
    """Rows to ask of a capture device; by default it decides."""
    device_width: int | None = Field(default=None, ge=1)
    """Columns to ask of a capture device; give both or none."""
    device_fps: float | None = Field(default=None, gt=0)
    """Frames a second to ask of a capture device."""
    device_format: str | None = None
    """The form in which to ask a V4L2 device for pictures, such as `mjpeg` or `yuyv422`; many grabbers reach their
    full rate only with one of them."""


class RawFormat(BaseModel):
    """What raw frames on stdin look like: nothing in them tells.

    >>> RawFormat(height=480, width=640, pixels="rgb").n_bytes
    921600
    """

    model_config = _CONFIG

    height: int = Field(ge=1)
    """Rows of a frame."""
    width: int = Field(ge=1)
    """Columns of a frame."""
    pixels: Literal["gray", "rgb", "bgr"] = "gray"
    """Eight bits a value; the values of a pixel lie side by side, row after row."""
    fps: float | None = Field(default=None, gt=0)
    """Frames a second: frame n is then n / fps seconds old. None: frames are timed as they arrive."""

    @property
    def n_bytes(self) -> int:
        """How long one frame is."""
        return self.height * self.width * (1 if self.pixels == "gray" else 3)
