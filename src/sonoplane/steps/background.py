"""Whether a network reads the background: how much of its look lies there, and whether other backgrounds mislead it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

from sonoplane.inference.timeline import softmax
from sonoplane.metrics.answers import Answers, answers_of
from sonoplane.metrics.background import (
    BackgroundMeasured,
    FrameLook,
    Places,
    Shares,
    contrast,
    measure_background,
    shares,
)
from sonoplane.metrics.background_control import Control, measure_control
from sonoplane.metrics.background_settings import BackgroundSettings
from sonoplane.steps.answering import Answered
from sonoplane.steps.background_places import places_of
from sonoplane.steps.background_run import BackgroundRun
from sonoplane.steps.background_samples import Sample, lenders_of, samples_of
from sonoplane.steps.background_swaps import changed, versions_of
from sonoplane.steps.failures import failure_of
from sonoplane.steps.progress import progress

__all__ = ["BackgroundChoice", "Backgrounds", "look_at_background"]

BackgroundChoice: TypeAlias = Literal["none", "share", "all"]
"""Nothing; how much of the network's look lies in the background; that, and answers with other backgrounds."""

T = TypeVar("T")

#: The share of a frame's pixels from which on a change can matter, and of frames that must be changed.
_LEAST_PIXELS, _LEAST_FRAMES = 0.001, 0.1

_NONE = Shares(outside=0.0, text=0.0, border=0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Backgrounds:
    """What was found out."""

    looked: BackgroundMeasured | None
    """None where it could not be told, or there is no background."""
    control: Control | None
    """None where it was not asked for, there is no background, or none that could mislead could be lent."""
    n_recordings: int
    """Drawn to be looked at."""
    n_frames: int
    """Likewise."""
    notes: tuple[str, ...] = ()
    """Why something is missing, a sentence each."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "n_recordings": self.n_recordings,
            "n_frames": self.n_frames,
            "looked": None if self.looked is None else self.looked.to_json(),
            "control": None if self.control is None else self.control.to_json(),
            "notes": list(self.notes),
        }


def look_at_background(
    answered: Answered, choice: BackgroundChoice, settings: BackgroundSettings | None = None
) -> Backgrounds | None:
    """Look at some labelled frames of the answered recordings; None where nothing is asked for.

    How much of the look is background is told by guided back-propagation from the class that was named. The control
    answers the same frames with a black background, and with those of other patients' frames of the same class and of
    another. What cannot be had is told in the notes.
    """
    if choice == "none":
        return None
    settings = settings or BackgroundSettings()
    samples, runs, notes = samples_of(answered, settings), _runs(answered), list[str]()
    looked, control = None, None
    places = _tried("Where the background is", notes, lambda: _places(answered, samples))
    if places and not any(each.background.any() for each in places.values()):
        notes.append(
            "Whether it reads the background is no question here: frames show nothing but ultrasound."
        )
    elif places:
        looked = _tried(
            "How much of what it looks at is background",
            notes,
            lambda: _looked(answered, samples, runs, places, notes),
        )
        if choice == "all":
            control = _tried(
                "What it answers with other backgrounds",
                notes,
                lambda: _control(answered, samples, runs, places, settings.seed, notes),
            )
    return Backgrounds(
        looked=looked,
        control=control,
        n_recordings=len(places or ()),
        n_frames=len(samples),
        notes=tuple(notes),
    )


def _tried(what: str, notes: list[str], find_out: Callable[[], T]) -> T | None:
    """It, or a note: what is beside the measurement never ends it."""
    try:
        return find_out()
    except Exception as error:
        failure = failure_of("The look at the background", error)
        notes.append(f"{what} could not be found out: {failure.reason} {failure.what_to_do}".rstrip())
        return None


def _places(answered: Answered, samples: Sequence[Sample]) -> dict[str, Places]:
    names = list(dict.fromkeys(sample.recording for sample in samples))
    places = {}
    with progress("find the background", "recordings", len(names)) as tell:
        for count, name in enumerate(names, start=1):
            places[name] = places_of(answered.asked.store, name, answered.network.bundle.card)
            tell(count, None)
    return places


def _runs(answered: Answered) -> dict[int, BackgroundRun]:
    """Fold -> the network that answers it; 0 where one answers all."""
    network = answered.network
    precision = network.recipe.localization.precision
    pairs = (
        zip(network.bundle.members, network.members, strict=True)
        if network.members
        else [(network.bundle, network.backend)]
    )
    return {
        fold: BackgroundRun(bundle=bundle, backend=backend, run=network.recipe.run, precision=precision)
        for fold, (bundle, backend) in enumerate(pairs, start=1 if network.members else 0)
    }


def _looked(
    answered: Answered,
    samples: Sequence[Sample],
    runs: Mapping[int, BackgroundRun],
    places: Mapping[str, Places],
    notes: list[str],
) -> BackgroundMeasured | None:
    asked = answered.asked
    looks = []
    with progress("look at the background", "frames", len(samples)) as tell:
        for count, sample in enumerate(samples, start=1):
            run = _run_for(sample, runs, answered)
            where = places[sample.recording]
            pictures = run.pictures(asked.store, sample.recording, sample.frame)
            seen = shares(run.maps(pictures, sample.said)[run.sight.place], where)
            if seen is not None:
                looks.append(_look_of(sample, seen, pictures[run.sight.place], where, asked.classes))
            tell(count, None)
    if dropped := len(samples) - len(looks):
        notes.append(
            f"{dropped} of {len(samples)} frames tell nothing of where it looks: they have no background, or nothing"
            " in them counted."
        )
    return measure_background(looks, asked.classes)


def _look_of(
    sample: Sample, seen: Shares, picture: np.ndarray, places: Places, classes: Sequence[str]
) -> FrameLook:
    return FrameLook(
        recording=sample.recording,
        patient=sample.patient,
        said=classes[sample.said],
        right=sample.said == sample.target,
        seen=seen,
        area=shares(np.ones(places.border.shape, np.float32), places) or _NONE,
        contrast=shares(contrast(picture), places) or _NONE,
    )


def _run_for(sample: Sample, runs: Mapping[int, BackgroundRun], answered: Answered) -> BackgroundRun:
    """The network that is asked about this frame."""
    return runs[0] if 0 in runs else runs[answered.asked.folds[sample.recording]]


def _control(
    answered: Answered,
    samples: Sequence[Sample],
    runs: Mapping[int, BackgroundRun],
    places: Mapping[str, Places],
    seed: int,
    notes: list[str],
) -> Control | None:
    """The frames that somebody can lend two backgrounds that differ, answered four times."""
    kept, rows, shares_changed, n_asked = [], [], [], 0
    with progress("change the background", "frames", len(samples)) as tell:
        for count, (sample, pair) in enumerate(zip(samples, lenders_of(samples, seed), strict=True), start=1):
            tell(count, None)
            if pair is None:
                continue
            n_asked += 1
            run = _run_for(sample, runs, answered)
            versions = versions_of(answered.asked.store, run, sample, pair, places)
            share = [changed(versions[i], versions[j], run.sight.place) for i, j in ((0, 1), (0, 2), (2, 3))]
            if share[-1] >= _LEAST_PIXELS:
                kept.append((sample, pair))
                shares_changed.append(share)
                rows.append(run.logits(versions))
    if not n_asked:
        notes.append(
            "Answers with other backgrounds could not be had: it takes two patients of each of two classes."
        )
        return None
    if len(kept) < _LEAST_FRAMES * n_asked:
        notes.append(
            "Answers with other backgrounds tell nothing here: what lies around the ultrasound looks alike in all"
            f" classes (backgrounds that differ could be given to {len(kept)} of {n_asked} frames)."
        )
        return None
    asked = [sample for sample, _ in kept]
    answers = [_answers(asked, logits, answered) for logits in np.moveaxis(np.stack(rows), 0, 1)]
    return measure_control(
        **dict(zip(("plain", "blanked", "same", "other"), answers, strict=True)),
        lent=np.array([pair[1].target for _, pair in kept]),
        changed=dict(
            zip(("blanked", "same", "other"), np.mean(shares_changed, axis=0).tolist(), strict=True)
        ),
        n_asked=n_asked,
    )


def _answers(samples: Sequence[Sample], logits: np.ndarray, answered: Answered) -> Answers:
    return answers_of(
        level="frame",
        classes=answered.asked.classes,
        targets=[sample.target for sample in samples],
        probabilities=softmax(logits),
        recordings=[sample.recording for sample in samples],
        patients=[sample.patient for sample in samples],
    )
