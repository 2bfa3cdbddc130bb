"""How the liver's organs are drawn: each around its own origin, in millimeters, from a patient's anatomy.

Aorta and vena cava are drawn by one function from one set of random draws: nothing in a single frame tells them apart.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from sonoplane.video.phantom_probe import Points
from sonoplane.video.phantom_shapes import BONE, Shape, Tissue, arc, ellipse, pear, posed, ribbon, wobbly

__all__ = ["ABOVE", "BYSTANDERS", "ORGANS", "LiverPatient", "Placed", "Pose", "pulse_radius_mm"]

_BLOOD = Tissue(-42, 0.05, 0)
_BILE = Tissue(-46, 0.0, 0)
_SWING = 0.24
"""How much the radius of aorta and vena cava swings about its mean."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LiverPatient:
    """What stays the same in all exams of a patient."""

    liver_db: float
    loss_db_mm: float
    mottle: float
    wall_mm: float
    """Skin, fat and muscle above the liver."""
    bladder_mm: tuple[float, float]
    kidney_mm: tuple[float, float]
    cortex_db: float
    """Below the liver's echo."""
    sinus_db: float
    """Above the liver's echo."""
    tube_mm: float
    """Mean radius of aorta and vena cava."""
    vein_mm: float
    portal_mm: float
    spread: float
    """Radians between the branches of vessels."""
    bend: float
    waves: tuple[float, float, float]
    heart_hz: float
    breath_hz: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "LiverPatient":
        """A patient's anatomy."""
        u = rng.uniform
        return cls(
            liver_db=u(-8, -3),
            loss_db_mm=u(0.22, 0.29),
            mottle=u(0.15, 0.6),
            wall_mm=u(9, 22),
            bladder_mm=(u(52, 78), u(22, 34)),
            kidney_mm=(u(82, 105), u(40, 52)),
            cortex_db=u(5, 9),
            sinus_db=u(5, 10),
            tube_mm=u(7, 11),
            vein_mm=u(7, 11),
            portal_mm=u(9, 13),
            spread=u(0.65, 1.0),
            bend=u(-0.12, 0.12),
            waves=(u(0, 6.28), u(0, 6.28), u(0, 6.28)),
            heart_hz=u(1.05, 1.6),
            breath_hz=u(0.2, 0.32),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Pose:
    """How an organ lies in the sector while its run lasts."""

    theta: float
    depth_mm: float
    angle: float
    scale: float
    mirror: bool
    drift: float
    """Radians that it wanders along the skin during its run."""
    sink_mm: float
    phase: float
    """Of the pulse, in turns."""
    bend: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A pose, and where in the sector it is."""

    at: tuple[float, float]
    pose: Pose

    def put(self, points: Points, growth: float = 1.0) -> Points:
        """Points of an organ drawn around its own origin, brought into place."""
        pose = self.pose
        return posed(points, at=self.at, angle=pose.angle, scale=pose.scale * growth, mirror=pose.mirror)


_Draw: TypeAlias = Callable[[LiverPatient, Placed, float, float], list[Shape]]
"""Draws an organ for a patient, where it lies, by how much of it is in the plane, and by its pulse (-1 to 1), or for
a bystander the sector's depth in millimeters."""


def pulse_radius_mm(mean_mm: float, swing: float) -> float:
    """Radius of a pulsing vessel whose wave stands at `swing`, -1 to 1."""
    return mean_mm * (1 + _SWING * swing)


def _hepatic_veins(patient: LiverPatient, placed: Placed, growth: float, _: float) -> list[Shape]:
    """Three thin-walled veins that meet."""
    outlines = [ellipse(2.1 * patient.vein_mm, 1.7 * patient.vein_mm)]
    for k in (-1, 0, 1):
        path = posed(arc(58 - 7 * abs(k), 0.12 * k + patient.bend), angle=np.pi / 2 + k * patient.spread)
        outlines.append(ribbon(path, np.linspace(patient.vein_mm, 0.42 * patient.vein_mm, len(path))))
    return [
        Shape(points=placed.put(o - (0, 22), growth), tissue=_BLOOD, name="hepatic-veins") for o in outlines
    ]


def _portal_bifurcation(patient: LiverPatient, placed: Placed, growth: float, _: float) -> list[Shape]:
    """A stem that forks, its walls bright."""
    wall = Tissue(patient.liver_db + 15, 0.3, 0.1)
    arms = [(np.pi, 36.0, 1.0), (0.95 * patient.spread, 38.0, 0.8), (-0.95 * patient.spread, 36.0, 0.75)]
    inner, outer = [], []
    for angle, length, share in arms:
        path = posed(arc(length, patient.bend * share), angle=angle + 0.5)
        width = patient.portal_mm * np.linspace(1, 0.75, len(path)) * share
        outer.append(placed.put(ribbon(path, width + 6.5), growth))
        inner.append(placed.put(ribbon(path, width), growth))
    shapes = [Shape(points=o, tissue=wall, name="portal-bifurcation") for o in outer]
    middle = ellipse(patient.portal_mm * 1.1, patient.portal_mm * 1.1)
    return shapes + [Shape(points=i, tissue=_BLOOD) for i in (*inner, placed.put(middle, growth))]


def _gallbladder(patient: LiverPatient, placed: Placed, growth: float, _: float) -> list[Shape]:
    """A pear of bile with a thin bright wall; what lies behind is enhanced."""
    body = wobbly(pear(*patient.bladder_mm), np.array(patient.waves), 0.05)
    outline = placed.put(body, growth)
    wall = Tissue(patient.liver_db + 10, 0.25, 0.1)
    return [
        Shape(points=outline, tissue=_BILE, name="gallbladder"),
        Shape(points=outline, tissue=wall, line_mm=1.6),
    ]


def _liver_kidney(patient: LiverPatient, placed: Placed, growth: float, _: float) -> list[Shape]:
    """A dark cortex with darker pyramids around a bright sinus, in a bright capsule."""
    length, width = patient.kidney_mm
    body = wobbly(ellipse(length, width), np.array(patient.waves), 0.04)
    cortex = Tissue(patient.liver_db - patient.cortex_db, 0.25, 0.2)
    sinus = Tissue(patient.liver_db + patient.sinus_db, 0.3, 0.9)
    capsule = Tissue(patient.liver_db + 12, 0.3, 0.0)
    pyramid = Tissue(patient.liver_db - patient.cortex_db - 8, 0.2, 0.0)
    shapes = [
        Shape(points=placed.put(body, growth), tissue=cortex, name="liver-kidney"),
        Shape(points=placed.put(body, growth), tissue=capsule, line_mm=1.2),
    ]
    for k, angle in enumerate(np.linspace(0.2, 6.0, 9)):
        spot = (0.33 * length * np.cos(angle), 0.33 * width * np.sin(angle))
        small = ellipse(0.11 * length, (0.15 + 0.02 * (k % 2)) * width)
        shapes.append(Shape(points=placed.put(small + spot, growth), tissue=pyramid))
    heart = wobbly(ellipse(0.62 * length, 0.36 * width), np.array(patient.waves[::-1]), 0.2)
    return [*shapes, Shape(points=placed.put(heart, growth), tissue=sinus)]


def _tube(patient: LiverPatient, placed: Placed, growth: float, swing: float) -> list[Shape]:
    """A pulsing vessel, lengthwise: aorta and vena cava alike."""
    path = arc(88, placed.pose.bend) - (44, 0)
    radius = pulse_radius_mm(patient.tube_mm, swing)
    shut = 1 - 0.9 * np.abs(np.linspace(-1, 1, len(path))) ** 10
    outer = placed.put(ribbon(path, 2 * (radius + 3.2) * shut), growth)
    inner = placed.put(ribbon(path, 2 * radius * shut), growth)
    wall = Tissue(patient.liver_db + 13, 0.3, 0.0)
    return [Shape(points=outer, tissue=wall, name="tube"), Shape(points=inner, tissue=_BLOOD)]


def _renamed(draw: _Draw, name: str) -> _Draw:
    """The same organ under another name."""

    def named(patient: LiverPatient, placed: Placed, growth: float, swing: float) -> list[Shape]:
        return [replace(s, name=s.name and name) for s in draw(patient, placed, growth, swing)]

    return named


def _vessel(patient: LiverPatient, placed: Placed, growth: float, _: float) -> list[Shape]:
    """A small vein, cut across or along a little way."""
    wide = 3 + 2.5 * (placed.pose.phase % 1)
    return [
        Shape(points=placed.put(ellipse(wide * (1 + 2.5 * placed.pose.scale), wide), growth), tissue=_BLOOD)
    ]


def _twig(patient: LiverPatient, placed: Placed, growth: float, _: float) -> list[Shape]:
    """A small portal branch with bright walls."""
    path = arc(22, placed.pose.bend * 2) - (11, 0)
    wall = Tissue(patient.liver_db + 10, 0.3, 0)
    wide = 2.5 + placed.pose.phase * 2
    return [
        Shape(points=placed.put(ribbon(path, np.full(len(path), wide + 4)), growth), tissue=wall),
        Shape(points=placed.put(ribbon(path, np.full(len(path), wide)), growth), tissue=_BLOOD),
    ]


def _spot(patient: LiverPatient, placed: Placed, growth: float, _: float) -> list[Shape]:
    size = 8 + 8 * placed.pose.phase
    return [Shape(points=placed.put(ellipse(size, size * 0.8), growth), tissue=Tissue(patient.liver_db + 6))]


def _diaphragm(patient: LiverPatient, placed: Placed, growth: float, depth_mm: float) -> list[Shape]:
    """A bright arc in the depth, with the lung's haze behind it."""
    dome = np.linspace(-0.9, 0.9, 24)
    size = 85.0
    x, z = placed.at[0], max(placed.at[1], 0.62 * depth_mm) + 0.16 * depth_mm + (1 - growth) * 45
    path = np.stack([x + size * np.sin(dome), z + size * (1 - np.cos(dome))], axis=1)
    behind = np.concatenate([path, posed(path[::-1], at=(0, 70))])
    return [
        Shape(points=behind, tissue=Tissue(patient.liver_db - 7, 0.35, 0.8), name="diaphragm"),
        Shape(points=path, tissue=Tissue(11, 0.6, 0), line_mm=2.4, closed=False),
    ]


def _rib(patient: LiverPatient, placed: Placed, growth: float, _: float) -> list[Shape]:
    """A bright cap under the skin; its shadow follows from its loss."""
    x, z = _near(placed, patient.wall_mm + 2)
    cap = posed(ellipse(15 * growth + 1, 6), at=(x, z), angle=-placed.pose.theta)
    return [Shape(points=cap, tissue=BONE, name="rib")]


def _gas(patient: LiverPatient, placed: Placed, growth: float, _: float) -> list[Shape]:
    """Bowel gas: a ragged bright line with a dirty shadow."""
    x, z = _near(placed, patient.wall_mm + 14 + 14 * placed.pose.phase)
    blob = wobbly(ellipse(30 * growth + 2, 9), np.array([1.0, 3.0, 5.0]), 0.25)
    return [Shape(points=posed(blob, at=(x, z)), tissue=Tissue(10, 1.7, 0.8), name="gas")]


def _near(placed: Placed, depth_mm: float) -> tuple[float, float]:
    """Where the scan line through an organ's place lies `depth_mm` deep, near a curved face."""
    theta = placed.pose.theta * 1.3
    return float(np.sin(theta) * (depth_mm + 50)), float(np.cos(theta) * (depth_mm + 50) - 50)


ORGANS: dict[str, _Draw] = {
    "hepatic-veins": _hepatic_veins,
    "portal-bifurcation": _portal_bifurcation,
    "gallbladder": _gallbladder,
    "liver-kidney": _liver_kidney,
    "aorta": _renamed(_tube, "aorta"),
    "ivc": _renamed(_tube, "ivc"),
}
BYSTANDERS: dict[str, _Draw] = {
    "vessel": _vessel,
    "twig": _twig,
    "spot": _spot,
    "diaphragm": _diaphragm,
    "rib": _rib,
    "gas": _gas,
}
ABOVE = ("rib", "gas")
"""Bystanders that lie between the organs and the probe."""
