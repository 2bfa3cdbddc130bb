"""What the study trains, on what, and which differences it asks for: decided before any result was seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sonoplane.steps.recipe import Recipe, read_recipe
from sonoplane.steps.train import recipe_for

__all__ = ["FLOORS", "FULL", "SMOKE", "TASKS", "VARIANTS", "Comparison", "Plan", "Variant", "comparisons"]

#: The questions put to every video: task -> what it is in words.
TASKS = {
    "blines": "B-lines or none, as the data set's experts noted for each video",
    "zone": "which of six places on the chest, L1 to L3 and R1 to R3",
}

#: Left and right are classes of the zone: mirrored clips would be labelled wrong.
_NOT_MIRRORED = ("zone",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One way to make a network."""

    title: str
    network: str
    """A name of the registry."""
    planned_s: float
    """How long one training and its answers should take on two idle cores; only the time left is told by it."""
    fetal: bool = False
    """Whether it begins with the published fetal weights, inflated where it takes clips."""


#: The networks.
VARIANTS: Mapping[str, Variant] = {
    "2d": Variant(title="SonoNet-16 2D", network="sononet2d-16", planned_s=45),
    "3d": Variant(title="SonoNet-16 3D", network="sononet3d-16", planned_s=165),
    "2plus1d": Variant(title="SonoNet-16 (2+1)D", network="sononet2plus1d-16", planned_s=190),
    "2d-fetal": Variant(title="SonoNet-16 2D, fetal", network="sononet2d-16", planned_s=45, fetal=True),
    "3d-fetal": Variant(title="SonoNet-16 3D, fetal", network="sononet3d-16", planned_s=165, fetal=True),
    "2plus1d-fetal": Variant(
        title="SonoNet-16 (2+1)D, fetal", network="sononet2plus1d-16", planned_s=190, fetal=True
    ),
    "echo3dcnn": Variant(title="modular 3D CNN", network="echo3dcnn", planned_s=300),
}

#: What answers without a network: logistic regression on pixels of 32 x 32.
FLOORS = {
    "middle-frame": "floor: the middle frame",
    "mean-frame": "floor: the mean frame",
    "temporal": "floor: mean and deviation over time",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One difference that is asked for: the second minus the first."""

    question: str
    first: str
    second: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How large the study is."""

    n_folds: int = 5
    patients: int | None = None
    """So many of them, the first by name; None: all."""
    zones: tuple[str, ...] = ("L1", "L2", "L3", "R1", "R2", "R3")
    """The places on the chest whose videos are taken."""
    variants: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {task: tuple(VARIANTS) for task in TASKS}
    )
    """Task -> the networks that are trained for it."""
    size: int = 96
    """Rows and columns of the networks' input."""
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Recipe settings that differ from the files beside this one."""
    draws: int = 1000
    """Bootstrap samples of patients."""
    swaps: int = 4999
    """Ways of swapping two networks' answers that are tried."""

    @property
    def input(self) -> dict[str, dict[str, int]]:
        """The part of the recipe that the archive is prepared for."""
        return {"input": {"height": self.size, "width": self.size}}

    def jobs(self) -> list[tuple[str, str]]:
        """Every cross-validation: task, name of the variant."""
        return [(task, name) for task, names in self.variants.items() for name in names]

    def recipe(self, archive: Path, task: str, variant: str, fetal: Path) -> Recipe:
        """The recipe of one cross-validation."""
        made = VARIANTS[variant]
        here = Path(__file__).parent
        files = (
            [read_recipe(here / "sononet.toml")]
            if made.network.startswith("sononet")
            else [read_recipe(Path("echo-view-3dcnn")), read_recipe(here / "echo.toml")]
        )
        network: dict[str, Any] = {"name": made.network}
        if made.fetal:
            network["start"] = str(fetal)
        mirrored = {"augmentation": {"flip_horizontal": 0.0}} if task in _NOT_MIRRORED else {}
        return recipe_for(
            archive,
            *files,
            self.input,
            {"network": network},
            mirrored,
            self.changes,
        )


#: All of it.
FULL = Plan()

#: A few of the videos through the same code, to see that it runs; its figures say nothing.
SMOKE = Plan(
    n_folds=3,
    patients=6,
    zones=("L1", "R1"),
    variants={"blines": ("3d-fetal",), "zone": ("2d",)},
    size=32,
    changes={"training": {"epochs": 1, "every": 3, "workers": 0}, "windows": {"stride": 60}},
    draws=50,
    swaps=99,
)


def comparisons(networks: tuple[str, ...]) -> list[Comparison]:
    """The differences that are asked of these networks; p is corrected over those of one question.

    >>> [one.second for one in comparisons(("2d", "3d")) if one.question == "motion"]
    ['3d']
    """
    motion = [(f"2d{start}", f"{kind}{start}") for start in ("", "-fetal") for kind in ("3d", "2plus1d")]
    start = [(kind, f"{kind}-fetal") for kind in ("2d", "3d", "2plus1d")]
    floors = [(floor, network) for network in networks for floor in FLOORS]
    known = {*networks, *FLOORS}
    return [
        Comparison(question=question, first=first, second=second)
        for question, pairs in (("motion", motion), ("start", start), ("floors", floors))
        for first, second in pairs
        if {first, second} <= known
    ]
