"""Whether a network reads the background: how much of its look lies there, and whether other backgrounds mislead it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Int64

from sonoplane.errors import SonoplaneError
from sonoplane.inference.explaining import sight_of
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
from sonoplane.steps.background_run import BackgroundRun, Pictures
from sonoplane.steps.progress import progress

__all__ = ["BackgroundChoice", "Backgrounds", "look_at_background", "with_background"]

BackgroundChoice: TypeAlias = Literal["none", "share", "all"]
"""Nothing; how much of the network's look lies in the background; that, and answers with other backgrounds."""

#: No more than one frame in so many is looked at, so that it takes less than the answers do, in short recordings too;
#: where these come in one pass, fewer still, since here each takes a run of frames.
_ONE_IN = 20

_NONE = Shares(outside=0.0, text=0.0, border=0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Backgrounds:
    """What was found out."""

    looked: BackgroundMeasured | None
    """None where it could not be told, or there is no background."""
    control: Control | None
    """None where it was not asked for, there is no background, or nobody could lend one."""
    n_recordings: int
    n_frames: int
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sample:
    """One frame that is looked at."""

    recording: str
    patient: str
    frame: int
    target: int
    """The number of its class."""
    said: int
    """That of the class which the network named."""


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
    samples = _samples(answered, settings)
    names = list(dict.fromkeys(sample.recording for sample in samples))
    runs = _runs(answered)
    card = answered.network.bundle.card
    with progress("find the background", "recordings", len(names)) as tell:
        places = {}
        for count, name in enumerate(names, start=1):
            places[name] = places_of(answered.asked.store, name, card)
            tell(count, None)
    looked, control, notes = None, None, []
    if not any(each.background.any() for each in places.values()):
        notes.append(
            "Whether it reads the background is no question here: frames show nothing but ultrasound."
        )
    else:
        try:
            looked = _looked(answered, samples, runs, places)
        except SonoplaneError as error:
            notes.append(f"How much of what it looks at is background could not be found out: {error}")
        if choice == "all":
            control = _control(answered, samples, runs, places, settings.seed)
            if control is None:
                notes.append(
                    "Answers with other backgrounds could not be had: it takes two patients of each of two classes."
                )
    return Backgrounds(
        looked=looked, control=control, n_recordings=len(names), n_frames=len(samples), notes=tuple(notes)
    )


def with_background(
    pictures: Pictures, places: Places, lender: Pictures | None = None, lent: Places | None = None
) -> Pictures:
    """The same frames with all background black; or with another recording's, whose sector hides what it does not show.

    Where the lender has sector and the frames have background, black stays: no tissue of another patient comes in.
    """
    black = tuple(_where(places.background, np.zeros_like(picture), picture) for picture in pictures)
    if lender is None or lent is None:
        return black
    return tuple(
        _where(lent.background, _like(strange, picture), _like(picture, strange))
        for picture, strange in zip(black, lender, strict=True)
    )


def _samples(answered: Answered, settings: BackgroundSettings) -> list[_Sample]:
    """Labelled frames, evenly spread over recordings that are evenly spread."""
    asked, way = answered.asked, answered.network.way
    names = list(answered.watched)
    one_in = _ONE_IN * (sight_of(answered.network.bundle.spec, way).length if way.mode == "dense" else 1)
    made = []
    for name in (names[i] for i in _spread(len(names), settings.recordings)):
        labelled = np.flatnonzero(asked.targets[name] >= 0)
        most = min(settings.frames, max(1, len(labelled) // one_in))
        said = answered.watched[name].raw.probabilities.argmax(axis=1)
        made += [
            _Sample(
                recording=name,
                patient=asked.patient(name),
                frame=frame,
                target=int(asked.targets[name][frame]),
                said=int(said[frame]),
            )
            for frame in labelled[_spread(len(labelled), most)].tolist()
        ]
    return made


def _spread(n: int, most: int) -> Int64[np.ndarray, "chosen"]:
    """At most so many of n numbers, evenly spread, none of them at an end where there are more.

    >>> _spread(12, 3).tolist(), _spread(2, 4).tolist()
    ([2, 6, 10], [0, 1])
    """
    if n <= most:
        return np.arange(n)
    return ((np.arange(most) + 0.5) * n / most).astype(np.int64)


def _runs(answered: Answered) -> dict[int, BackgroundRun]:
    """Fold -> the network that answers it; 0 where one answers all."""
    network = answered.network
    pairs = (
        zip(network.bundle.members, network.members, strict=True)
        if network.members
        else [(network.bundle, network.backend)]
    )
    return {
        fold: BackgroundRun(bundle=bundle, backend=backend, run=network.recipe.run)
        for fold, (bundle, backend) in enumerate(pairs, start=1 if network.members else 0)
    }


def _looked(
    answered: Answered,
    samples: Sequence[_Sample],
    runs: Mapping[int, BackgroundRun],
    places: Mapping[str, Places],
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
    return measure_background(looks, asked.classes)


def _look_of(
    sample: _Sample, seen: Shares, picture: np.ndarray, places: Places, classes: Sequence[str]
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


def _run_for(sample: _Sample, runs: Mapping[int, BackgroundRun], answered: Answered) -> BackgroundRun:
    """The network that is asked about this frame."""
    return runs[0] if 0 in runs else runs[answered.asked.folds[sample.recording]]


def _control(
    answered: Answered,
    samples: Sequence[_Sample],
    runs: Mapping[int, BackgroundRun],
    places: Mapping[str, Places],
    seed: int,
) -> Control | None:
    """The frames that somebody can lend both backgrounds, answered four times."""
    lenders = _lenders(samples, seed)
    kept = [(sample, pair) for sample, pair in zip(samples, lenders, strict=True) if pair is not None]
    if not kept:
        return None
    store = answered.asked.store
    rows = []
    with progress("change the background", "frames", len(kept)) as tell:
        for count, (sample, pair) in enumerate(kept, start=1):
            run = _run_for(sample, runs, answered)
            plain, where = run.pictures(store, sample.recording, sample.frame), places[sample.recording]
            lent = [
                with_background(
                    plain, where, run.pictures(store, one.recording, one.frame), places[one.recording]
                )
                for one in pair
            ]
            rows.append(run.logits([plain, with_background(plain, where), *lent]))
            tell(count, None)
    asked = [sample for sample, _ in kept]
    answers = [_answers(asked, logits, answered) for logits in np.moveaxis(np.stack(rows), 0, 1)]
    return measure_control(
        **dict(zip(("plain", "blanked", "same", "other"), answers, strict=True)),
        lent=np.array([pair[1].target for _, pair in kept]),
    )


def _lenders(samples: Sequence[_Sample], seed: int) -> list[tuple[_Sample, _Sample] | None]:
    """For each frame, another patient's of the same class and one of another class; None where there is none."""
    dice = np.random.default_rng(seed)
    made: list[tuple[_Sample, _Sample] | None] = []
    for sample in samples:
        others = [one for one in samples if one.patient != sample.patient]
        same = [one for one in others if one.target == sample.target]
        other = [one for one in others if one.target != sample.target]
        draws = dice.random(2)
        pair = same and other and (same[int(draws[0] * len(same))], other[int(draws[1] * len(other))])
        made.append(pair or None)
    return made


def _answers(samples: Sequence[_Sample], logits: np.ndarray, answered: Answered) -> Answers:
    return answers_of(
        level="frame",
        classes=answered.asked.classes,
        targets=[sample.target for sample in samples],
        probabilities=softmax(logits),
        recordings=[sample.recording for sample in samples],
        patients=[sample.patient for sample in samples],
    )


def _where(mask: Bool[np.ndarray, "height width"], there: np.ndarray, elsewhere: np.ndarray) -> np.ndarray:
    return np.where(mask if there.ndim == 2 else mask[..., None], there, elsewhere)


def _like(picture: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A gray picture in color where the other has color."""
    return np.repeat(picture[..., None], 3, axis=2) if picture.ndim < other.ndim else picture
