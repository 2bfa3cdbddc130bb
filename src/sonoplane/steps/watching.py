"""From cleaned frames to findings: the one way that a source file and a recording of an archive both take."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sonoplane.errors import DamagedRecording
from sonoplane.inference.backends import Backend
from sonoplane.inference.keyframes import KeyFrameChooser
from sonoplane.inference.predictor import Predictor
from sonoplane.inference.smoothing import assumed_rate, smooth
from sonoplane.inference.smoothing_transitions import transitions_of
from sonoplane.inference.timeline import TimelineBuilder, recording_answer, segments
from sonoplane.inference.ways import Way, way_of
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.models.bundle import Bundle
from sonoplane.records import Box, Facts, Findings, Frame, Region, Timeline
from sonoplane.steps.recipe import Recipe

__all__ = ["Shown", "Watched", "watch"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A recording whose frames were cleaned: what is known of it besides them."""

    recording: str
    fps: float | None
    height: int
    width: int
    """Of the source's frames."""
    region: Region
    """Of the ultrasound in the frames that are watched."""
    facts: Facts = field(default_factory=Facts)
    warnings: tuple[str, ...] = ()
    source_sha256: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """What a network says of a recording."""

    findings: Findings
    timeline: Timeline
    """As it is told: calibrated and smoothed."""
    raw: Timeline = field(repr=False)
    """Calibrated, before smoothing."""


def watch(
    frames: Iterable[Frame],
    shown: Shown,
    *,
    bundle: Bundle,
    backend: Backend,
    recipe: Recipe,
    box: Box | None = None,
    warned: Callable[[], Sequence[str]] = tuple,
    on_frame: Callable[[int], None] = lambda done: None,
) -> Watched:
    """Say what a recording shows, frame by frame and as a whole; memory does not grow with its length.

    `box` is the ultrasound region within the frames, if it is not the region's own; `warned` tells, when all frames
    were read, what was found wrong meanwhile.

    Raises:
        UsageError: the network, or the backend, cannot answer in the recipe's mode; smoothing by an HMM is asked of a
            bundle without transitions.
        DamagedRecording: there is no frame.
    """
    card = bundle.card
    way = way_of(bundle.spec, recipe.run)
    seen_by = Predictor(card, backend, way, batch=recipe.run.batch)
    calibration = Calibration.from_dict(bundle.calibration, card.classes)
    builder = TimelineBuilder(shown.recording, card.classes, shown.fps, calibration)
    chooser = KeyFrameChooser(card.classes, card.protocol, recipe.keyframes, calibration)
    notes = []
    for count, seen in enumerate(seen_by.watch(frames, box or shown.region.box), start=1):
        builder.add(seen)
        chooser.add(seen)
        if seen.frame.note:
            notes.append(f"Frame {seen.frame.index}: {seen.frame.note}")
        on_frame(count)
    raw = builder.build()
    if not raw.n_frames:
        raise DamagedRecording("No frame could be read from it.", advice="Export it again from its source.")
    transitions = transitions_of(bundle)
    timeline = smooth(raw, recipe.smoothing, transitions)
    notes += filter(
        None, [seen_by.shortage(raw.n_frames), assumed_rate(shown.fps, recipe.smoothing, transitions)]
    )
    runs = segments(timeline)
    answer = recording_answer(
        timeline,
        leave_out=None if recipe.findings.background_is_a_view else card.background,
        calibration=calibration,
        precision=recipe.findings.precision,
        cautious=recipe.findings.cautious,
    )
    keyframes = tuple(
        replace(k, probability=float(timeline.probabilities[k.frame, card.classes.index(k.label)]))
        for k in chooser.choose(runs)
    )
    found = tuple(plane for plane in card.protocol if any(k.label == plane for k in keyframes))
    findings = Findings(
        recording=shown.recording,
        n_frames=timeline.n_frames,
        fps=shown.fps,
        classes=card.classes,
        background=card.background,
        label=answer.label,
        probability=answer.probability,
        segments=runs,
        keyframes=keyframes,
        found=found,
        missing=tuple(plane for plane in card.protocol if plane not in found),
        height=shown.height,
        width=shown.width,
        region=shown.region,
        facts=shown.facts,
        warnings=(*shown.warnings, *warned(), *notes, *answer.notes),
        bundle=bundle.name_record,
        backend=backend.name,
        precision=backend.precision,
        settings=_in_force(recipe, way),
        source_sha256=shown.source_sha256,
    )
    return Watched(findings=findings, timeline=timeline, raw=raw)


def _in_force(recipe: Recipe, way: Way) -> dict[str, Any]:
    """The settings that the findings hang on; those of clips only where the network sees any."""
    settings = recipe.model_dump(include={"region", "run", "smoothing", "findings", "keyframes"})
    settings["run"]["mode"] = way.mode
    if way.mode == "frame":
        for name in ("mode", "clip_length", "clip_step"):
            del settings["run"][name]
    return settings
