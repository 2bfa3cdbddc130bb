"""Everything that travels between the rooms: frozen, and valid once built."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from sonoplane.errors import UsageError

__all__ = [
    "Box",
    "BundleName",
    "Facts",
    "Findings",
    "Frame",
    "FrameBox",
    "FrameSource",
    "Image",
    "KeyFrame",
    "Label",
    "Recording",
    "Region",
    "Segment",
    "Timeline",
    "UltrasoundRegion",
]

Image: TypeAlias = UInt8[np.ndarray, "height width"] | UInt8[np.ndarray, "height width 3"]
"""One frame: gray, or RGB where the source is colored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A rectangle of pixels; `right` and `bottom` are exclusive.

    >>> Box(left=2, top=1, right=10, bottom=5).clip(height=4, width=8)
    Box(left=2, top=1, right=8, bottom=4)
    """

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        if self.left < 0 or self.top < 0 or self.right <= self.left or self.bottom <= self.top:
            raise UsageError(
                f"A box from ({self.left}, {self.top}) to ({self.right}, {self.bottom}) holds no pixel.",
                advice="Give left < right and top < bottom, none of them negative.",
            )

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an image with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def fits(self, *, height: int, width: int) -> bool:
        """Whether it lies wholly inside a frame of this size."""
        return self.bottom <= height and self.right <= width

    def clip(self, *, height: int, width: int) -> "Box":
        """Its part inside a frame of this size; an error where there is none."""
        return Box(
            left=self.left, top=self.top, right=min(self.right, width), bottom=min(self.bottom, height)
        )

    def overlap(self, other: "Box") -> float:
        """How much both share: their common area by that of either (intersection over union), 0 to 1.

        >>> Box(left=0, top=0, right=2, bottom=2).overlap(Box(left=1, top=0, right=3, bottom=2))
        0.3333333333333333
        """
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        shared = max(width, 0) * max(height, 0)
        return shared / (self.width * self.height + other.width * other.height - shared)


RegionKind: TypeAlias = Literal["tissue", "color-flow", "m-mode", "spectral", "other"]


@dataclass(frozen=True, kw_only=True, slots=True)
class UltrasoundRegion:
    """One region as the scanner declares it (DICOM PS3.3 C.8.5.5), checked to lie inside the frame."""

    box: Box
    kind: RegionKind
    """What its pixels show: 2D tissue or 2D color flow; M-mode and spectral are no frames of a plane."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What may be known of a recording besides its pixels: nothing here tells who the patient is."""

    patient: str | None = None
    """A pseudonym: equal for two recordings of one patient, useless without the key."""
    study: str | None = None
    """A pseudonym of the study."""
    centre: str | None = None
    scanner: str | None = None
    """Manufacturer and model, as the scanner writes them."""
    regions: tuple[UltrasoundRegion, ...] = ()
    container: str = "unknown"
    """What the file is: `dicom`, `mp4`, `avi`, `gif`, `folder`, `image`, `phantom`, ..."""
    codec: str = "unknown"
    """How the pixels were coded: the transfer syntax's name, or the codec's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One image of a recording."""

    index: int
    """Frame n is the n-th decoded frame, from 0."""
    time_s: float | None
    """Seconds since frame 0; None where the source does not say."""
    image: Image
    note: str | None = None
    """What went wrong just before this frame while it was read, such as skipped damaged data."""


@runtime_checkable
class FrameSource(Protocol):
    """Where the frames of a recording come from; every call reads anew."""

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Frames `start` to `stop` (exclusive; None: to the end), decoded as they are asked for."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """One ultrasound video, opened but not read: frames are decoded as they are asked for."""

    id: str
    """A name that is safe as a folder's name, unique within one run."""
    height: int
    width: int
    color: bool
    """Frames are RGB; else gray."""
    fps: float | None
    """Mean frames a second; None where the source has no frame times."""
    n_frames: int | None
    """How many frames there are, where that is known for sure before decoding; else None."""
    n_claimed: int | None = None
    """How many frames the file says it has, right or wrong: good for a progress bar only."""
    facts: Facts
    warnings: tuple[str, ...] = ()
    """What was odd about the file, a sentence each."""
    source: FrameSource = field(repr=False)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Read frames `start` to `stop` (exclusive), lazily, in order."""
        return self.source.read(start, stop)


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """Where in the frame the ultrasound is, and how that is known."""

    box: Box
    origin: Literal["card", "dicom", "pixels", "whole"]
    """Who said so: the network's card, the scanner, the pixels themselves, or nobody (the whole frame)."""
    mask: Bool[np.ndarray, "height width"] | None = None
    """Which pixels of the frame are ultrasound, where it is finer than the box."""
    writing: tuple[Box, ...] = ()
    """Where text that never moves stood inside the box: blanked."""
    confidence: float = 1.0
    """0 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """One row of the label table: this run of frames shows this class."""

    recording: str
    label: str
    start: int | None = None
    stop: int | None = None
    """Frame indices, stop exclusive; both None: the whole recording."""
    patient: str | None = None
    centre: str | None = None
    split: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """Class probabilities for every frame of a recording."""

    recording: str
    classes: tuple[str, ...]
    times_s: Float64[np.ndarray, "time"] | None
    """Seconds since frame 0; None where the source has no frame times."""
    fps: float | None
    logits: Float32[np.ndarray, "time classes"]
    probabilities: Float32[np.ndarray, "time classes"]
    path: Int64[np.ndarray, "time"] | None = None
    """The class number of each frame, where smoothing has settled it; None: the likeliest."""

    @property
    def n_frames(self) -> int:
        """How many frames were seen."""
        return len(self.probabilities)

    @property
    def numbers(self) -> Int64[np.ndarray, "time"]:
        """The class number of each frame: its path's, else the likeliest."""
        return self.probabilities.argmax(axis=1) if self.path is None else self.path

    @property
    def labels(self) -> tuple[str, ...]:
        """The class of each frame."""
        return tuple(self.classes[i] for i in self.numbers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A run of frames with one label."""

    start: int
    stop: int
    """Exclusive."""
    label: str
    probability: float
    """Mean over its frames."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyFrame:
    """A frame that a physician should see, and why."""

    frame: int
    time_s: float | None
    label: str
    probability: float
    sharpness: float
    """Share of the recording's frames that are no sharper, 0 to 1."""
    reason: str
    image: Image = field(repr=False)
    """Blanked outside the ultrasound region."""
    box: Box | None = None
    """Where in the image the network saw the plane; None where that is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameBox:
    """Where in a frame the network saw a class."""

    frame: int
    label: str
    box: Box
    """In pixels of the recording's own frame."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleName:
    """Which model answered."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What a recording shows: view, segments, key frames, planes found and missing, provenance."""

    recording: str
    n_frames: int
    fps: float | None
    classes: tuple[str, ...]
    background: str | None
    label: str
    """The view of the whole recording."""
    probability: float
    segments: tuple[Segment, ...]
    keyframes: tuple[KeyFrame, ...]
    found: tuple[str, ...]
    missing: tuple[str, ...]
    height: int
    width: int
    region: Region
    facts: Facts
    warnings: tuple[str, ...]
    bundle: BundleName
    backend: str
    precision: str
    settings: dict[str, Any] = field(default_factory=dict)
    """The recipe that was in force, section by section."""
    boxes: tuple[FrameBox, ...] = ()
    """Frame by frame, where all frames were localised; key frames have their own."""
    source_sha256: str | None = None
    """Digest of the source's content: tells two recordings of one name apart; None where there is no file."""
