"""What came of one sweep: which planes were found, when, in which frames, and what was claimed without cause."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from sonoplane.errors import UsageError
from sonoplane.metrics.segments import OVERLAPS, matched, runs_of
from sonoplane.records import Findings

__all__ = ["PlaneEvent", "SweepEvents", "sweep_events"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaneEvent:
    """What came of one plane of the protocol."""

    plane: str
    present: bool
    """A frame is labelled so."""
    told: bool
    """The findings list it as found."""
    hit: bool
    """A frame labelled so was answered so."""
    first_hit_s: float | None
    """Seconds from its first labelled frame to the first hit; None where there is none, or no frame times."""
    keyframe_right: bool | None
    """Whether its best key frame is labelled so; False where it is present and has none, None where that frame is
    unlabelled, or the plane is neither present nor told."""

    @property
    def found(self) -> bool:
        """Told, and rightly so."""
        return self.told and self.hit


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepEvents:
    """One recording's events; unlabelled frames are neither right nor wrong."""

    recording: str
    patient: str
    classes: tuple[str, ...]
    background: str | None
    planes: tuple[PlaneEvent, ...]
    """Of the protocol, in the classes' order."""
    overlaps: tuple[float, ...]
    segments: Int64[np.ndarray, "overlaps classes 3"] = field(repr=False)
    """Runs that are right, false and missed."""
    keyframes_right: int
    keyframes_judged: int
    """Key frames that are labelled at all."""
    false_alarms: int
    """Answered runs of a plane that touch labelled frames, none of them labelled so."""
    minutes: float | None
    """How long the labelled frames last; None where there are no frame times."""

    @property
    def completeness(self) -> float | None:
        """Share of the planes present that were found; None where none is present."""
        present = [plane.found for plane in self.planes if plane.present]
        return sum(present) / len(present) if present else None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        names = ("present", "told", "found", "hit", "first_hit_s", "keyframe_right")
        return {
            "recording": self.recording,
            "completeness": self.completeness,
            "planes": {one.plane: {name: getattr(one, name) for name in names} for one in self.planes},
            "keyframes": {"right": self.keyframes_right, "judged": self.keyframes_judged},
            "false_alarms": self.false_alarms,
            "minutes": self.minutes,
        }


def sweep_events(
    findings: Findings,
    targets: Int64[np.ndarray, "time"],
    times_s: Float64[np.ndarray, "time"] | None,
    *,
    patient: str,
    overlaps: Sequence[float] = OVERLAPS,
) -> SweepEvents:
    """Hold one recording's findings against its labels: `targets` has a class number a frame, -1 where unlabelled.

    The findings' segments are what was answered, so that smoothing counts; `times_s` is the timeline's.

    Raises UsageError where there is not one target, and time, for each frame.
    """
    n = findings.n_frames
    if len(targets) != n or (times_s is not None and len(times_s) != n):
        raise UsageError(
            f"{n} frames meet {len(targets)} targets.", advice="Give one target, and time, for each frame."
        )
    said = _said(findings)
    right = [
        bool(targets[key.frame] == findings.classes.index(key.label))
        for key in findings.keyframes
        if targets[key.frame] >= 0
    ]
    protocol = {*findings.found, *findings.missing}
    return SweepEvents(
        recording=findings.recording,
        patient=patient,
        classes=findings.classes,
        background=findings.background,
        planes=tuple(
            _plane(findings, name, targets, said, times_s) for name in findings.classes if name in protocol
        ),
        overlaps=tuple(overlaps),
        segments=matched(targets, said, len(findings.classes), overlaps),
        keyframes_right=sum(right),
        keyframes_judged=len(right),
        false_alarms=_false_alarms(findings, targets, said),
        minutes=None if times_s is None else _minutes(times_s, targets >= 0),
    )


def _said(findings: Findings) -> Int64[np.ndarray, "time"]:
    """The class number answered for each frame; -1 where no segment is."""
    said = np.full(findings.n_frames, -1, dtype=np.int64)
    for run in findings.segments:
        if run.label in findings.classes:  # `unknown` is no class
            said[run.start : run.stop] = findings.classes.index(run.label)
    return said


def _plane(
    findings: Findings,
    name: str,
    targets: Int64[np.ndarray, "time"],
    said: Int64[np.ndarray, "time"],
    times_s: Float64[np.ndarray, "time"] | None,
) -> PlaneEvent:
    number = findings.classes.index(name)
    shown = np.flatnonzero(targets == number)
    hits = shown[said[shown] == number]
    waited = times_s is not None and len(hits) > 0
    best = next((key.frame for key in findings.keyframes if key.label == name), None)
    return PlaneEvent(
        plane=name,
        present=len(shown) > 0,
        told=name in findings.found,
        hit=len(hits) > 0,
        first_hit_s=float(times_s[hits[0]] - times_s[shown[0]]) if waited and times_s is not None else None,
        keyframe_right=_keyframe_right(best, number, targets, present=len(shown) > 0),
    )


def _keyframe_right(
    best: int | None, number: int, targets: Int64[np.ndarray, "time"], *, present: bool
) -> bool | None:
    if best is None:
        return False if present else None
    return None if targets[best] < 0 else bool(targets[best] == number)


def _false_alarms(
    findings: Findings, targets: Int64[np.ndarray, "time"], said: Int64[np.ndarray, "time"]
) -> int:
    alarms = 0
    for start, stop, number in runs_of(said):
        known = targets[start:stop][targets[start:stop] >= 0]
        alarms += findings.classes[number] != findings.background and len(known) > 0 and number not in known
    return alarms


def _minutes(times_s: Float64[np.ndarray, "time"], labelled: Bool[np.ndarray, "time"]) -> float | None:
    """A frame lasts until the next; the last one as long as is usual."""
    if len(times_s) < 2:
        return None
    steps = np.diff(times_s)
    return float(np.append(steps, np.median(steps))[labelled].sum() / 60)
