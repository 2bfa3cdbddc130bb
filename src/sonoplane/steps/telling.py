"""What was seen of a recording, frame by frame, becomes its findings."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sonoplane.inference.backends import Backend, precision_of
from sonoplane.inference.keyframes import KeyFrameChooser, Locate
from sonoplane.inference.timeline import recording_answer, segments
from sonoplane.inference.ways import Way, way_of
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.models.bundle import Bundle
from sonoplane.records import Facts, Findings, Region, Timeline
from sonoplane.steps.recipe import Recipe

__all__ = ["Shown", "findings_of"]


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


def findings_of(
    shown: Shown,
    timeline: Timeline,
    chooser: KeyFrameChooser,
    *,
    bundle: Bundle,
    backend: Backend,
    recipe: Recipe,
    locate: Locate | None = None,
    notes: Sequence[str] = (),
) -> Findings:
    """The findings of a timeline, as it is told, whose frames the chooser has seen.

    `locate` says where key frames show their planes; `notes` join the warnings.
    """
    card = bundle.card
    runs = segments(timeline)
    way = way_of(bundle.spec, recipe.run)
    calibration = Calibration.from_dict(bundle.calibration, card.classes)
    answer = recording_answer(
        timeline,
        leave_out=None if recipe.findings.background_is_a_view else card.background,
        calibration=calibration,
        precision=recipe.findings.precision,
        cautious=recipe.findings.cautious,
    )
    keyframes = tuple(
        replace(k, probability=float(timeline.probabilities[k.frame, card.classes.index(k.label)]))
        for k in chooser.choose(runs, locate)
    )
    found = tuple(plane for plane in card.protocol if any(k.label == plane for k in keyframes))
    return Findings(
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
        warnings=(*shown.warnings, *notes, *answer.notes, *filter(None, [calibration.elsewhere(way.mode)])),
        bundle=bundle.name_record,
        backend=backend.name,
        precision=precision_of(backend, timeline.n_frames),
        settings=_in_force(recipe, way, backend.precision),
        source_sha256=shown.source_sha256,
    )


def _in_force(recipe: Recipe, way: Way, precision: str) -> dict[str, Any]:
    """The settings that the findings hang on; those of clips only where the network sees any."""
    settings = recipe.model_dump(
        include={"region", "run", "smoothing", "findings", "keyframes", "localization"}
    )
    settings["run"] |= {"mode": way.mode, "precision": precision}
    if way.mode != "dense":
        del settings["run"]["piece"]
    if settings["run"]["device"] == "auto":  # where it computed stands beside the backend's name
        del settings["run"]["device"]
    if way.mode == "frame":
        for name in ("mode", "clip_length", "clip_step"):
            del settings["run"][name]
    return settings
