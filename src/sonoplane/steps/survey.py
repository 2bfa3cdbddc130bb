"""What is known of a recording before it is stored: its facts, its content's digest, its own ultrasound region."""

import zlib
from dataclasses import dataclass, replace

import numpy as np

from sonoplane.frames.region import find_region
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.records import Facts, Region
from sonoplane.video.digest import content_digest
from sonoplane.video.discovery import Found
from sonoplane.video.opening import open_recording
from sonoplane.video.pseudonyms import Pseudonyms

__all__ = ["PackedRegion", "Surveyed", "digest_of", "stamp_of", "survey"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedRegion:
    """A region in a few kilobytes, to hold those of many recordings and to send them between processes."""

    region: Region
    """Without its mask."""
    bits: bytes | None
    height: int
    width: int

    @classmethod
    def of(cls, region: Region, *, height: int, width: int) -> "PackedRegion":
        """Pack the region of frames of this size."""
        bits = None if region.mask is None else zlib.compress(np.packbits(region.mask).tobytes())
        return cls(region=replace(region, mask=None), bits=bits, height=height, width=width)

    def unpacked(self) -> Region:
        """The region as it was."""
        if self.bits is None:
            return self.region
        bits = np.frombuffer(zlib.decompress(self.bits), np.uint8)
        mask = np.unpackbits(bits, count=self.height * self.width).astype(bool)
        return replace(self.region, mask=mask.reshape(self.height, self.width))


@dataclass(frozen=True, kw_only=True, slots=True)
class Surveyed:
    """A recording that opens, and what its first frames tell."""

    sha256: str
    stamp: str
    facts: Facts
    fps: float | None
    n_claimed: int | None
    height: int
    width: int
    region: PackedRegion
    """As its own pixels and the scanner tell it."""
    warnings: tuple[str, ...]


def survey(item: Found, *, pseudonyms: Pseudonyms, settings: RegionSettings) -> Surveyed:
    """Open a recording and look at its first frames.

    Raises:
        RecordingError: it cannot be opened or decoded.
    """
    stamp = stamp_of(item)
    digest = digest_of(item)
    recording = open_recording(
        item.path,
        recording_id=pseudonyms.of("recording", item.id),
        pseudonyms=pseudonyms,
        frames=item.frames,
    )
    region, warnings = find_region(recording, settings=settings)
    return Surveyed(
        sha256=digest,
        stamp=stamp,
        facts=recording.facts,
        fps=recording.fps,
        n_claimed=recording.n_claimed if recording.n_claimed is not None else recording.n_frames,
        height=recording.height,
        width=recording.width,
        region=PackedRegion.of(region, height=recording.height, width=recording.width),
        warnings=(*recording.warnings, *warnings),
    )


def digest_of(item: Found) -> str:
    """The digest of a recording's content; empty where it lies nowhere."""
    return content_digest(item.path, frames=item.frames) if item.frames or item.path.exists() else ""


def stamp_of(item: Found) -> str:
    """Size and time of the last change of a recording's files: changes when they do, and costs no reading."""
    if item.frames:
        files = list(item.frames)
    elif item.path.is_dir():
        files = sorted(file for file in item.path.iterdir() if file.is_file())
    else:
        files = [item.path] if item.path.exists() else []
    stats = [file.stat() for file in files]
    size, changed = sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)
    return f"{len(files)}-{size}-{changed}"
