"""What answers the same frames without the network: the commonest class, the mean frame, facts of the files."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Int64
from sklearn.model_selection import GroupKFold

from sonoplane.errors import SonoplaneError, UsageError
from sonoplane.metrics.answers import Answers, answers_of
from sonoplane.metrics.confounds import ConfoundAudit, Fact, audit_confounds
from sonoplane.metrics.floors import Floor, majority_floor, mean_frame_floor
from sonoplane.metrics.segments import Run, runs_of
from sonoplane.records import Image
from sonoplane.steps.asked import Asked

__all__ = ["COMMONEST", "audit", "floors"]

#: The floor that says the same of everything, so that it ranks nothing.
COMMONEST = "commonest class"

#: Frames of a run that make up its mean, evenly spread, at most.
_FRAMES = 16

#: Turns that patients take where no other part can be learned from.
_TURNS = 5

Place = tuple[str, Run]


def floors(asked: Asked, names: Sequence[str]) -> tuple[dict[str, Answers], list[str]]:
    """Answers for the frames of recordings by plain rules, and why some are missing.

    They learn from the archive's part `train`; where that was asked itself, patients take turns, by folds where there
    are any.
    """
    made: dict[str, Answers] = {}
    notes: list[str] = []
    for name, floor in {COMMONEST: _majority, "mean frame, no network": _mean_frame}.items():
        try:
            made[name] = _over(asked, names, floor)
        except SonoplaneError as error:
            notes.append(f"The floor “{name}” is missing: {error.message}")
    return made, notes


def audit(asked: Asked, names: Sequence[str]) -> tuple[ConfoundAudit | None, str]:
    """What facts of files tell of the classes of recordings, or of segments where these change; or why not."""
    learned = [] if asked.folds else list(asked.learnable)
    everyone = [*names, *learned]
    runs = [(name, run) for name in everyone for run in _units(asked, name)]
    try:
        return audit_confounds(
            {fact: [_FACTS[fact](asked, name) for name, _ in runs] for fact in _FACTS},
            classes=asked.classes,
            targets=[number for _, (_, _, number) in runs],
            recordings=[name for name, _ in runs],
            patients=[asked.patient(name) for name, _ in runs],
            tested=[name in set(names) for name, _ in runs] if learned else None,
            level="segment" if asked.has_runs else "recording",
        ), ""
    except UsageError as error:
        return None, f"Whether the files alone tell the classes could not be found out: {error.message}"


def _units(asked: Asked, name: str) -> list[Run]:
    """The labelled runs; of recordings with one class, one run."""
    runs = runs_of(asked.targets[name])
    if asked.has_runs:
        return runs
    return runs[:1]


def _rounds(asked: Asked, names: Sequence[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Recordings to learn from, and those to answer then."""
    if asked.folds:
        for fold in sorted({asked.folds[name] for name in names}):
            yield (
                [name for name in names if asked.folds[name] != fold],
                [name for name in names if asked.folds[name] == fold],
            )
    elif asked.learnable:
        yield list(asked.learnable), list(names)
    else:
        patients = [asked.patient(name) for name in names]
        turns = min(_TURNS, len(set(patients)))
        if turns < 2:
            raise UsageError("There is nobody else to learn from.", advice="Ask about more patients.")
        for learn, test in GroupKFold(turns).split(names, groups=patients):
            yield [names[i] for i in learn], [names[i] for i in test]


def _over(
    asked: Asked, names: Sequence[str], floor: Callable[[Asked, list[Place], list[Place]], Floor]
) -> Answers:
    """The answers of a floor to all frames; those of a run are alike, and a frame without a label gets none."""
    n = len(asked.classes)
    said = {name: np.full((len(asked.targets[name]), n), 1 / n) for name in names}
    for learn, test in _rounds(asked, names):
        places = [_places(asked, some) for some in (learn, test)]
        made = floor(asked, *places).probabilities
        for (name, (start, stop, _)), probabilities in zip(places[1], made, strict=True):
            said[name][start:stop] = probabilities
    lengths = [len(said[name]) for name in names]
    return answers_of(
        level="frame",
        classes=asked.classes,
        targets=np.concatenate([asked.targets[name] for name in names]),
        probabilities=np.concatenate([said[name] for name in names]),
        recordings=np.repeat(list(names), lengths),
        patients=np.repeat([asked.patient(name) for name in names], lengths),
    )


def _places(asked: Asked, names: Sequence[str]) -> list[Place]:
    return [(name, run) for name in names for run in runs_of(asked.targets[name])]


def _majority(asked: Asked, learn: list[Place], test: list[Place]) -> Floor:
    """By frames, as they are scored."""
    frames = np.repeat([run[2] for _, run in learn], [run[1] - run[0] for _, run in learn])
    return majority_floor(frames, _numbers(test), n_classes=len(asked.classes))


def _mean_frame(asked: Asked, learn: list[Place], test: list[Place]) -> Floor:
    return mean_frame_floor(
        (_some_frames(asked, *place) for place in learn), _numbers(learn),
        (_some_frames(asked, *place) for place in test), _numbers(test), n_classes=len(asked.classes),
    )  # fmt: skip


def _numbers(places: Sequence[Place]) -> Int64[np.ndarray, "runs"]:
    return np.array([number for _, (_, _, number) in places], dtype=np.int64)


def _some_frames(asked: Asked, name: str, run: Run) -> list[Image]:
    chosen = np.unique(np.linspace(run[0], run[1] - 1, _FRAMES).round().astype(int))
    return list(asked.store.read_frames(name, chosen.tolist()))


def _fact(name: str) -> Callable[[Asked, str], Fact]:
    def known(asked: Asked, recording: str) -> Fact:
        value: Fact = getattr(asked.store.entry(recording), name)
        return value

    return known


def _seconds(asked: Asked, recording: str) -> Fact:
    entry = asked.store.entry(recording)
    return entry.n_frames / entry.fps if entry.fps else None


#: What a file says of itself, by the name that a reader is told.
_FACTS: dict[str, Callable[[Asked, str], Fact]] = {
    "height": _fact("source_height"),
    "width": _fact("source_width"),
    "region's height": _fact("height"),
    "region's width": _fact("width"),
    "frames": _fact("n_frames"),
    "rate": _fact("fps"),
    "duration": _seconds,
    "color": _fact("color"),
    "container": _fact("container"),
    "codec": _fact("codec"),
    "scanner": _fact("scanner"),
    "layout": _fact("layout"),
    "centre": _fact("centre"),
}
