"""Flags of the commands that run a bundle's network, and the settings that they lead to."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from cyclopts import Parameter
from cyclopts.validators import Number
from pydantic import BaseModel

from sonoplane.cli.words import fields_of, given
from sonoplane.frames.layouts_settings import LayoutSettings
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.inference.localization_settings import LocalizationSettings
from sonoplane.inference.settings import FindingsSettings, KeyFrameSettings, RunSettings
from sonoplane.inference.smoothing_settings import SmoothingSettings

if TYPE_CHECKING:
    from sonoplane.models.bundle import Bundle
    from sonoplane.steps.recipe import Recipe

__all__ = ["Answering", "Backend", "Cleaning", "Logits", "Mode", "Split", "Timelines", "settings_of"]

Backend: TypeAlias = Literal["auto", "openvino", "onnx", "torch"]
Mode = Annotated[
    Literal["clip", "dense"] | None,
    Parameter(
        help="How a network that sees several frames at once is run: a clip for every frame, or one pass over all of "
        "them; if not given, as it was trained. Networks of single frames answer the same in both."
    ),
]
Logits = Annotated[bool, Parameter(negative="", help="Also write the raw logits, to `logits.csv`.")]
Split = Annotated[
    Literal["train", "validation", "test", "all", "out-of-fold"],
    Parameter(
        help="The recordings to measure on; `out-of-fold`: each by the network of a cross-validation that never saw it."
    ),
]
Timelines = Annotated[
    int,
    Parameter(
        validator=Number(gte=0),
        help="How many recordings' timelines are drawn at most, the worst recordings first.",
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cleaning:
    region: RegionSettings | None = None
    layouts: LayoutSettings | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answering:
    run: RunSettings | None = None
    smoothing: SmoothingSettings | None = None
    findings: FindingsSettings | None = None
    keyframes: KeyFrameSettings | None = None
    localization: LocalizationSettings | None = None


Cleaning = Annotated[_Cleaning | None, Parameter(name="*")]
"""`--region.X` and `--layouts.X`."""
Answering = Annotated[_Answering | None, Parameter(name="*")]
"""`--run.X`, `--smoothing.X`, `--findings.X`, `--keyframes.X` and `--localization.X`."""


def settings_of(
    bundle: "Bundle",
    recipe: Path | None,
    mode: str | None,
    *flags: _Cleaning | _Answering | None,
    **sections: BaseModel | None,
) -> "Recipe":
    """How a bundle's network is run: as the bundle says, then a file of settings, then the flags.

    `sections` are flags of sections that only one command has.
    """
    from sonoplane.steps.recipe import layered, read_recipe

    return layered(
        bundle.recipe,
        read_recipe(recipe) if recipe else {},
        *(given(fields_of(one)) for one in flags if one),
        given(sections),
        {"run": {"mode": mode}} if mode else {},
    )
