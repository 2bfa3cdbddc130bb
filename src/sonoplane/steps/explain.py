"""Say what recordings show, and where in their frames the network looked."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from sonoplane.errors import UsageError
from sonoplane.frames.cleaning import Frames
from sonoplane.inference.attribution import open_explainer
from sonoplane.inference.attribution_settings import AttributionSettings
from sonoplane.inference.backends import BackendChoice
from sonoplane.inference.explaining import Explainer, Method
from sonoplane.inference.localize import Localizer, can_localize
from sonoplane.inference.temporal_occlusion import TemporalOcclusion
from sonoplane.models.bundle import Bundle
from sonoplane.records import Findings, Recording, Timeline
from sonoplane.report.explanation import Explanation, Shown, explanation_html, show
from sonoplane.report.images import image_names
from sonoplane.steps.explaining_film import Film, film
from sonoplane.steps.explaining_keyframes import explained, numbers_of
from sonoplane.steps.explaining_maps import View, keeping, mapped
from sonoplane.steps.predict import Predicted, predict_all
from sonoplane.steps.recipe import Recipe

__all__ = ["Asked", "Which", "check_target", "explain", "explain_all", "explainer_of"]

Which: TypeAlias = Literal["keyframes", "all"]
#: What is put beside what `predict` leaves.
VIDEO, PAGE, MAPS = "overlay.mp4", "explanation.html", "maps"
#: Methods that run the network once forth and back for a map; the others run it tens or hundreds of times.
_QUICK: tuple[Method, ...] = ("guided-backprop", "grad-cam", "grad-cam++")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is to be explained, and how."""

    method: Method = "guided-backprop"
    target: str | None = None
    """The class; None: the one that each frame was given, the background left out."""
    frames: Which | None = None
    """Key frames only, or all frames, which make a video; None: all, but key frames where a map takes long."""
    attribution: AttributionSettings = field(default_factory=AttributionSettings)
    """How finely integrated gradients and occlusion look."""

    @property
    def all_frames(self) -> bool:
        """Whether each frame gets a map.

        >>> Asked().all_frames, Asked(method="occlusion").all_frames
        (True, False)
        """
        return self.method in _QUICK if self.frames is None else self.frames == "all"


def explain_all(
    paths: Sequence[Path],
    *,
    bundle: Bundle,
    out: Path,
    recipe: Recipe,
    asked: Asked | None = None,
    backend: BackendChoice = "auto",
    logits: bool = False,
    on_done: Callable[[Findings, Timeline], None] = lambda findings, timeline: None,
) -> Predicted:
    """Predict every recording below `paths`, as `predict_all` does, and put into its folder where the network looked.

    Raises:
        UsageError: as `predict_all`; the network has no such class, or cannot be explained by this method.
        MissingExtra: the method needs what is not installed.
    """
    asked = asked or Asked()
    check_target(asked.target, bundle)
    explainer = explainer_of(bundle, asked, recipe)
    mattered = TemporalOcclusion(bundle, recipe.run, choice=backend) if explainer.sight.length > 1 else None
    return predict_all(
        paths,
        bundle=bundle,
        out=out,
        recipe=recipe,
        backend=backend,
        logits=logits,
        on_done=on_done,
        more=partial(
            explain, bundle=bundle, explainer=explainer, mattered=mattered, recipe=recipe, asked=asked
        ),
    )


def check_target(target: str | None, bundle: Bundle) -> None:
    """Raise a UsageError where the network knows no such class."""
    if target is not None and target not in bundle.card.classes:
        raise UsageError(
            f"The network knows no class '{target}'.",
            advice=f"Its classes are: {', '.join(bundle.card.classes)}.",
        )


def explainer_of(bundle: Bundle, asked: Asked, recipe: Recipe) -> Explainer:
    """What tells how much each pixel counted; SonoNets and SmallNet need no PyTorch for guided back-propagation."""
    if asked.method == "guided-backprop" and can_localize(bundle):
        return Localizer(bundle, recipe.run, recipe.localization.precision)
    return open_explainer(bundle, asked.method, recipe.run, asked.attribution)


def explain(
    recording: Recording,
    findings: Findings,
    timeline: Timeline,
    folder: Path,
    *,
    bundle: Bundle,
    explainer: Explainer,
    mattered: TemporalOcclusion | None = None,
    recipe: Recipe,
    asked: Asked,
    on_frame: Callable[[int], None] = lambda done: None,
) -> Findings:
    """Read a recording again and put into `folder` where the network looked; gives the findings with their boxes.

    The findings are those of the same recording, since its region is taken from them. Memory does not grow with the
    recording's length, but for the boxes.
    """
    view = View(
        card=bundle.card,
        explainer=explainer,
        region=findings.region.box,
        blur=recipe.localization.blur,
        mattered=mattered,
    )
    wanted = {n for k in findings.keyframes for n in numbers_of(k.frame, timeline.n_frames, explainer.sight)}
    kept = dict[int, np.ndarray]()
    frames = keeping(Frames(recording=recording, region=findings.region).read(), wanted, kept, view)
    made: Film | None = None
    if asked.all_frames:
        seen = mapped(frames, _targets(timeline, findings.background, asked.target), view)
        made = film(folder / VIDEO, seen, findings, timeline, asked.target, on_frame)
    else:
        deque(islice(frames, max(wanted, default=-1) + 1), maxlen=0)  # read, and kept in passing
    shown = []
    (folder / MAPS).mkdir()
    for keyframe, name in zip(findings.keyframes, image_names(findings.keyframes), strict=True):
        one = explained(keyframe, timeline, asked.target, kept, view)
        shown.append(show(one, view.region, folder / MAPS / name))
        if made is None:  # the maps take long, not the frames
            on_frame(timeline.n_frames * len(shown) // len(findings.keyframes))
    notes = explainer.notes()
    page = Explanation(
        method=asked.method,
        notes=notes,
        target=asked.target,
        shown=tuple(shown),
        glimpses=made.glimpses if made else (),
        video=VIDEO if made else None,
    )
    (folder / PAGE).write_text(explanation_html(findings, page), encoding="utf-8")
    findings = replace(findings, warnings=(*findings.warnings, *notes))
    return _with_boxes(findings, shown if recipe.localization.keyframes else (), made, asked)


def _targets(timeline: Timeline, background: str | None, target: str | None) -> list[int | None]:
    """The number of the class that is explained in each frame."""
    if target is not None:
        return [timeline.classes.index(target)] * timeline.n_frames
    none = timeline.classes.index(background) if background is not None else None
    return [None if number == none else number for number in timeline.numbers.tolist()]


def _with_boxes(findings: Findings, shown: Sequence[Shown], made: Film | None, asked: Asked) -> Findings:
    """A key frame's box stays what it was where another class than its own was explained, or nothing is `shown`."""
    own = {one.frame: one.box for one in shown if one.target == one.label}
    keyframes = [replace(k, box=own[k.frame]) if k.frame in own else k for k in findings.keyframes]
    told: dict[str, object] = {
        "method": asked.method,
        "target": asked.target,
        "frames": "all" if asked.all_frames else "keyframes",
    }
    if any(keyframe.box and keyframe.frame not in own for keyframe in keyframes):
        told["other_keyframe_boxes"] = Localizer.method
    if asked.method not in _QUICK:
        told["attribution"] = asked.attribution.model_dump()
    return replace(
        findings,
        keyframes=tuple(keyframes),
        boxes=made.boxes if made else (),
        settings={**findings.settings, "explain": told},
    )
