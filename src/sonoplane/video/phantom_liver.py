"""The presets `liver-sweep` and `vessels`: a probe that slides over a liver, through its standard planes.

Hepatic veins, portal bifurcation, gallbladder, liver with kidney, aorta and vena cava drift in and out of a plane
full of parenchyma, small vessels, ribs and gas. Only how fast its radius swings tells the aorta from the vena cava: no
single frame can.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from sonoplane.video.phantom_organs import (
    ABOVE,
    BYSTANDERS,
    ORGANS,
    LiverPatient,
    Placed,
    Pose,
    pulse_radius_mm,
)
from sonoplane.video.phantom_plans import MOTION_PAIR, SweepPlan
from sonoplane.video.phantom_probe import Points, Sector
from sonoplane.video.phantom_scene import Motion, Run, runs_of
from sonoplane.video.phantom_shapes import Shape, Tissue

__all__ = ["LiverPatient", "LiverSweep"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Bystander:
    """Something every class may show: a small vessel, a bright spot, a rib, gas, the diaphragm."""

    kind: str
    start: float
    stop: float
    pose: Pose


class LiverSweep:
    """One sweep of one patient."""

    def __init__(
        self,
        plan: SweepPlan,
        patient: LiverPatient,
        sector: Sector,
        *,
        frames: int,
        fps: float,
        rng: np.random.Generator,
    ) -> None:
        self._plan, self._patient, self._sector, self._fps = plan, patient, sector, fps
        self.ground = Tissue(patient.liver_db, patient.loss_db_mm, patient.mottle)
        self.runs = _planned_runs(plan, frames, rng)
        self._poses = tuple(_pose(plan, sector, rng) for _ in self.runs)
        self._bystanders = tuple(_bystanders(plan, self.runs, frames, sector, rng))
        self._layers = rng.uniform(0, 1, 6)
        self._wander = rng.uniform(0, 1, 6)
        self._tilt = _tilts(plan, self.runs, frames)

    def motion(self, frame: int) -> Motion:
        """The probe trembles and slides, breathing pushes, gain drifts; it tilts faster between planes."""
        t, w, much = frame / self._fps, self._wander, self._plan.restless
        turns = 2 * np.pi
        slide = 0.035 * np.sin(turns * (0.23 * t + w[0])) + 0.012 * np.sin(turns * (0.9 * t + w[1]))
        return Motion(
            turn=much * slide,
            push_mm=much * 3.0 * np.sin(turns * (self._patient.breath_hz * 1.3 * t + w[2])),
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
                (over if one.kind in ABOVE else shapes).extend(
                    BYSTANDERS[one.kind](self._patient, self._placed(pose), growth, self._sector.depth_mm)
                )
        index = next(i for i, run in enumerate(self.runs) if run.start <= frame < run.stop)
        run = self.runs[index]
        if run.label != "background":
            growth = _growth(frame, run.start, run.stop)
            pose = _along(self._poses[index], frame, run.start, run.stop)
            swing = self._swing(run.label, self._poses[index], frame)
            shapes += ORGANS[run.label](self._patient, self._placed(pose), growth, swing)
        return shapes + self._wall(frame) + over

    def radius_mm(self, frame: int) -> float | None:
        """Radius of the pulsing tube, were it fully in plane; None in frames without one."""
        for run, pose in zip(self.runs, self._poses, strict=True):
            if run.start <= frame < run.stop and run.label in MOTION_PAIR:
                return pulse_radius_mm(
                    self._patient.tube_mm * pose.scale, self._swing(run.label, pose, frame)
                )
        return None

    def _swing(self, label: str, pose: Pose, frame: int) -> float:
        hz = self._patient.heart_hz if label == "aorta" else self._patient.breath_hz
        return self._plan.swing * float(np.sin(2 * np.pi * (hz * frame / self._fps + pose.phase)))

    def _placed(self, pose: Pose) -> "Placed":
        return Placed(at=self._sector.place(pose.theta, pose.depth_mm), pose=pose)

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


_FAN = np.linspace(-1.1, 1.1, 24)
_MUSCLE, _FAT, _SKIN = Tissue(-11, 0.3, 0.5), Tissue(-15, 0.25, 0.7), Tissue(4, 0.4, 0.1)


def _follow(sector: Sector, depth_mm: float | Float64[np.ndarray, "angles"]) -> Points:
    theta = _FAN * sector.half_angle
    r = sector.radius_mm + np.broadcast_to(depth_mm, theta.shape)
    return np.stack([r * np.sin(theta), r * np.cos(theta) - sector.radius_mm], axis=1)


def _band(sector: Sector, top_mm: float, bottom_mm: float | Float64[np.ndarray, "angles"]) -> Points:
    return np.concatenate([_follow(sector, top_mm), _follow(sector, bottom_mm)[::-1]])


def _planned_runs(plan: SweepPlan, frames: int, rng: np.random.Generator) -> tuple[Run, ...]:
    """All planes or all but one (fewer in short sweeps) in random order, background between."""
    planes, n = list(rng.permutation(np.array(plan.planes))), len(plan.planes)
    most = int(np.clip(frames // plan.plane_frames, 1, n))
    keep = most if most < n else n - int(rng.integers(0, 2))
    labels = [str(plane) for plane in planes[:keep]]
    return runs_of(labels, frames=frames, between="background", share=plan.background, rng=rng)


def _pose(plan: SweepPlan, sector: Sector, rng: np.random.Generator) -> Pose:
    u = rng.uniform
    return Pose(
        theta=u(-plan.reach, plan.reach) * sector.half_angle,
        depth_mm=u(0.36, 0.78) * sector.depth_mm,
        angle=u(-0.6, 0.6),
        scale=u(*plan.scale),
        mirror=bool(rng.random() < 0.5),
        drift=u(-0.16, 0.16) * plan.restless,
        sink_mm=u(-9, 9) * plan.restless,
        phase=u(0, 1),
        bend=u(-0.1, 0.1),
    )


def _along(pose: Pose, frame: float, start: float, stop: float) -> Pose:
    """The pose at one frame of its run."""
    way = (frame - (start + stop - 1) / 2) / max(stop - start, 1)
    return replace(
        pose,
        theta=pose.theta + pose.drift * way,
        depth_mm=pose.depth_mm + pose.sink_mm * way,
        angle=pose.angle + pose.drift * way,
    )


def _growth(frame: float, start: float, stop: float) -> float:
    """How much of an organ the plane cuts: 0 outside its run, near 1 two frames inside."""
    half = (stop - start) / 2
    u = abs(frame - (start + stop - 1) / 2) / (half + 0.25)
    return float(np.sqrt(1 - u**6)) if u < 1 else 0.0


def _tilts(plan: SweepPlan, runs: tuple[Run, ...], frames: int) -> Float64[np.ndarray, "frames"]:
    speed = np.full(frames, plan.tilt)
    for run in runs[1:]:
        speed[max(run.start - 2, 0) : run.start + 1] = 0.4
    tilts: Float64[np.ndarray, frames] = np.cumsum(speed)
    return tilts


def _bystanders(
    plan: SweepPlan, runs: tuple[Run, ...], frames: int, sector: Sector, rng: np.random.Generator
) -> list[_Bystander]:
    found: list[_Bystander] = []

    def add(kind: str, share: float, length: tuple[float, float]) -> None:
        for _ in range(int(rng.poisson(plan.bystanders * share * frames / 30))):
            start = rng.uniform(-8, frames)
            stop = start + rng.uniform(*length)
            found.append(_Bystander(kind=kind, start=start, stop=stop, pose=_pose(plan, sector, rng)))

    add("vessel", 5.0, (8, 24))
    add("twig", 2.0, (8, 24))
    add("spot", 1.0, (6, 18))
    add("diaphragm", 0.7, (20, 45))
    add("rib", 0.5, (8, 20))
    add("gas", 0.3, (8, 20))
    for run in runs:
        if run.label == "background" and rng.random() < 0.4:
            kind = "rib" if rng.random() < 0.6 else "gas"
            pose = _pose(plan, sector, rng)
            found.append(_Bystander(kind=kind, start=run.start, stop=run.stop, pose=pose))
    return found
