"""What every live source is: facts, and frames that come when they come, until it ends or is closed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from sonoplane.records import Facts, Frame, UltrasoundRegion

__all__ = ["LiveFacts", "LiveKind", "LiveSource"]

LiveKind: TypeAlias = Literal["file", "device", "network", "raw"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveFacts:
    """What is known of a live source once it gave its first picture."""

    kind: LiveKind
    height: int
    width: int
    color: bool
    """Frames are RGB; else gray."""
    fps: float | None
    """The frames a second that it claims; None where it does not say."""
    container: str
    """`v4l2`, `rtsp`, `mpeg-ts`, `mpjpeg`, `raw`; of a file what it is, such as `dicom`."""
    codec: str
    regions: tuple[UltrasoundRegion, ...] = ()
    """Those that a DICOM file declares."""
    scanner: str | None = None
    """Manufacturer and model, where a DICOM file says so."""

    @property
    def recorded(self) -> Facts:
        """What may be known of a recording that is made of it."""
        return Facts(regions=self.regions, container=self.container, codec=self.codec, scanner=self.scanner)


@runtime_checkable
class LiveSource(Protocol):
    """Gives frames one by one; it cannot be read anew."""

    @property
    def facts(self) -> LiveFacts:
        """What it is; all its frames have this size."""
        ...

    def frames(self) -> Iterator[Frame]:
        """The frames from now on; each call of `next` waits for one.

        `index` counts every frame that the source gave, from 0, across reconnections. `time_s` counts from the
        first frame by the source's clock, or by arrival where it has none, and grows from frame to frame. `note`
        says what happened before a frame, or that it was decoded from damaged data.
        """
        ...

    def close(self) -> None:
        """End it, from any thread: `frames` stops within a moment, also while it waits."""
        ...
