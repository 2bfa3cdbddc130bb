"""Where a convex probe's scan lines lie in tissue and on the screen.

Tissue is measured in millimeters from the middle of the probe's face: x to the right, z downwards. A scan line
is an angle theta from the middle one; a sample on it lies at a depth below the curved face.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from sonoplane.records import Box

__all__ = ["Points", "Sector"]

Points: TypeAlias = Float64[np.ndarray, "_points 2"]
"""Places in tissue: x and z in millimeters."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sector:
    """The fan that one probe sees, placed on a screen."""

    radius_mm: float
    """Of the probe's face: about 50 for an abdominal probe, nearly 0 for a cardiac one."""
    half_angle: float
    """Radians from the middle scan line to the outermost."""
    depth_mm: float
    beams: int
    samples: int
    height: int
    """Rows of the screen."""
    width: int
    """Columns of the screen."""
    area: Box
    """The part of the screen that the fan may fill."""
    mm_per_pixel: float = field(init=False)
    left: float = field(init=False)
    """Screen column of x = 0."""
    top: float = field(init=False)
    """Screen row of z = 0."""

    def __post_init__(self) -> None:
        rise = self.radius_mm * (1 - np.cos(self.half_angle))
        across = 2 * (self.radius_mm + self.depth_mm) * np.sin(self.half_angle)
        scale = max((self.depth_mm + rise) / self.area.height, across / self.area.width)
        object.__setattr__(self, "mm_per_pixel", float(scale))
        object.__setattr__(self, "left", (self.area.left + self.area.right) / 2)
        object.__setattr__(self, "top", float(self.area.top + rise / scale))

    @property
    def sample_mm(self) -> float:
        """Distance between two samples of a scan line."""
        return self.depth_mm / (self.samples - 1)

    @property
    def beam_angle(self) -> float:
        """Radians between two scan lines."""
        return 2 * self.half_angle / (self.beams - 1)

    @property
    def depths_mm(self) -> Float32[np.ndarray, "samples"]:
        """Depth of each sample below the probe's face."""
        return np.linspace(0, self.depth_mm, self.samples, dtype=np.float32)

    def place(self, theta: float, depth_mm: float) -> tuple[float, float]:
        """Where (x, z) the sample at this depth of the scan line at `theta` lies."""
        r = self.radius_mm + depth_mm
        return float(r * np.sin(theta)), float(r * np.cos(theta) - self.radius_mm)

    def move(self, points: Points, *, turn: float, push_mm: float) -> Points:
        """Points after the probe slid along the skin by `turn` radians and sank in by `push_mm`."""
        theta = np.arctan2(points[:, 0], points[:, 1] + self.radius_mm) + turn
        r = np.hypot(points[:, 0], points[:, 1] + self.radius_mm) + push_mm
        return np.stack([r * np.sin(theta), r * np.cos(theta) - self.radius_mm], axis=1)

    def pixels(self, points: Points) -> Points:
        """Screen columns and rows of places in tissue."""
        return points / self.mm_per_pixel + (self.left, self.top)

    def grid(self) -> tuple[Float64[np.ndarray, "samples beams"], Float64[np.ndarray, "samples beams"]]:
        """x and z of every sample of every scan line."""
        theta = np.linspace(-self.half_angle, self.half_angle, self.beams)[None, :]
        r = self.radius_mm + self.depths_mm.astype(np.float64)[:, None]
        return r * np.sin(theta), r * np.cos(theta) - self.radius_mm

    def scan_map(self) -> tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
        """For every screen pixel, the (fractional) scan line and sample that it shows; for `cv2.remap`."""
        rows, columns = np.mgrid[0 : self.height, 0 : self.width].astype(np.float64)
        x = (columns + 0.5 - self.left) * self.mm_per_pixel
        z = (rows + 0.5 - self.top) * self.mm_per_pixel + self.radius_mm
        beam = (np.arctan2(x, z) + self.half_angle) / self.beam_angle
        sample = (np.hypot(x, z) - self.radius_mm) / self.sample_mm
        return beam.astype(np.float32), sample.astype(np.float32)

    def mask(self) -> Bool[np.ndarray, "height width"]:
        """The pixels that the fan covers."""
        beam, sample = self.scan_map()
        inside: Bool[np.ndarray, "height width"] = (
            (beam >= 0) & (beam <= self.beams - 1) & (sample >= 0) & (sample <= self.samples - 1)
        )
        return inside

    def box(self) -> Box:
        """The smallest box around the fan."""
        return _bounds(self.mask().astype(np.uint8))

    def visible(
        self, outlines: list[Points], mask: Bool[np.ndarray, "height width"], *, least: int = 12
    ) -> Box | None:
        """The box of what the fan shows of these outlines; None where that is under `least` pixels."""
        drawn = np.zeros((self.height, self.width), np.uint8)
        for outline in outlines:
            cv2.fillPoly(drawn, [np.rint(self.pixels(outline) - 0.5).astype(np.int32)], 1)
        drawn &= mask
        return _bounds(drawn) if int(drawn.sum()) >= least else None


def _bounds(mask: UInt8[np.ndarray, "height width"]) -> Box:
    left, top, width, height = cv2.boundingRect(mask)
    return Box(left=left, top=top, right=left + width, bottom=top + height)
