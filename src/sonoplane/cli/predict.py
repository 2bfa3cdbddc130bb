"""The command `predict`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sonoplane.cli.flags import Answering, Backend, Cleaning, settings_of
from sonoplane.cli.predicted import print_predicted
from sonoplane.cli.words import Json, Recipe

__all__ = ["predict"]


def predict(
    recordings: list[Path],
    /,
    *,
    bundle: Path,
    out: Path,
    mode: Literal["clip", "dense"] | None = None,
    backend: Backend = "auto",
    logits: Annotated[bool, Parameter(negative="")] = False,
    recipe: Recipe = None,
    as_json: Json = False,
    cleaning: Cleaning = None,
    answering: Answering = None,
) -> int:
    """Say what recordings show, and hand over the frames worth seeing.

    Parameters
    ----------
    recordings
        Recordings, or folders in which every recording is meant.
    bundle
        The trained model.
    out
        Where the findings go: a folder for each recording, `index.html`, `failures.csv`.
    mode
        How a network that sees several frames at once is run: a clip for every frame, or one pass over all of them;
        if not given, as it was trained. Networks of single frames answer the same in both.
    backend
        What runs the network; `auto` takes OpenVINO where it can answer, which is the fastest on a processor.
    logits
        Also write the raw logits, to `logits.csv`.
    """
    from sonoplane.models.bundle import Bundle
    from sonoplane.steps.predict import predict_all

    loaded = Bundle.load(bundle)
    settings = settings_of(loaded, recipe, mode, cleaning, answering)
    predicted = predict_all(
        recordings, bundle=loaded, out=out, recipe=settings, backend=backend, logits=logits
    )
    return print_predicted(predicted, out, as_json=as_json)
