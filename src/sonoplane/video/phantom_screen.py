"""The scanner's screen around the sector: a banner with a fake patient, depth ticks, a gray bar, small print."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from sonoplane.records import Box
from sonoplane.video.phantom_probe import Sector
from sonoplane.video.phantom_tissue import Look

__all__ = ["CENTRES", "Banner", "Centre", "screen", "sector_area"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Banner:
    """What is burned into the top of every frame; none of it belongs to anybody."""

    name: str
    """As DICOM writes it: FAMILY^GIVEN."""
    patient_id: str
    date: str
    """YYYYMMDD."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Centre:
    """A hospital: its scanner, the scanner's picture and screen."""

    name: str
    maker: str
    model: str
    look: Look
    radius_mm: float
    half_angle: float
    """Radians."""
    depths_mm: tuple[float, ...]
    """Settings of the depth knob."""
    banner: str
    """How the banner is laid out: `{name}`, `{id}` and `{date}` are filled in."""
    align: float
    """Where the banner starts: 0 at the left, 1 ends at the right."""
    bar_left: bool
    """Gray bar at the left, depth ticks at the right; else the other way round."""


CENTRES: tuple[Centre, ...] = (
    Centre(
        name="north",
        maker="Phantom Medical",
        model="PM-1",
        look=Look(pulse_mm=0.45, beam_mm=1.0, range_db=60.0, gamma=1.0, smooth=0.6),
        radius_mm=50,
        half_angle=0.56,
        depths_mm=(140, 150, 160),
        banner="{name}   {id}   {date}",
        align=0.02,
        bar_left=True,
    ),
    Centre(
        name="harbor",
        maker="Simulated Sound",
        model="S20",
        look=Look(pulse_mm=0.6, beam_mm=1.3, focus_mm=85, gain_db=2, range_db=68, gamma=1.25, noise_db=-44),
        radius_mm=60,
        half_angle=0.5,
        depths_mm=(150, 165),
        banner="{date}  ID:{id}  {name}",
        align=0.98,
        bar_left=False,
    ),
    Centre(
        name="valley",
        maker="Nobody Imaging",
        model="Echo X",
        look=Look(pulse_mm=0.38, beam_mm=0.85, focus_mm=60, gain_db=-1, range_db=54, gamma=0.85, smooth=0.9),
        radius_mm=42,
        half_angle=0.62,
        depths_mm=(135, 145, 155),
        banner="Pat: {name} ({id}) {date}",
        align=0.5,
        bar_left=True,
    ),
)
"""Three scanners that one would tell apart at a glance."""


def sector_area(height: int, width: int) -> Box:
    """The part of the screen that is left for the sector, between banner, margins and small print."""
    unit = height / 320
    side = round(26 * unit)
    return Box(left=side, top=round(30 * unit), right=width - side, bottom=height - round(16 * unit))


def screen(sector: Sector, centre: Centre, banner: Banner) -> UInt8[np.ndarray, "height width"]:
    """Everything on the screen but the sector, which stays black."""
    image = np.zeros((sector.height, sector.width), np.uint8)
    unit = sector.height / 320
    _banner(image, centre, banner, unit)
    _gray_bar(image, centre, sector, unit)
    _depth_ticks(image, centre, sector, unit)
    small = f"{centre.model}  MI 1.1  TIS 0.4  {sector.depth_mm / 10:.1f}cm"
    spot = (round(6 * unit), sector.height - round(4 * unit))
    cv2.putText(image, small, spot, _FONT, 0.32 * unit, 150, max(1, round(unit)), cv2.LINE_AA)
    return image


_FONT = cv2.FONT_HERSHEY_SIMPLEX


def _banner(image: UInt8[np.ndarray, "height width"], centre: Centre, banner: Banner, unit: float) -> None:
    width = image.shape[1]
    if centre.align > 0.9:
        image[: round(20 * unit)] = 28
    text = centre.banner.format(name=banner.name, id=banner.patient_id, date=banner.date)
    size, thick = 0.4 * unit, max(1, round(unit))
    (wide, _), _ = cv2.getTextSize(text, _FONT, size, thick)
    size *= min(1.0, (width - 8) / wide)
    (wide, _), _ = cv2.getTextSize(text, _FONT, size, thick)
    left = int(np.clip((width - wide) * centre.align, 4, max(4, width - wide - 4)))
    cv2.putText(image, text, (left, round(14 * unit)), _FONT, size, 225, thick, cv2.LINE_AA)


def _gray_bar(image: UInt8[np.ndarray, "height width"], centre: Centre, sector: Sector, unit: float) -> None:
    length, wide = round(90 * unit), max(2, round(7 * unit))
    left = round(8 * unit) if centre.bar_left else image.shape[1] - round(8 * unit) - wide
    top = sector.area.top + round(10 * unit)
    ramp = np.linspace(1, 0, length) ** centre.look.gamma * 255
    image[top : top + length, left : left + wide] = ramp.astype(np.uint8)[:, None]


def _depth_ticks(
    image: UInt8[np.ndarray, "height width"], centre: Centre, sector: Sector, unit: float
) -> None:
    right = centre.bar_left
    edge = image.shape[1] - round(10 * unit) if right else round(10 * unit)
    for cm in range(int(sector.depth_mm // 10) + 1):
        row = round(sector.top + cm * 10 / sector.mm_per_pixel)
        long = round((8 if cm % 5 == 0 else 4) * unit)
        if row < image.shape[0]:
            a, b = (edge - long, edge) if right else (edge, edge + long)
            image[row : row + max(1, round(unit)), a:b] = 190
