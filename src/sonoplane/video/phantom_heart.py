"""The preset `echo-views`: one view of a beating heart in each recording.

Three short-axis views (at the apex, the papillary muscles and the mitral valve) and three from the apex (two, three
and four chambers), in the cardiologist's names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from sonoplane.video.phantom_probe import Points, Sector
from sonoplane.video.phantom_scene import Motion, Run
from sonoplane.video.phantom_shapes import Shape, Tissue, ellipse, posed, ribbon, wobbly

__all__ = ["VIEWS", "HeartPatient", "HeartView"]

VIEWS = ("apex", "papillary", "mitral", "2CH", "3CH", "4CH")
_BLOOD = Tissue(-40, 0.1, 0)
_MUSCLE = Tissue(-9, 0.3, 0.4)
_VALVE = Tissue(3, 0.3, 0)
_SAC = Tissue(7, 0.5, 0)
"""The pericardium."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeartPatient:
    """What stays the same in all recordings of a patient."""

    length_mm: float
    """Of the left ventricle, from apex to mitral valve, at its longest."""
    half_mm: float
    """Half the width of its cavity, at its widest."""
    wall_mm: float
    atrium_mm: tuple[float, float]
    right: float
    """Size of the right heart, relative."""
    squeeze: float
    """Share of its width that the cavity loses in systole."""
    beat_hz: float
    echo_db: float
    around_db: float
    waves: tuple[float, float, float]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "HeartPatient":
        """A patient's anatomy."""
        u = rng.uniform
        return cls(
            length_mm=u(66, 84),
            half_mm=u(18, 24),
            wall_mm=u(8, 13),
            atrium_mm=(u(34, 46), u(30, 42)),
            right=u(0.8, 1.15),
            squeeze=u(0.25, 0.45),
            beat_hz=u(0.95, 1.6),
            echo_db=u(-3, 3),
            around_db=u(-16, -9),
            waves=(u(0, 6.28), u(0, 6.28), u(0, 6.28)),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Beat:
    """Where in its cycle the heart is."""

    squeeze: float
    """Share of its width that the cavity has lost."""
    open: float
    """How far the mitral valve stands open, 0 to 1."""


_Draw: TypeAlias = Callable[[HeartPatient, _Beat], list[Shape]]


class HeartView:
    """One recording of one view."""

    def __init__(
        self,
        patient: HeartPatient,
        view: str,
        sector: Sector,
        *,
        frames: int,
        fps: float,
        rng: np.random.Generator,
    ) -> None:
        self._patient, self._view, self._sector, self._fps = patient, view, sector, fps
        self.ground = Tissue(patient.around_db, 0.27, 0.9)
        self.runs = (Run(label=view, start=0, stop=frames),)
        self._wander = rng.uniform(0, 1, 6)
        u = rng.uniform
        short = view in VIEWS[:3]
        self._theta = u(-0.6, 0.6) * sector.half_angle
        self._depth_mm = u(0.34, 0.7) * sector.depth_mm if short else u(0.08, 0.28) * sector.depth_mm
        self._angle = u(-1.4, 1.4) if short else u(-0.55, 0.55) - self._theta * 0.6
        self._scale = u(0.75, 1.15) if short else u(0.7, 1.0)
        self._mirror = bool(rng.random() < 0.5)
        self._phase = u(0, 1)

    def motion(self, frame: int) -> Motion:
        """The probe trembles, breathing pushes, the heart's own motion changes the speckle."""
        t, w = frame / self._fps, self._wander
        turns = 2 * np.pi
        return Motion(
            turn=0.03 * np.sin(turns * (0.2 * t + w[0])) + 0.01 * np.sin(turns * (0.8 * t + w[1])),
            push_mm=2.5 * np.sin(turns * (0.25 * t + w[2])),
            tilt=float(2 * w[4] + 0.05 * frame + 0.35 * (1 + np.sin(turns * self._cycle(frame)))),
            gain_db=1.5 * np.sin(turns * (0.15 * t + w[3])),
        )

    def shapes(self, frame: int) -> list[Shape]:
        """The heart of this view at this frame of its beat."""
        cycle = self._cycle(frame)
        beat = _Beat(
            squeeze=self._patient.squeeze * (0.5 - 0.5 * np.cos(2 * np.pi * cycle)),
            open=float(np.clip(0.5 + 0.9 * np.cos(2 * np.pi * (cycle - 0.06)), 0, 1)),
        )
        at = self._sector.place(self._theta, self._depth_mm)
        return [
            shape.at(posed(shape.points, at=at, angle=self._angle, scale=self._scale, mirror=self._mirror))
            for shape in _DRAWN[self._view](self._patient, beat)
        ]

    def _cycle(self, frame: int) -> float:
        return self._patient.beat_hz * frame / self._fps + self._phase


def _muscle(patient: HeartPatient) -> Tissue:
    return _MUSCLE._replace(echo_db=_MUSCLE.echo_db + patient.echo_db)


def _bullet(length: float, half: float, top: float = 0.0) -> Points:
    """A ventricle from its round apex at y = `top` down to its open base."""
    u = np.linspace(0, 1, 20)
    side = half * np.sqrt(np.clip(1 - (1 - u) ** 2.4, 0, 1)) * (1 - 0.12 * u)
    return np.concatenate(
        [np.stack([side, top + length * u], 1), np.stack([-side, top + length * u], 1)[::-1]]
    )


def _leaflets(y: float, half: float, opened: float) -> list[Shape]:
    """Two leaflets that hinge at the ring's edges and open towards the apex."""
    shapes = []
    for sign in (-1, 1):
        swing = opened * 1.25
        tip = (sign * half * (1 - np.cos(swing)), y - half * np.sin(swing))
        path = np.array([(sign * half, y), ((sign * half + tip[0]) / 2, (y + tip[1]) / 2 - 1.5), tip])
        shapes.append(Shape(points=path, tissue=_VALVE, line_mm=1.8, closed=False))
    return shapes


def _left_heart(patient: HeartPatient, beat: _Beat) -> list[Shape]:
    """Ventricle, atrium and mitral valve, seen from the apex at the origin."""
    length = patient.length_mm * (1 - 0.3 * beat.squeeze)
    half = patient.half_mm * (1 - beat.squeeze)
    wall = patient.wall_mm * (1 + 0.7 * beat.squeeze)
    top = patient.length_mm - length
    outer = _bullet(length + wall * 0.6, half + wall, top - wall * 0.6)
    wide, tall = patient.atrium_mm
    grow = 1 + 0.35 * beat.squeeze
    atrium = wobbly(ellipse(wide * grow, tall * grow), np.array(patient.waves), 0.05)
    atrium = posed(atrium, at=(0, patient.length_mm + tall * 0.45))
    muscle = _muscle(patient)
    return [
        Shape(points=outer, tissue=muscle, name="heart"),
        Shape(points=outer, tissue=_SAC, line_mm=1.4),
        Shape(points=atrium, tissue=_VALVE, line_mm=3.0, name="heart"),
        Shape(points=atrium, tissue=_BLOOD, name="left-atrium"),
        Shape(points=_bullet(length, half, top), tissue=_BLOOD, name="left-ventricle"),
        *_leaflets(patient.length_mm, half * 0.86, beat.open),
    ]


def _three_chambers(patient: HeartPatient, beat: _Beat) -> list[Shape]:
    """The left heart, and the aorta that leaves the ventricle beside the atrium."""
    ventricle, sac, rim, atrium, cavity, *leaflets = _left_heart(patient, beat)
    left = (-0.3 * patient.atrium_mm[0], 0.0)
    u = np.linspace(0, 1, 10)[:, None]
    start = np.array([0.35 * patient.half_mm, patient.length_mm - 16])
    path = start + u * np.array([20.0, 62.0]) + u**2 * np.array([8.0, 0.0])
    bore = np.linspace(15, 20, 10) + 4 * np.exp(-(((u[:, 0] - 0.5) / 0.16) ** 2))
    across = np.array([[-1.0, 0.4], [1.0, -0.4]]) * 8.5
    cusps = path[4] + across if beat.open > 0.35 else path[4] + np.array([[7.5, -2.0], [9.0, 8.0]])
    return [
        ventricle,
        sac,
        rim.at(rim.points + left),
        Shape(points=ribbon(path[3:], bore[3:] + 5), tissue=_VALVE, name="heart"),
        atrium.at(atrium.points + left),
        cavity,
        Shape(points=ribbon(path, bore), tissue=_BLOOD, name="aorta"),
        Shape(points=cusps, tissue=_VALVE, line_mm=1.6, closed=False),
        *(leaf.at(posed(leaf.points, at=(-0.3 * patient.half_mm, 0))) for leaf in leaflets),
    ]


def _four_chambers(patient: HeartPatient, beat: _Beat) -> list[Shape]:
    """The left heart, and the right one beside it."""
    size = patient.right
    half = patient.half_mm * 0.9 * size * (1 - 0.6 * beat.squeeze)
    length = patient.length_mm * 0.78
    off = np.array([-(patient.half_mm + patient.wall_mm + patient.half_mm * 0.8 * size), 0.0])
    lean = posed(_bullet(length, half), angle=-0.12) + off + (0, patient.length_mm - length)
    skin = posed(_bullet(length + 5, half + 5), angle=-0.12) + off + (0, patient.length_mm - length - 5)
    wide, tall = patient.atrium_mm
    grow = size * (1 + 0.3 * beat.squeeze)
    atrium = ellipse(wide * grow, tall * grow) + off + (2, patient.length_mm + tall * 0.45)
    valve = [s.at(s.points + off) for s in _leaflets(patient.length_mm, half * 0.86, beat.open)]
    return [
        Shape(points=skin, tissue=_muscle(patient), name="heart"),
        Shape(points=atrium, tissue=_VALVE, line_mm=3.0, name="heart"),
        *_left_heart(patient, beat),
        Shape(points=atrium, tissue=_BLOOD, name="right-atrium"),
        Shape(points=lean, tissue=_BLOOD, name="right-ventricle"),
        *valve,
    ]


def _ring(patient: HeartPatient, beat: _Beat, size: float, *, squeeze: float = 1.0) -> list[Shape]:
    """A slice of the left ventricle."""
    inner = patient.half_mm * size * (1 - squeeze * beat.squeeze)
    outer = patient.half_mm * size + patient.wall_mm * (1 + 0.15 * beat.squeeze)
    waves = np.array(patient.waves)
    shell = wobbly(ellipse(2 * outer, 2 * outer), waves, 0.03)
    return [
        Shape(points=shell, tissue=_muscle(patient), name="heart"),
        Shape(points=shell, tissue=_SAC, line_mm=1.4),
        Shape(
            points=wobbly(ellipse(2 * inner, 2 * inner), waves, 0.05), tissue=_BLOOD, name="left-ventricle"
        ),
    ]


def _crescent(patient: HeartPatient, size: float) -> list[Shape]:
    """The right ventricle, wrapped around the ring's left."""
    wide = patient.half_mm * 1.5 * size * patient.right
    body = ellipse(2 * wide, 2.5 * wide) - (patient.half_mm * 1.15 * size + 4, 0)
    return [
        Shape(
            points=ellipse(2 * wide + 8, 2.5 * wide + 8) - (patient.half_mm * 1.15 * size + 4, 0),
            tissue=_muscle(patient),
            name="heart",
        ),
        Shape(points=body, tissue=_BLOOD, name="right-ventricle"),
    ]


def _apex(patient: HeartPatient, beat: _Beat) -> list[Shape]:
    """A thick ring with a small cavity that nearly closes."""
    return _ring(patient, beat, 0.62, squeeze=1.7)


def _papillary(patient: HeartPatient, beat: _Beat) -> list[Shape]:
    """The ring with two muscles that stand into it."""
    muscles = []
    inner = patient.half_mm * 1.15 * (1 - beat.squeeze)
    for angle in (0.55, 2.25):
        spot = 0.72 * inner * np.array([np.cos(angle), np.sin(angle)])
        knob = ellipse(0.62 * inner, 0.5 * inner)
        muscles.append(
            Shape(points=posed(knob, angle=angle) + spot, tissue=_muscle(patient)._replace(echo_db=-3))
        )
    return [*_crescent(patient, 1.0), *_ring(patient, beat, 1.15), *muscles]


def _mitral(patient: HeartPatient, beat: _Beat) -> list[Shape]:
    """The ring with the valve's fish mouth in it."""
    mouth = ellipse(1.6 * patient.half_mm, (0.22 + 0.75 * beat.open) * patient.half_mm)
    return [
        *_crescent(patient, 1.05),
        *_ring(patient, beat, 1.2, squeeze=0.7),
        Shape(points=posed(mouth, at=(0, 0.1 * patient.half_mm)), tissue=_VALVE, line_mm=2.0),
    ]


_DRAWN: dict[str, _Draw] = {
    "apex": _apex,
    "papillary": _papillary,
    "mitral": _mitral,
    "2CH": _left_heart,
    "3CH": _three_chambers,
    "4CH": _four_chambers,
}
