"""From an archive to a bundle."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sonoplane.frames.archive import open_archive
from sonoplane.models.bundle import Bundle, check_place
from sonoplane.steps.learning import learn
from sonoplane.steps.material import read_material
from sonoplane.steps.recipe import Recipe, layered

__all__ = ["recipe_for", "train"]


def recipe_for(archive: Path | str, *layers: Mapping[str, Any]) -> Recipe:
    """The recipe of a training: what the archive was prepared for as its input, then the layers, later ones winning."""
    return layered({"input": open_archive(archive).settings.get("input", {})}, *layers)


def train(
    archive: Path | str,
    *,
    task: str,
    out: Path,
    recipe: Recipe,
    overwrite: bool = False,
    restart: bool = False,
) -> Bundle:
    """Train the recipe's network on one label table of an archive, and save it with how well it did.

    The weights kept are those of the best epoch. The test part is not touched. The bundle's recipe has the region and
    split settings and the layouts that the archive was prepared with, so that prediction cleans frames as `prepare`
    did. Until the bundle is whole, `<out>.training` beside it holds what is needed to go on after a stop; the same
    call then does, unless told to `restart`.

    Raises:
        UsageError: the archive has no such table, or was prepared for another input; `out` is not free; training
            diverged; it was begun with other settings.
        SplitError: a patient is in two parts, or near-duplicates are.
    """
    check_place(out, name=out.name, overwrite=overwrite)
    material = read_material(archive, task, recipe)
    return learn(
        material,
        material.parts,
        out=out,
        name=out.name,
        tracking=out.with_name(f"{out.name}.tracking"),
        recipe=recipe,
        overwrite=overwrite,
        restart=restart,
    )
