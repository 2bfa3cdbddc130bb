"""The outlines that organs are drawn with, and the tissues that fill them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from sonoplane.video.phantom_probe import Points

__all__ = [
    "BONE",
    "Canvas",
    "Shape",
    "Tissue",
    "arc",
    "ellipse",
    "pear",
    "posed",
    "ribbon",
    "wobbly",
]


class Tissue(NamedTuple):
    """How a tissue scatters and absorbs."""

    echo_db: float
    """Backscatter; liver is about -6, blood -40, a specular wall +10."""
    loss_db_mm: float = 0.25
    """Two-way attenuation; the scanner's time gain compensates 0.25."""
    mottle: float = 0.3
    """How strongly the coarse texture of the organ shows, 0 to 1."""

    def code(self) -> tuple[float, float, float]:
        """As three bytes, for drawing: thirds of a dB above -60, fiftieths of a dB/mm, 255ths."""
        return (
            float(np.clip((self.echo_db + 60) * 3, 0, 255)),
            float(np.clip(self.loss_db_mm * 50, 0, 255)),
            float(np.clip(self.mottle * 255, 0, 255)),
        )


BONE = Tissue(14, 4.0, 0.0)
"""Reflects and swallows nearly everything: what lies behind is in shadow."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shape:
    """One brush stroke of anatomy; later strokes cover earlier ones."""

    points: Points
    tissue: Tissue
    line_mm: float | None = None
    """Width of a line along the points; None fills their outline."""
    closed: bool = True
    name: str | None = None
    """The structure whose outline this is part of."""

    def at(self, points: Points) -> "Shape":
        """The same stroke elsewhere."""
        return replace(self, points=points)


class Canvas(NamedTuple):
    """A raster of tissue that a sector's scan lines are sampled from."""

    half_width_mm: float
    top_mm: float
    bottom_mm: float
    mm_per_pixel: float = 0.6

    def draw(self, ground: Tissue, shapes: Sequence[Shape]) -> UInt8[np.ndarray, "height width 3"]:
        """Paint the shapes in order on the ground."""
        height = int((self.bottom_mm - self.top_mm) / self.mm_per_pixel) + 1
        width = int(2 * self.half_width_mm / self.mm_per_pixel) + 1
        image = np.empty((height, width, 3), np.uint8)
        image[:] = np.rint(ground.code())
        origin = (-self.half_width_mm, self.top_mm)
        for shape in shapes:
            spots = np.rint((shape.points - origin) * (16 / self.mm_per_pixel)).astype(np.int32)
            if shape.line_mm is None:
                cv2.fillPoly(image, [spots], shape.tissue.code(), cv2.LINE_AA, 4)
            else:
                thick = max(1, round(shape.line_mm / self.mm_per_pixel))
                cv2.polylines(image, [spots], shape.closed, shape.tissue.code(), thick, cv2.LINE_AA, 4)
        return image


_CIRCLE = np.linspace(0, 2 * np.pi, 40, endpoint=False)


def ellipse(length: float, width: float) -> Points:
    """An ellipse around the origin, `length` along x."""
    return np.stack([length / 2 * np.cos(_CIRCLE), width / 2 * np.sin(_CIRCLE)], axis=1)


def pear(length: float, width: float) -> Points:
    """A pear along x around the origin: its neck at the left, its wide end at the right."""
    across = width / 2 * np.sin(_CIRCLE) * (1 + 0.42 * np.cos(_CIRCLE)) / 1.12
    return np.stack([length / 2 * np.cos(_CIRCLE), across], axis=1)


def wobbly(outline: Points, waves: Float64[np.ndarray, "waves"], amount: float) -> Points:
    """The outline with its distance from the origin varied by smooth random waves."""
    angle = np.linspace(0, 2 * np.pi, len(outline), endpoint=False)
    swing = sum(np.sin((k + 2) * angle + phase) / (k + 2) for k, phase in enumerate(waves))
    return outline * (1 + amount * np.asarray(swing))[:, None]


def ribbon(path: Float64[np.ndarray, "steps 2"], widths: Float64[np.ndarray, "steps"]) -> Points:
    """The outline of a tube of these widths along a path."""
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.stack([-along[:, 1], along[:, 0]], axis=1) * (widths / 2)[:, None]
    return np.concatenate([path + side, (path - side)[::-1]])


def arc(length: float, bend: float, n_points: int = 14) -> Points:
    """A curve along x from the origin, `bend` (a share of its length) off the straight line at its middle."""
    u = np.linspace(0, 1, n_points)
    return np.stack([length * u, 4 * bend * length * u * (1 - u)], axis=1)


def posed(
    points: Points,
    *,
    at: tuple[float, float] = (0, 0),
    angle: float = 0,
    scale: float = 1,
    mirror: bool = False,
) -> Points:
    """Points mirrored left to right, scaled, turned by `angle` radians and moved to `at`, in this order."""
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    sign = -1 if mirror else 1
    turned: Points = points @ np.array([[sign * c, sign * s], [-s, c]])
    return turned + np.array(at, np.float64)
