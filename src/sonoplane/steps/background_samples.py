"""Which frames are looked at, and whose backgrounds they are given."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from sonoplane.inference.explaining import sight_of
from sonoplane.metrics.background_settings import BackgroundSettings
from sonoplane.steps.answering import Answered

__all__ = ["Sample", "lenders_of", "samples_of"]

#: No more than one frame in so many is looked at, but one of each recording: it costs about as much as five answers. In
#: a dense run fewer still, since there each takes a run of frames.
_ONE_IN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One frame that is looked at."""

    recording: str
    patient: str
    frame: int
    target: int
    """The number of its class."""
    said: int
    """That of the class which the network named."""


def samples_of(answered: Answered, settings: BackgroundSettings) -> list[Sample]:
    """Labelled frames, evenly spread over recordings that are drawn."""
    asked, way = answered.asked, answered.network.way
    one_in = _ONE_IN * (sight_of(answered.network.bundle.spec, way).length if way.mode == "dense" else 1)
    made = []
    for name in _drawn(answered, settings):
        labelled = np.flatnonzero(asked.targets[name] >= 0)
        most = min(settings.frames, max(1, len(labelled) // one_in))
        said = answered.watched[name].raw.probabilities.argmax(axis=1)
        made += [
            Sample(
                recording=name,
                patient=asked.patient(name),
                frame=frame,
                target=int(asked.targets[name][frame]),
                said=int(said[frame]),
            )
            for frame in labelled[_spread(len(labelled), most)].tolist()
        ]
    return made


def _drawn(answered: Answered, settings: BackgroundSettings) -> list[str]:
    """Recordings by lot: class by class, by what most of their frames show, and patient by patient."""
    names, asked = list(answered.watched), answered.asked
    labels = {name: asked.targets[name][asked.targets[name] >= 0] for name in names}
    before: Counter[tuple[int, str]] = Counter()
    of_class: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for i in np.random.default_rng(settings.seed).permutation(len(names)).tolist():
        shown, patient = int(np.bincount(labels[names[i]], minlength=1).argmax()), asked.patient(names[i])
        of_class[shown].append((before[shown, patient], names[i]))
        before[shown, patient] += 1
    turns = [
        (turn, name)
        for mine in of_class.values()
        for turn, (_, name) in enumerate(sorted(mine, key=lambda one: one[0]))
    ]
    taken = {name for _, name in sorted(turns, key=lambda one: one[0])[: settings.recordings]}
    return [name for name in names if name in taken]


def _spread(n: int, most: int) -> Int64[np.ndarray, "chosen"]:
    """At most so many of n numbers, evenly spread, none of them at an end where there are more.

    >>> _spread(12, 3).tolist(), _spread(2, 4).tolist()
    ([2, 6, 10], [0, 1])
    """
    if n <= most:
        return np.arange(n)
    return ((np.arange(most) + 0.5) * n / most).astype(np.int64)


def lenders_of(samples: Sequence[Sample], seed: int) -> list[tuple[Sample, Sample] | None]:
    """For each frame, another patient's of the same class and one of another class; None where there is none."""
    dice = np.random.default_rng(seed)
    made: list[tuple[Sample, Sample] | None] = []
    for sample in samples:
        others = [one for one in samples if one.patient != sample.patient]
        same = [one for one in others if one.target == sample.target]
        other = [one for one in others if one.target != sample.target]
        draws = dice.random(2)
        pair = same and other and (same[int(draws[0] * len(same))], other[int(draws[1] * len(other))])
        made.append(pair or None)
    return made
