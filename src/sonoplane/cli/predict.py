"""The command `predict`."""

from pathlib import Path

from sonoplane.cli.flags import Answering, Backend, Cleaning, Logits, Mode, settings_of
from sonoplane.cli.predicted import print_predicted
from sonoplane.cli.words import Json, Recipe

__all__ = ["predict"]


def predict(
    recordings: list[Path],
    /,
    *,
    bundle: Path,
    out: Path,
    mode: Mode = None,
    backend: Backend = "auto",
    logits: Logits = False,
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
    backend
        What runs the network; `auto` takes OpenVINO where it can answer, which is the fastest on a processor.
    """
    from sonoplane.models.bundle import Bundle
    from sonoplane.steps.predict import predict_all

    loaded = Bundle.load(bundle)
    settings = settings_of(loaded, recipe, mode, cleaning, answering)
    predicted = predict_all(
        recordings, bundle=loaded, out=out, recipe=settings, backend=backend, logits=logits
    )
    return print_predicted(predicted, out, as_json=as_json)
