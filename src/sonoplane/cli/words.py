"""What commands have in common: how settings are given, and how results are printed."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import BaseModel

__all__ = ["Json", "Overwrite", "Recipe", "fields_of", "given", "print_json", "print_line"]

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


def fields_of(record: Any) -> dict[str, Any]:
    """A flat record of plain values, for JSON."""
    return {name: getattr(record, name) for name in record.__slots__}


def print_line(line: str) -> None:
    """One line of a result."""
    sys.stdout.write(f"{line}\n")


def print_json(result: Any) -> None:
    """A result for a program."""
    sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
