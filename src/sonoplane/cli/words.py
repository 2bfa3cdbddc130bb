"""What commands have in common: how settings are given, and how results are printed."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from pydantic import BaseModel

if TYPE_CHECKING:
    from sonoplane.models.bundle import Bundle
    from sonoplane.steps.recipe import Recipe as Settings

__all__ = ["Json", "Overwrite", "Recipe", "fields_of", "given", "print_json", "print_line", "settings_of"]

Recipe = Annotated[
    Path | None,
    Parameter(help="A TOML file of settings, or the name of a recipe that comes along; flags win over it."),
]
Overwrite = Annotated[bool, Parameter(negative="", help="Replace a bundle that is there.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON.")]


def given(flags: Mapping[str, BaseModel | None]) -> dict[str, Any]:
    """What was said on the command line, and nothing else, as a layer of a recipe."""
    return {
        section: model.model_dump(include=model.model_fields_set)
        for section, model in flags.items()
        if model is not None
    }


def settings_of(
    bundle: "Bundle", recipe: Path | None, flags: Mapping[str, BaseModel | None], mode: str | None
) -> "Settings":
    """How a bundle's network is run: as the bundle says, then a file of settings, then the flags."""
    from sonoplane.steps.recipe import layered, read_recipe

    return layered(
        bundle.recipe,
        read_recipe(recipe) if recipe else {},
        given(flags),
        {"run": {"mode": mode}} if mode else {},
    )


def fields_of(record: Any) -> dict[str, Any]:
    """A flat record of plain values, for JSON."""
    return {name: getattr(record, name) for name in record.__slots__}


def print_line(line: str) -> None:
    """One line of a result."""
    sys.stdout.write(f"{line}\n")


def print_json(result: Any) -> None:
    """A result for a program."""
    sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
