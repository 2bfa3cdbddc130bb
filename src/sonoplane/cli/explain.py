"""The command `explain`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from sonoplane.cli.flags import Answering, Backend, Cleaning, Logits, Mode, settings_of
from sonoplane.cli.predicted import print_predicted
from sonoplane.cli.words import Json, Recipe, print_json, print_line
from sonoplane.errors import UsageError
from sonoplane.inference.activation_settings import ActivationSettings
from sonoplane.inference.attribution_settings import AttributionSettings

__all__ = ["explain"]


def explain(
    recordings: list[Path] | None = None,
    /,
    *,
    bundle: Path,
    out: Path,
    method: Literal[
        "guided-backprop", "grad-cam", "grad-cam++", "integrated-gradients", "occlusion"
    ] = "guided-backprop",
    target: str | None = None,
    frames: Literal["keyframes", "all"] | None = None,
    filters: Annotated[list[str] | None, Parameter(negative="")] = None,
    seed: Annotated[int, Parameter(validator=Number(gte=0, lt=2**63))] = 0,
    mode: Mode = None,
    backend: Backend = "auto",
    logits: Logits = False,
    recipe: Recipe = None,
    as_json: Json = False,
    cleaning: Cleaning = None,
    answering: Answering = None,
    attribution: AttributionSettings | None = None,
    activation: ActivationSettings | None = None,
) -> int:
    """Say what recordings show, and where in their frames the network looked.

    Parameters
    ----------
    recordings
        Recordings, or folders in which every recording is meant.
    bundle
        The trained model.
    out
        Where it goes: for each recording a folder as `predict` leaves it, and in it `explanation.html`, `maps/` and
        `overlay.mp4`.
    method
        How it is found out what counted. Guided back-propagation of SonoNets and SmallNet needs no PyTorch; the others
        do.
    target
        The class that is explained, in every frame; if not given, the one that the network gave the frame, and nothing
        in frames of background.
    frames
        Explain key frames only, or all frames, which makes the video; if not given, all, but key frames only with
        integrated gradients and occlusion, which take long.
    filters
        Show what filters of the network look for, in `filters.html`; no recording is needed. `first`: the weights of
        the first layer; LAYER, or LAYER:0,5: pictures that make filters of a layer answer strongly, which take some
        time each and need PyTorch. The page lists the layers. Give it once for each layer.
    seed
        Where those pictures start from.
    backend
        What runs the network for its answers.
    """
    from sonoplane.models.bundle import Bundle
    from sonoplane.steps.explain import Asked, check_target, explain_all
    from sonoplane.steps.explaining_filters import chosen_filters, show_filters

    if not recordings and not filters:
        raise UsageError(
            "There is nothing to explain.", advice="Name recordings, or filters with `--filters first`."
        )
    loaded = Bundle.load(bundle)
    settings = settings_of(
        loaded, recipe, mode, cleaning, answering, attribution=attribution, activation=activation
    )
    check_target(target, loaded)
    if filters:
        choice = chosen_filters(filters, loaded)
        page = show_filters(loaded, choice, out, run=settings.run, seed=seed, settings=settings.activation)
        if not as_json:
            print_line(f"Open {page}.")
        elif not recordings:
            print_json({"filters": str(page)})
    if not recordings:
        return 0
    asked = Asked(method=method, target=target, frames=frames, attribution=settings.attribution)
    predicted = explain_all(
        recordings, bundle=loaded, out=out, recipe=settings, asked=asked, backend=backend, logits=logits
    )
    return print_predicted(predicted, out, as_json=as_json)
