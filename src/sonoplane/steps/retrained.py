"""Bundles that differ in nothing but the seed of their training are one method, trained several times."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sonoplane.metrics.seeds import OverSeeds, SeedsApart, over_seeds, seeds_apart
from sonoplane.models.bundle import Bundle
from sonoplane.report.cells import Cell
from sonoplane.report.grid import Column
from sonoplane.report.sections import Section
from sonoplane.steps.measuring import Measurement
from sonoplane.steps.recipe import layered
from sonoplane.steps.versus import NUMBERS

__all__ = ["Retrained", "methods_of", "retrained", "retrained_sections"]

#: Settings that make a method what it is; in those of `training` all but the free ones count.
_LEARNED: Any = {
    **dict.fromkeys(
        ("input", "subsample", "windows", "network", "augmentation", "calibration", "smoothing"), True
    ),
    "run": {"mode", "clip_length", "clip_step"},
}
_FREE = {"seed", "cache_gb", "workers"}

_MEANS = (
    Column(key="trainings", head="Trainings", form="text"),
    Column(key="n", head="Seeds", form="count"),
    *(Column(key=key, head=head) for key, head in NUMBERS.items()),
    Column(key="sd", head="Accuracy, SD", told="standard deviation between trainings."),
)
_APART = (
    Column(key="trainings", head="Trainings", form="text"),
    *(Column(key=key, head=head, form="difference") for key, head in NUMBERS.items()),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Retrained:
    """One method, trained with several seeds."""

    names: tuple[str, ...]
    """Of its networks."""
    numbers: Mapping[str, OverSeeds]
    against: Mapping[str, SeedsApart]
    """What it has over the first method that was trained several times; empty for that one."""

    @property
    def caution(self) -> str:
        """How far its trainings lie apart."""
        found = sorted(value for value in self.numbers["accuracy"].values if value is not None)
        return (
            f"Trained with {len(self.names)} seeds, {self.names[0]} reached accuracies of {found[0]:.2f} to"
            f" {found[-1]:.2f}: so much may one training be ahead of another by chance."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "trainings": list(self.names),
            "numbers": [one.to_json() for one in self.numbers.values()],
            "against_the_first": [one.to_json() for one in self.against.values()],
        }


def methods_of(bundles: Sequence[Bundle]) -> list[tuple[int, ...]]:
    """The places of those that are trainings of one method, for each that was trained with two seeds or more.

    Card, task, the archive's split, what was validated on, the number of folds, and the settings of learning, clips and
    smoothing must be the same; a seed that comes again counts once.
    """
    found: dict[str, dict[int, int]] = {}
    for place, bundle in enumerate(bundles):
        seed, metrics = bundle.recipe.get("training", {}).get("seed"), bundle.metrics or {}
        if seed is None or not {"task", "split"} <= metrics.keys():
            continue
        recipe = layered(bundle.recipe)
        settings = recipe.model_dump(include=_LEARNED, mode="json")
        training = recipe.training.model_dump(exclude=_FREE, mode="json")
        validated = (metrics.get("validation") or {}).get("labels")  # tells folds of one archive apart
        learned = [metrics["task"], metrics["split"], validated, len(bundle.members)]
        key = json.dumps([bundle.card.to_toml(), settings, training, learned], sort_keys=True)
        found.setdefault(key, {}).setdefault(seed, place)
    return [tuple(places.values()) for places in found.values() if len(places) > 1]


def retrained(measurements: Sequence[Measurement]) -> tuple[Retrained, ...]:
    """The methods among networks that answered the same frames, with chance in training as part of the doubt."""
    methods = [
        [measurements[place] for place in places]
        for places in methods_of([one.answered.network.bundle for one in measurements])
    ]
    frames = [[one.frames for one in method] for method in methods]
    return tuple(
        Retrained(
            names=tuple(one.name for one in method),
            numbers={one.number: one for one in over_seeds(mine, list(NUMBERS))},
            against={one.number: one for one in seeds_apart(frames[0], mine, list(NUMBERS))}
            if mine is not frames[0]
            else {},
        )
        for method, mine in zip(methods, frames, strict=True)
    )


def retrained_sections(methods: Sequence[Retrained]) -> tuple[Section, ...]:
    """Each method over its seeds, and what the others have over the first."""
    means = Section(
        title="Trained again with another seed",
        lead="Mean over trainings that differ in their seed alone, by frames. These intervals hold chance in patients"
        " and in training; all others are for the networks as they are. From two or three trainings, chance in"
        " training is hardly known.",
        columns=_MEANS,
        rows=tuple(
            {
                "trainings": Cell(value=", ".join(one.names)),
                "n": Cell(value=len(one.names)),
                **{key: Cell.of(number.mean) for key, number in one.numbers.items()},
                "sd": Cell(value=one.numbers["accuracy"].sd),
            }
            for one in methods
        ),
    )
    others = [one for one in methods if one.against]
    if not others:
        return (means,)
    apart = Section(
        title=f"Against {', '.join(methods[0].names)}",
        lead="The mean over a method’s trainings minus that over the first method’s: what may be said of methods, not"
        " of these networks alone.",
        columns=_APART,
        rows=tuple(
            {
                "trainings": Cell(value=", ".join(one.names)),
                **{key: Cell.of(found.difference) for key, found in one.against.items()},
            }
            for one in others
        ),
    )
    return means, apart
