"""The command `train`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sonoplane.cli.words import Json, Overwrite, Recipe, given, print_json, print_line
from sonoplane.clips.windows_settings import WindowSettings
from sonoplane.training.settings import (
    AugmentationSettings,
    InputSettings,
    NetworkSettings,
    TrainingSettings,
)
from sonoplane.training.tracking_settings import TrackingSettings

__all__ = ["train"]


def train(
    archive: Path,
    /,
    *,
    task: str,
    out: Path,
    overwrite: Overwrite = False,
    restart: Annotated[bool, Parameter(negative="")] = False,
    recipe: Recipe = None,
    as_json: Json = False,
    network: NetworkSettings | None = None,
    network_input: Annotated[InputSettings | None, Parameter(name="--input")] = None,
    training: TrainingSettings | None = None,
    augmentation: AugmentationSettings | None = None,
    windows: WindowSettings | None = None,
    tracking: TrackingSettings | None = None,
) -> int:
    """Train a network on an archive and leave it as a bundle.

    Parameters
    ----------
    archive
        A folder that `sonoplane prepare` made.
    task
        Which of the archive's label tables to learn.
    out
        The bundle: a folder that is made.
    restart
        Begin anew where a training of this name was stopped; else it goes on.
    """
    from sonoplane.steps.recipe import read_recipe
    from sonoplane.steps.train import recipe_for
    from sonoplane.steps.train import train as run

    flags = {
        "network": network,
        "input": network_input,
        "training": training,
        "augmentation": augmentation,
        "windows": windows,
        "tracking": tracking,
    }
    settings = recipe_for(archive, read_recipe(recipe) if recipe else {}, given(flags))
    bundle = run(archive, task=task, out=out, recipe=settings, overwrite=overwrite, restart=restart)
    if as_json:
        print_json({"bundle": out.name, "sha256": bundle.sha256, "metrics": bundle.metrics})
    else:
        validation = (bundle.metrics or {})["validation"]
        name = next(key for key in validation if key.endswith("_accuracy"))
        print_line(f"Validation {name.replace('_', ' ')} {validation[name]['text']}. Bundle: {out}")
    return 0
