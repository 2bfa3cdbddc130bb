"""From cleaned frames to findings: the one way that a source file and a recording of an archive both take."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sonoplane.errors import DamagedRecording
from sonoplane.inference.backends import Backend
from sonoplane.inference.keyframes import KeyFrameChooser
from sonoplane.inference.predictor import Predictor
from sonoplane.inference.smoothing import assumed_rate, smooth
from sonoplane.inference.smoothing_transitions import transitions_of
from sonoplane.inference.timeline import TimelineBuilder
from sonoplane.inference.ways import way_of
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.models.bundle import Bundle
from sonoplane.records import Box, Findings, Frame, Timeline
from sonoplane.steps.locating import Locator
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.telling import Shown, findings_of

__all__ = ["Watched", "watch"]


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
    locator: Locator | None = None,
    warned: Callable[[], Sequence[str]] = tuple,
    on_frame: Callable[[int], None] = lambda done: None,
) -> Watched:
    """Say what a recording shows, frame by frame and as a whole; memory does not grow with its length.

    `box` is the ultrasound region within the frames, if it is not the region's own. `locator` says where key frames
    show their planes. `warned` tells, when all frames were read, what was found wrong meanwhile.

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
    within = box or shown.region.box
    chooser = KeyFrameChooser(
        card.classes, card.protocol, recipe.keyframes, calibration, locator.sight if locator else None
    )
    notes = []
    for count, seen in enumerate(seen_by.watch(frames, within), start=1):
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
    findings = findings_of(
        shown,
        timeline,
        chooser,
        bundle=bundle,
        backend=backend,
        recipe=recipe,
        locate=locator.within(within) if locator else None,
        notes=(*warned(), *notes),
    )
    return Watched(findings=findings, timeline=timeline, raw=raw)
