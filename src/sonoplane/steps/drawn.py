"""What is seen of networks' answers: reliability, risk and coverage, timelines, the surest mistakes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sonoplane.metrics.abstention import risk_coverage
from sonoplane.metrics.answers import Answers
from sonoplane.metrics.levels import to_recordings
from sonoplane.report.evaluation import MOST_TIMELINES
from sonoplane.report.mistakes import Mistake, mistakes_of, worst
from sonoplane.report.pictures import Picture
from sonoplane.report.reliability import write_reliability
from sonoplane.report.risk_coverage import RiskCurve, write_risk_coverage
from sonoplane.report.timelines import NetworkTimeline, RecordingTimelines, timelines_png, write_timelines
from sonoplane.steps.answering import Answered
from sonoplane.steps.calibration import reliability_panel
from sonoplane.steps.measuring import Measurement
from sonoplane.steps.progress import progress

__all__ = ["TIMELINES", "draw_belief", "draw_timelines", "mistakes_in", "risk_curve"]

#: The folder of timelines.
TIMELINES = "timelines"

_RELIABLE = (
    "Of answers with a probability of 0.8, 8 in 10 should be right: bars then end on the dashed line. Rust: surer than"
    " right; light blue: less sure than right. Below: how many frames."
)
_COVERED = (
    "When only the surest answers are given, fewer of them should be wrong: the lower the curve, the better."
)


def draw_belief(folder: Path, measurements: Sequence[Measurement]) -> tuple[Picture, ...]:
    """Write `reliability` and `risk-coverage` as PNG and SVG into a folder, and give them for the page."""
    one = measurements[0]
    curves = []
    if len(measurements) == 1:
        answered = one.answered
        rows = {
            "own": ("The network’s own", answered.own_frames),
            "calibrated": ("Calibrated", answered.raw_frames),
            "smoothed": ("Smoothed", answered.frames),
        }
        shown = {title: frames() for title, frames in (rows[name] for name in one.beliefs)}
        wholes = to_recordings(one.frames, leave_out=answered.asked.leave_out)
        if wholes.labelled.any():
            curves.append(risk_curve("recordings", wholes))
        curves.insert(0, risk_curve("frames", one.frames))
    else:
        shown = {m.name: m.frames for m in measurements}
        curves = [risk_curve(m.name, m.frames) for m in measurements]
    panels = [
        reliability_panel(title, frames.probabilities, frames.targets) for title, frames in shown.items()
    ]
    reliable = write_reliability(folder, panels)[0]
    covered = write_risk_coverage(folder, curves)[0]
    return (
        Picture(title="Reliability", caption=_RELIABLE, data=reliable.read_bytes(), wide=len(panels) > 1),
        Picture(title="Risk and coverage", caption=_COVERED, data=covered.read_bytes()),
    )


def draw_timelines(
    folder: Path, answered: Sequence[Answered], order: Sequence[str], most: int
) -> tuple[tuple[Picture, ...], int]:
    """Write `timelines/<recording>.png` and `.svg` of `most` recordings; give the first for the page, and how many."""
    names = list(order)[:most]
    if not names:
        return (), 0
    place = folder / TIMELINES
    place.mkdir()
    pictures = []
    with progress("draw timelines", "recordings", len(names)) as tell:
        for count, name in enumerate(names, start=1):
            seen = _timelines_of(name, answered)
            write_timelines(place, seen, stem=name)
            if count <= MOST_TIMELINES:
                png = timelines_png(seen, dpi=130)
                pictures.append(Picture(title="", caption="", data=png, wide=True))
            tell(count, None)
    return tuple(pictures), len(names)


def mistakes_in(
    answered: Sequence[Answered], *, named: bool
) -> tuple[tuple[Mistake, ...], tuple[Mistake, ...]]:
    """Every wrong run of frames, and the surest of them with a picture each; `named` by network."""
    asked = answered[0].asked
    found = tuple(
        mistake
        for one in answered
        for name, watched in one.watched.items()
        for mistake in mistakes_of(
            name,
            asked.targets[name],
            watched.timeline.numbers,
            watched.timeline.probabilities,
            asked.classes,
            network=one.network.name if named else "",
            times_s=watched.timeline.times_s,
        )
    )
    shown = tuple(
        replace(mistake, image=asked.store.read_frames(mistake.recording, [mistake.frame])[0])
        for mistake in worst(found)
    )
    return found, shown


def _timelines_of(name: str, answered: Sequence[Answered]) -> RecordingTimelines:
    asked = answered[0].asked
    return RecordingTimelines(
        recording=name,
        classes=asked.classes,
        background=asked.background,
        targets=asked.targets[name],
        times_s=answered[0].watched[name].timeline.times_s,
        networks=tuple(
            NetworkTimeline(
                name=one.network.name,
                probabilities=one.watched[name].timeline.probabilities,
                answers=one.watched[name].timeline.numbers,
            )
            for one in answered
        ),
    )


def risk_curve(name: str, answers: Answers) -> RiskCurve:
    """How much of what is answered is wrong, the surest answers first."""
    known = answers.only(answers.labelled)
    found = risk_coverage(known.sure, known.said == known.targets)
    return RiskCurve(name=name, coverage=found.coverage, risk=found.risk, aurc=found.aurc)
