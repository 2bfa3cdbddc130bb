"""The preset `liver-sweep`: a probe that slides over a liver, through six standard planes.

Hepatic veins, portal bifurcation, gallbladder, liver with kidney, aorta and vena cava drift in and out of a plane
full of parenchyma. Aorta and vena cava are drawn by the same code from the same random draws: only how
fast their radius swings tells them apart, so no single frame can.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64

from sonoplane.video.phantom_probe import Points, Sector
from sonoplane.video.phantom_scene import Motion, Run, runs_of
from sonoplane.video.phantom_shapes import BONE, Shape, Tissue, arc, ellipse, pear, posed, ribbon, wobbly

__all__ = ["CLASSES", "MOTION_PAIR", "LiverPatient", "LiverSweep", "pulse_radius_mm"]

CLASSES = (
    "background",
    "hepatic-veins",
    "portal-bifurcation",
    "gallbladder",
    "liver-kidney",
    "aorta",
    "ivc",
)
MOTION_PAIR = ("aorta", "ivc")
"""The two that look alike in any single frame."""

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
class _Pose:
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
class _Bystander:
    """Something every class may show: a small vessel, a bright spot, a rib, gas, the diaphragm."""

    kind: str
    start: float
    stop: float
    pose: _Pose


_Draw: TypeAlias = Callable[[LiverPatient, _Pose, float, float], list[Shape]]


class LiverSweep:
    """One sweep of one patient."""

    def __init__(
        self, patient: LiverPatient, sector: Sector, *, frames: int, fps: float, rng: np.random.Generator
    ) -> None:
        self._patient, self._sector, self._fps = patient, sector, fps
        self.ground = Tissue(patient.liver_db, patient.loss_db_mm, patient.mottle)
        self.runs = _planned_runs(frames, rng)
        self._poses = tuple(_pose(sector, rng) for _ in self.runs)
        self._bystanders = tuple(_bystanders(self.runs, frames, sector, rng))
        self._layers = rng.uniform(0, 1, 6)
        self._wander = rng.uniform(0, 1, 6)
        self._tilt = _tilts(self.runs, frames)

    def motion(self, frame: int) -> Motion:
        """The probe trembles and slides, breathing pushes, gain drifts; it tilts faster between planes."""
        t, w = frame / self._fps, self._wander
        turns = 2 * np.pi
        return Motion(
            turn=0.035 * np.sin(turns * (0.23 * t + w[0])) + 0.012 * np.sin(turns * (0.9 * t + w[1])),
            push_mm=3.0 * np.sin(turns * (self._patient.breath_hz * 1.3 * t + w[2])),
            tilt=float(self._tilt[frame]),
            gain_db=2.0 * np.sin(turns * (0.15 * t + w[3])),
        )

    def shapes(self, frame: int) -> list[Shape]:
        """Bystanders, the organ of the frame's run, the body wall, and ribs on top."""
        shapes: list[Shape] = []
        over: list[Shape] = []
        for one in self._bystanders:
            growth = _growth(frame, one.start, one.stop)
            if growth > 0:
                pose = _along(one.pose, frame, one.start, one.stop)
                (over if one.kind in _ABOVE else shapes).extend(
                    _BYSTANDERS[one.kind](self._patient, self._placed(pose), growth, self._sector.depth_mm)
                )
        index = next(i for i, run in enumerate(self.runs) if run.start <= frame < run.stop)
        run = self.runs[index]
        if run.label != "background":
            growth = _growth(frame, run.start, run.stop)
            pose = _along(self._poses[index], frame, run.start, run.stop)
            swing = self._swing(run.label, self._poses[index], frame)
            shapes += _ORGANS[run.label](self._patient, self._placed(pose), growth, swing)
        return shapes + self._wall(frame) + over

    def radius_mm(self, frame: int) -> float | None:
        """Radius of the pulsing tube, were it fully in plane; None in frames without one."""
        for run, pose in zip(self.runs, self._poses, strict=True):
            if run.start <= frame < run.stop and run.label in MOTION_PAIR:
                return pulse_radius_mm(self._patient.tube_mm * pose.scale, self._swing(run.label, pose, frame))
        return None

    def _swing(self, label: str, pose: _Pose, frame: int) -> float:
        hz = self._patient.heart_hz if label == "aorta" else self._patient.breath_hz
        return float(np.sin(2 * np.pi * (hz * frame / self._fps + pose.phase)))

    def _placed(self, pose: _Pose) -> "_Placed":
        return _Placed(at=self._sector.place(pose.theta, pose.depth_mm), pose=pose)

    def _wall(self, frame: int) -> list[Shape]:
        """Skin, fat and muscle, which follow the probe's face."""
        sector, u = self._sector, self._layers
        deep = self._patient.wall_mm
        shapes = []
        for share, tissue in ((1.0, _MUSCLE), (0.62, _FAT), (0.15, _SKIN)):
            wave = 0.8 * np.sin(9 * _FAN * sector.half_angle + 6 * u[0] + 5 * share) * share
            shapes.append(Shape(points=_band(sector, -4, share * deep + wave), tissue=tissue))
        for share, echo, line in ((1.0, 6.0, 1.2), (0.62, 8.0, 1.2), (0.8, 0.0, 0.6), (0.36, 1.0, 0.6)):
            wave = 0.8 * np.sin(9 * _FAN * sector.half_angle + 6 * u[0] + 5 * share) * share
            path = _follow(sector, share * deep + wave)
            shapes.append(Shape(points=path, tissue=Tissue(echo, 0.3, 0.2), line_mm=line, closed=False))
        return shapes


@dataclass(frozen=True, kw_only=True, slots=True)
class _Placed:
    """A pose, and where in the sector it is."""

    at: tuple[float, float]
    pose: _Pose

    def put(self, points: Points, growth: float = 1.0) -> Points:
        """Points of an organ drawn around its own origin, brought into place."""
        pose = self.pose
        return posed(points, at=self.at, angle=pose.angle, scale=pose.scale * growth, mirror=pose.mirror)


_FAN = np.linspace(-1.1, 1.1, 24)
_MUSCLE, _FAT, _SKIN = Tissue(-11, 0.3, 0.5), Tissue(-15, 0.25, 0.7), Tissue(4, 0.4, 0.1)


def _follow(sector: Sector, depth_mm: float | np.ndarray) -> Points:
    theta = _FAN * sector.half_angle
    r = sector.radius_mm + np.broadcast_to(depth_mm, theta.shape)
    return np.stack([r * np.sin(theta), r * np.cos(theta) - sector.radius_mm], axis=1)


def _band(sector: Sector, top_mm: float, bottom_mm: float | np.ndarray) -> Points:
    return np.concatenate([_follow(sector, top_mm), _follow(sector, bottom_mm)[::-1]])


def _planned_runs(frames: int, rng: np.random.Generator) -> tuple[Run, ...]:
    """Five of six planes (fewer in short sweeps) in random order, background between."""
    planes = list(rng.permutation(np.array(CLASSES[1:])))
    most = int(np.clip(frames // 22, 1, 6))
    keep = most if most < 6 else 6 - int(rng.integers(0, 2))
    return runs_of([str(p) for p in planes[:keep]], frames=frames, between="background", share=0.28, rng=rng)


def _pose(sector: Sector, rng: np.random.Generator) -> _Pose:
    u = rng.uniform
    return _Pose(
        theta=u(-0.62, 0.62) * sector.half_angle,
        depth_mm=u(0.36, 0.78) * sector.depth_mm,
        angle=u(-0.6, 0.6),
        scale=u(0.78, 1.1),
        mirror=bool(rng.random() < 0.5),
        drift=u(-0.16, 0.16),
        sink_mm=u(-9, 9),
        phase=u(0, 1),
        bend=u(-0.1, 0.1),
    )


def _along(pose: _Pose, frame: float, start: float, stop: float) -> _Pose:
    """The pose at one frame of its run."""
    way = (frame - (start + stop - 1) / 2) / max(stop - start, 1)
    return _Pose(
        theta=pose.theta + pose.drift * way,
        depth_mm=pose.depth_mm + pose.sink_mm * way,
        angle=pose.angle + pose.drift * way,
        scale=pose.scale,
        mirror=pose.mirror,
        drift=pose.drift,
        sink_mm=pose.sink_mm,
        phase=pose.phase,
        bend=pose.bend,
    )


def _growth(frame: float, start: float, stop: float) -> float:
    """How much of an organ the plane cuts: 0 outside its run, near 1 two frames inside."""
    half = (stop - start) / 2
    u = abs(frame - (start + stop - 1) / 2) / (half + 0.25)
    return float(np.sqrt(1 - u**6)) if u < 1 else 0.0


def _tilts(runs: tuple[Run, ...], frames: int) -> Float64[np.ndarray, "frames"]:
    speed = np.full(frames, 0.12)
    for run in runs[1:]:
        speed[max(run.start - 2, 0) : run.start + 1] = 0.4
    return np.cumsum(speed)


def _bystanders(
    runs: tuple[Run, ...], frames: int, sector: Sector, rng: np.random.Generator
) -> list[_Bystander]:
    found: list[_Bystander] = []

    def add(kind: str, share: float, length: tuple[float, float]) -> None:
        for _ in range(int(rng.poisson(share * frames / 30))):
            start = rng.uniform(-8, frames)
            found.append(
                _Bystander(kind=kind, start=start, stop=start + rng.uniform(*length), pose=_pose(sector, rng))
            )

    add("vessel", 5.0, (8, 24))
    add("twig", 2.0, (8, 24))
    add("spot", 1.0, (6, 18))
    add("diaphragm", 0.7, (20, 45))
    add("rib", 0.5, (8, 20))
    add("gas", 0.3, (8, 20))
    for run in runs:
        if run.label == "background" and rng.random() < 0.4:
            kind = "rib" if rng.random() < 0.6 else "gas"
            found.append(_Bystander(kind=kind, start=run.start, stop=run.stop, pose=_pose(sector, rng)))
    return found


def pulse_radius_mm(mean_mm: float, swing: float) -> float:
    """Radius of a pulsing vessel whose wave stands at `swing`, -1 to 1."""
    return mean_mm * (1 + _SWING * swing)


def _hepatic_veins(patient: LiverPatient, placed: _Placed, growth: float, _: float) -> list[Shape]:
    """Three thin-walled veins that meet."""
    outlines = [ellipse(2.1 * patient.vein_mm, 1.7 * patient.vein_mm)]
    for k in (-1, 0, 1):
        path = posed(arc(58 - 7 * abs(k), 0.12 * k + patient.bend), angle=np.pi / 2 + k * patient.spread)
        outlines.append(ribbon(path, np.linspace(patient.vein_mm, 0.42 * patient.vein_mm, len(path))))
    return [
        Shape(points=placed.put(o - (0, 22), growth), tissue=_BLOOD, name="hepatic-veins") for o in outlines
    ]


def _portal_bifurcation(patient: LiverPatient, placed: _Placed, growth: float, _: float) -> list[Shape]:
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


def _gallbladder(patient: LiverPatient, placed: _Placed, growth: float, _: float) -> list[Shape]:
    """A pear of bile with a thin bright wall; what lies behind is enhanced."""
    body = wobbly(pear(*patient.bladder_mm), np.array(patient.waves), 0.05)
    outline = placed.put(body, growth)
    wall = Tissue(patient.liver_db + 10, 0.25, 0.1)
    return [
        Shape(points=outline, tissue=_BILE, name="gallbladder"),
        Shape(points=outline, tissue=wall, line_mm=1.6),
    ]


def _liver_kidney(patient: LiverPatient, placed: _Placed, growth: float, _: float) -> list[Shape]:
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


def _tube(patient: LiverPatient, placed: _Placed, growth: float, swing: float) -> list[Shape]:
    """A pulsing vessel, lengthwise: aorta and vena cava alike."""
    path = arc(88, placed.pose.bend) - (44, 0)
    radius = pulse_radius_mm(patient.tube_mm, swing)
    shut = 1 - 0.9 * np.abs(np.linspace(-1, 1, len(path))) ** 10
    outer = placed.put(ribbon(path, 2 * (radius + 3.2) * shut), growth)
    inner = placed.put(ribbon(path, 2 * radius * shut), growth)
    wall = Tissue(patient.liver_db + 13, 0.3, 0.0)
    return [Shape(points=outer, tissue=wall, name="tube"), Shape(points=inner, tissue=_BLOOD)]


def _renamed(draw: _Draw, name: str) -> _Draw:
    def named(patient: LiverPatient, placed: _Placed, growth: float, swing: float) -> list[Shape]:
        return [
            Shape(points=s.points, tissue=s.tissue, line_mm=s.line_mm, closed=s.closed, name=s.name and name)
            for s in draw(patient, placed, growth, swing)
        ]

    return named


def _vessel(patient: LiverPatient, placed: _Placed, growth: float, _: float) -> list[Shape]:
    """A small vein, cut across or along a little way."""
    wide = 3 + 2.5 * (placed.pose.phase % 1)
    return [Shape(points=placed.put(ellipse(wide * (1 + 2.5 * placed.pose.scale), wide), growth), tissue=_BLOOD)]


def _twig(patient: LiverPatient, placed: _Placed, growth: float, _: float) -> list[Shape]:
    """A small portal branch with bright walls."""
    path = arc(22, placed.pose.bend * 2) - (11, 0)
    wall = Tissue(patient.liver_db + 10, 0.3, 0)
    wide = 2.5 + placed.pose.phase * 2
    return [
        Shape(points=placed.put(ribbon(path, np.full(len(path), wide + 4)), growth), tissue=wall),
        Shape(points=placed.put(ribbon(path, np.full(len(path), wide)), growth), tissue=_BLOOD),
    ]


def _spot(patient: LiverPatient, placed: _Placed, growth: float, _: float) -> list[Shape]:
    size = 8 + 8 * placed.pose.phase
    return [Shape(points=placed.put(ellipse(size, size * 0.8), growth), tissue=Tissue(patient.liver_db + 6))]


def _diaphragm(patient: LiverPatient, placed: _Placed, growth: float, depth_mm: float) -> list[Shape]:
    """A bright arc in the depth, with the lung's haze behind it."""
    dome = np.linspace(-0.9, 0.9, 24)
    size = 85.0
    x, z = placed.at[0], max(placed.at[1], 0.62 * depth_mm) + 0.16 * depth_mm + (1 - growth) * 45
    path = np.stack([x + size * np.sin(dome), z + size * (1 - np.cos(dome))], axis=1)
    behind = np.concatenate([path, path[::-1] + (0, 70)])
    return [
        Shape(points=behind, tissue=Tissue(patient.liver_db - 7, 0.35, 0.8), name="diaphragm"),
        Shape(points=path, tissue=Tissue(11, 0.6, 0), line_mm=2.4, closed=False),
    ]


def _rib(patient: LiverPatient, placed: _Placed, growth: float, _: float) -> list[Shape]:
    """A bright cap under the skin; its shadow follows from its loss."""
    x, z = _near(placed, patient.wall_mm + 2)
    cap = posed(ellipse(15 * growth + 1, 6), at=(x, z), angle=-placed.pose.theta)
    return [Shape(points=cap, tissue=BONE, name="rib")]


def _gas(patient: LiverPatient, placed: _Placed, growth: float, _: float) -> list[Shape]:
    """Bowel gas: a ragged bright line with a dirty shadow."""
    x, z = _near(placed, patient.wall_mm + 14 + 14 * placed.pose.phase)
    blob = wobbly(ellipse(30 * growth + 2, 9), np.array([1.0, 3.0, 5.0]), 0.25)
    return [Shape(points=blob + (x, z), tissue=Tissue(10, 1.7, 0.8), name="gas")]


def _near(placed: _Placed, depth_mm: float) -> tuple[float, float]:
    """Where the scan line through an organ's place lies `depth_mm` deep, near a curved face."""
    theta = placed.pose.theta * 1.3
    return float(np.sin(theta) * (depth_mm + 50)), float(np.cos(theta) * (depth_mm + 50) - 50)


_ORGANS: dict[str, _Draw] = {
    "hepatic-veins": _hepatic_veins,
    "portal-bifurcation": _portal_bifurcation,
    "gallbladder": _gallbladder,
    "liver-kidney": _liver_kidney,
    "aorta": _renamed(_tube, "aorta"),
    "ivc": _renamed(_tube, "ivc"),
}
_BYSTANDERS: dict[str, _Draw] = {
    "vessel": _vessel,
    "twig": _twig,
    "spot": _spot,
    "diaphragm": _diaphragm,
    "rib": _rib,
    "gas": _gas,
}
_ABOVE = ("rib", "gas")
