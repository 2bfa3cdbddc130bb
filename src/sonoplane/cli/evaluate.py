"""The command `evaluate`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from sonoplane.cli.flags import Answering, Backend, Split, Timelines, settings_of
from sonoplane.cli.words import Json, Recipe, print_json, print_line
from sonoplane.metrics.background_settings import BackgroundSettings

__all__ = ["evaluate"]


def evaluate(
    archive: str,
    /,
    *,
    bundle: Path,
    out: Path | None = None,
    split: Split = "test",
    task: str | None = None,
    mode: Literal["both", "clip", "dense"] = "both",
    backend: Backend = "auto",
    background: Literal["none", "share", "all"] = "all",
    background_frames: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    timelines: Timelines = 100,
    calibrate: Annotated[bool, Parameter(negative="")] = False,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    recipe: Recipe = None,
    as_json: Json = False,
    answering: Answering = None,
) -> int:
    """Measure how right a network is on the recordings of an archive.

    Parameters
    ----------
    archive
        A folder, or a URL, that `sonoplane prepare` made.
    bundle
        The trained model, or an ensemble.
    out
        Where the results go: `evaluation.html`, `evaluation.json`, tables and pictures.
    task
        Which of the archive's label tables; if not given, the only one, or that which the network was trained on.
    mode
        How a network that sees several frames at once is run; `both` measures it in both ways, first as it was
        trained.
    backend
        What runs the network; `auto` takes OpenVINO where it can answer, which is the fastest on a processor.
    background
        Whether the network reads what lies around the ultrasound, found out on some frames: `share` tells how much
        of what it looks at lies there, `all` also answers them with other backgrounds.
    background_frames
        How many frames of a recording are taken for that, at most; if not given, 4.
    calibrate
        First fit anew, on `--split validation`, how far the network's probabilities may be believed, run as it is told
        to be here, and keep that in the bundle. An evaluation follows only where --out is given.
    overwrite
        Replace an earlier evaluation that is there.
    """
    from sonoplane.errors import UsageError
    from sonoplane.models.bundle import Bundle
    from sonoplane.steps.evaluate import PAGE
    from sonoplane.steps.evaluate import evaluate as measure

    if out is None and not calibrate:
        raise UsageError("There is no place for the results.", advice="Name a folder with --out.")
    loaded = Bundle.load(bundle)
    few = None if background_frames is None else BackgroundSettings(frames=background_frames)
    settings = settings_of(loaded, recipe, None if mode == "both" else mode, answering, background=few)
    calibrated = None
    if calibrate:
        from sonoplane.steps.calibrate import calibrate as calibrate_on

        calibrated = calibrate_on(
            archive, bundle=loaded, recipe=settings, part=split, task=task, backend=backend
        )
        loaded = calibrated.bundle
        for line in () if as_json else calibrated.lines():
            print_line(line)
    told = {} if calibrated is None else {"calibration": calibrated.to_json()}
    if out is None:
        if as_json:
            print_json(told)
        return 1 if calibrated and calibrated.failures else 0
    evaluated = measure(
        archive,
        bundle=loaded,
        out=out,
        recipe=settings,
        part=split,
        task=task,
        backend=backend,
        modes="both" if mode == "both" else "one",
        background=background,
        timelines=timelines,
        overwrite=overwrite,
    )
    if as_json:
        print_json({**evaluated.to_json(), **told})
    else:
        for line in evaluated.lines():
            print_line(line)
        print_line(f"Open {out / PAGE}.")
    return 1 if evaluated.failures else 0
