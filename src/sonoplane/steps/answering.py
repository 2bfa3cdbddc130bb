"""A network answers every recording it is asked about, on the way that `predict` takes; a bad one is listed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from sonoplane.errors import UsageError
from sonoplane.inference.backends import Backend, BackendChoice, EnsembleBackend, open_backend
from sonoplane.inference.timeline import softmax
from sonoplane.inference.ways import Mode, Way, way_of
from sonoplane.metrics.answers import Answers, frame_answers
from sonoplane.models.bundle import Bundle
from sonoplane.records import Timeline
from sonoplane.report.folder import Failure
from sonoplane.report.held_out import HeldOut
from sonoplane.steps.archived import watch_archived
from sonoplane.steps.asked import Asked
from sonoplane.steps.failures import failure_of
from sonoplane.steps.progress import progress, say
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.watching import Watched

__all__ = ["Answered", "Network", "answer", "networks_of", "other_modes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """A bundle with the settings and the backend that it is run with."""

    name: str
    """As pages call it."""
    bundle: Bundle
    recipe: Recipe
    backend: Backend = field(repr=False)
    choice: BackendChoice = "auto"
    members: tuple[Backend, ...] = field(default=(), repr=False)
    """Of each fold of a cross-validation, where each answers what it never saw."""

    @property
    def way(self) -> Way:
        """How it goes through time."""
        return way_of(self.bundle.spec, self.recipe.run)

    def told(self) -> str:
        """Its way in words."""
        way = self.way
        if way.mode == "frame":
            return "frame by frame"
        step = f", every {way.step} frames" if way.step > 1 else ""
        if way.mode == "dense":
            return f"dense: all frames in one pass{step}"
        return f"clip: each frame from the {way.length} frames that end with it{step}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What one network said."""

    network: Network
    asked: Asked
    watched: Mapping[str, Watched] = field(repr=False)
    """Recording -> what was said of it; pictures of key frames are dropped."""
    failures: tuple[Failure, ...] = ()

    def only(self, names: Sequence[str]) -> "Answered":
        """Of these recordings alone."""
        return replace(self, watched={name: self.watched[name] for name in names})

    def frames(self) -> Answers:
        """Every frame, as it is told: smoothed."""
        return self._rows(lambda watched: watched.timeline)

    def raw_frames(self) -> Answers:
        """Every frame, calibrated, not smoothed."""
        return self._rows(lambda watched: watched.raw)

    def own_frames(self) -> Answers:
        """Every frame with the network's own probabilities, neither calibrated nor smoothed."""
        return self._rows(
            lambda watched: replace(watched.raw, probabilities=softmax(watched.raw.logits), path=None)
        )

    def held_out(self) -> list[HeldOut]:
        """For the tables of answers."""
        return [
            HeldOut(
                timeline=watched.timeline,
                targets=self.asked.targets[name],
                label=watched.findings.label,
                fold=self.asked.folds.get(name),
                patient=self.asked.store.entry(name).patient,
                left_out=self.asked.leave_out,
            )
            for name, watched in self.watched.items()
        ]

    def _rows(self, chosen: Callable[[Watched], Timeline]) -> Answers:
        return frame_answers(
            (chosen(watched), self.asked.targets[name], self.asked.patient(name))
            for name, watched in self.watched.items()
        )


def networks_of(
    bundles: Sequence[Bundle], recipes: Sequence[Recipe], choice: BackendChoice, *, by_fold: bool
) -> list[Network]:
    """The bundles made ready, with names that differ.

    Raises:
        UsageError, BundleError, MissingExtra: as `open_backend`.
    """
    names: list[str] = []
    for bundle in bundles:
        same = sum(name == bundle.name or name.startswith(f"{bundle.name} (") for name in names)
        names.append(f"{bundle.name} ({same + 1})" if same else bundle.name)
    backends = [
        open_backend(bundle, choice, recipe.run) for bundle, recipe in zip(bundles, recipes, strict=True)
    ]
    return [
        Network(
            name=name,
            bundle=bundle,
            recipe=recipe,
            choice=choice,
            backend=backend,
            members=_members(backend) if by_fold else (),
        )
        for name, bundle, recipe, backend in zip(names, bundles, recipes, backends, strict=True)
    ]


def other_modes(network: Network) -> tuple[list[Network], list[str]]:
    """The same network run in the other way, where it has one; and why it could not be."""
    spec, now = network.bundle.spec, network.way.mode
    other: dict[Mode, Mode] = {"clip": "dense", "dense": "clip"}
    if not (spec.takes_clips and spec.dense) or spec.causal or now not in other:
        return [], []
    run = network.recipe.run.model_copy(update={"mode": other[now]})
    recipe = network.recipe.model_copy(update={"run": run})
    try:
        backend = open_backend(network.bundle, network.choice, run)
    except UsageError as error:
        return [], [f"It was not run in the other way ({other[now]}): {error}"]
    members = _members(backend) if network.members else ()
    return [replace(network, recipe=recipe, backend=backend, members=members)], []


def _members(backend: Backend) -> tuple[Backend, ...]:
    """Those of an ensemble, in the precision that all of them answer in."""
    return backend.members if isinstance(backend, EnsembleBackend) else ()


def answer(network: Network, asked: Asked) -> Answered:
    """Answer every recording; one that cannot be is listed, and the others go on.

    Raises:
        UsageError: none could be answered.
    """
    watched: dict[str, Watched] = {}
    failures: list[Failure] = []
    n_frames = sum(entry.n_frames for entry in asked.entries)
    before, first = 0, None
    with progress(f"{network.name}, {network.way.mode}", "frames", n_frames) as tell:
        for name in asked.names:
            bundle, backend = network.bundle, network.backend
            if network.members:
                fold = asked.folds[name] - 1
                bundle, backend = bundle.members[fold], network.members[fold]
            try:
                seen = watch_archived(
                    asked.store,
                    name,
                    bundle=bundle,
                    backend=backend,
                    recipe=network.recipe,
                    on_frame=partial(_tell_more, tell, before),
                )
                watched[name] = _in_order(seen, asked.classes)
            except Exception as error:
                failure = failure_of(name, error)
                failures.append(failure)
                say(f"{name}: {failure.reason} {failure.what_to_do}")
                first = first or error
            before += asked.store.entry(name).n_frames
    if not watched:
        if isinstance(first, UsageError):
            raise first
        raise UsageError(
            f"None of {len(failures)} recordings could be answered: {failures[0].reason}",
            advice=failures[0].what_to_do,
        ) from first
    return Answered(network=network, asked=asked, watched=watched, failures=tuple(failures))


def _tell_more(tell: Callable[[int, int | None], None], before: int, done: int, total: int) -> None:
    """So many frames of a recording are done, after those of the recordings before it."""
    tell(before + done, None)


def _in_order(seen: Watched, classes: tuple[str, ...]) -> Watched:
    """The same with the classes in another order, and without the pictures of key frames."""
    keyframes = tuple(replace(key, image=key.image[:0]) for key in seen.findings.keyframes)
    return Watched(
        findings=replace(seen.findings, keyframes=keyframes, classes=classes),
        timeline=_reordered(seen.timeline, classes),
        raw=_reordered(seen.raw, classes),
    )


def _reordered(timeline: Timeline, classes: tuple[str, ...]) -> Timeline:
    if timeline.classes == classes:
        return timeline
    place = [timeline.classes.index(name) for name in classes]
    number = np.array([classes.index(name) for name in timeline.classes])
    return replace(
        timeline,
        classes=classes,
        logits=timeline.logits[:, place],
        probabilities=timeline.probabilities[:, place],
        path=None if timeline.path is None else number[timeline.path],
    )
