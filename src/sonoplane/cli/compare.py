"""The command `compare`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from sonoplane.cli.flags import Answering, Backend, Split, Timelines, settings_of
from sonoplane.cli.words import Json, Recipe, print_json, print_line

__all__ = ["compare"]


def compare(
    archive: str,
    /,
    *,
    bundle: list[Path],
    out: Path,
    split: Split = "test",
    task: str | None = None,
    mode: Literal["clip", "dense"] | None = None,
    backend: Backend = "auto",
    rounds: Annotated[int, Parameter(validator=Number(gte=1))] = 5,
    timelines: Timelines = 100,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    recipe: Recipe = None,
    as_json: Json = False,
    answering: Answering = None,
) -> int:
    """Measure several networks on the same recordings.

    Parameters
    ----------
    archive
        A folder, or a URL, that `sonoplane prepare` made; where networks have different inputs, with
        `--store.resolution source`.
    bundle
        A trained model, or an ensemble; say it once for each. The first is what the others are compared with.
    out
        Where the results go: `comparison.html`, `comparison.json`, tables and pictures.
    task
        Which of the archive's label tables; if not given, the only one, or that which the first network was trained on.
    mode
        How networks that see several frames at once are run; if not given, each as it was trained.
    backend
        What runs the networks; `auto` takes each one's fastest.
    rounds
        How often each network is timed, in turns with the others.
    overwrite
        Replace an earlier comparison that is there.
    """
    from sonoplane.models.bundle import Bundle
    from sonoplane.steps.compare import PAGE
    from sonoplane.steps.compare import compare as measure

    loaded = [Bundle.load(path) for path in bundle]
    compared = measure(
        archive,
        bundles=loaded,
        recipes=[settings_of(one, recipe, mode, answering) for one in loaded],
        out=out,
        part=split,
        task=task,
        backend=backend,
        rounds=rounds,
        timelines=timelines,
        overwrite=overwrite,
    )
    if as_json:
        print_json(compared.to_json())
    else:
        for line in compared.lines():
            print_line(line)
        print_line(f"Open {out / PAGE}.")
    return 1 if compared.failures else 0
