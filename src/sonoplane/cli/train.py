"""The command `train`."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from sonoplane.cli.words import Json, Overwrite, Recipe, given, print_json, print_line
from sonoplane.clips.windows_settings import WindowSettings
from sonoplane.errors import UsageError
from sonoplane.metrics.calibration_settings import CalibrationSettings
from sonoplane.training.settings import (
    AugmentationSettings,
    InputSettings,
    NetworkSettings,
    TrainingSettings,
)
from sonoplane.training.tracking_settings import TrackingSettings

__all__ = ["train"]


def train(
    archive: str,
    /,
    *,
    task: str,
    out: Path,
    overwrite: Overwrite = False,
    restart: Annotated[bool, Parameter(negative="")] = False,
    folds: int | None = None,
    preview: Annotated[Path | None, Parameter(negative="")] = None,
    recipe: Recipe = None,
    as_json: Json = False,
    network: NetworkSettings | None = None,
    network_input: Annotated[InputSettings | None, Parameter(name="--input")] = None,
    training: TrainingSettings | None = None,
    augmentation: AugmentationSettings | None = None,
    windows: WindowSettings | None = None,
    tracking: TrackingSettings | None = None,
    calibration: CalibrationSettings | None = None,
) -> int:
    """Train a network on an archive and leave it as a bundle.

    Parameters
    ----------
    archive
        A folder, or a URL, that `sonoplane prepare` made.
    task
        Which of the archive's label tables to learn.
    out
        The bundle: a folder that is made.
    restart
        Begin anew where a training of this name was stopped; else it goes on.
    folds
        Cross-validate: share out the patients outside the test part between so many folds, train a network for each on
        the others (the next fold chooses the epoch), and leave all of them as an ensemble, with the answers of each to
        its own fold in `out_of_fold.csv`.
    preview
        Train nothing: write this PNG of training clips, as they are and varied, and tell what training would be.
    """
    from sonoplane.steps.folds import train_folds
    from sonoplane.steps.preview import preview as show
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
        "calibration": calibration,
    }
    settings = recipe_for(archive, read_recipe(recipe) if recipe else {}, given(flags))
    if preview is not None and folds is not None:
        raise UsageError(
            "A preview is of one training, not of folds.", advice="Leave out --folds or --preview."
        )
    if preview is not None:
        told = show(archive, task=task, recipe=settings, out=preview)
        if as_json:
            print_json(told.to_json())
        else:
            for line in (*told.lines(), f"Sheet: {preview}"):
                print_line(line)
        return 0
    if folds is None:
        bundle = run(archive, task=task, out=out, recipe=settings, overwrite=overwrite, restart=restart)
    else:
        bundle = train_folds(
            archive, task=task, out=out, n_folds=folds, recipe=settings, overwrite=overwrite, restart=restart
        )
    if as_json:
        print_json({"bundle": out.name, "sha256": bundle.sha256, "metrics": bundle.metrics})
    else:
        part = "validation" if folds is None else "out_of_fold"
        print_line(f"{_told(part, (bundle.metrics or {})[part])} Bundle: {out}")
    return 0


def _told(part: str, figures: dict[str, Any]) -> str:
    """What was measured there, in words; of recordings, where they have labels of their own."""
    names = [name for name in figures if name.endswith("_accuracy")]
    each = ", ".join(f"{name.replace('_', ' ')} {figures[name]['text']}" for name in names)
    return f"{part.replace('_', '-').capitalize()} {each}."
