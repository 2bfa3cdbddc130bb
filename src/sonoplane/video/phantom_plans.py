"""What sweeps of a liver show and how: a row for each preset, all that differs between them."""

from dataclasses import dataclass

__all__ = ["LIVER_SWEEP", "MOTION_PAIR", "VESSELS", "SweepPlan"]

MOTION_PAIR = ("aorta", "ivc")
"""The two that look alike in any single frame."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepPlan:
    """How a sweep is planned and how restless it is."""

    planes: tuple[str, ...]
    """The standard planes, of which a sweep shows as many as fit."""
    plane_frames: int
    """Frames that a plane needs, background included."""
    background: float
    """Share of all frames without a plane."""
    reach: float
    """How far to the sides planes lie, as a share of the sector's half angle."""
    scale: tuple[float, float]
    """How large organs are."""
    swing: float = 1.0
    """How far the pair's radius swings, as a multiple of the 24 % of `phantom_organs`."""
    restless: float = 1.0
    """How much the probe trembles, slides and drifts, and organs with it."""
    tilt: float = 0.12
    """How far the probe sweeps from frame to frame, in fields of scatterers."""
    bystanders: float = 1.0
    """How many small vessels, spots, ribs and gas there are."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all classes, in order."""
        return ("background", *self.planes)


LIVER_SWEEP = SweepPlan(
    planes=("hepatic-veins", "portal-bifurcation", "gallbladder", "liver-kidney", *MOTION_PAIR),
    plane_frames=22,
    background=0.28,
    reach=0.62,
    scale=(0.78, 1.1),
)
"""The probe slides over a liver, through six planes that drift in and out."""

VESSELS = SweepPlan(
    planes=("portal-bifurcation", "liver-kidney", *MOTION_PAIR),
    plane_frames=36,
    background=0.2,
    reach=0.4,
    scale=(1.2, 1.5),
    swing=1.75,
    restless=0.25,
    tilt=0.02,
    bystanders=0.1,
)
"""The probe is held at each of a few large planes: is motion seen at all?"""
