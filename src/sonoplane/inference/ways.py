"""How a network goes through time: frame by frame, clip by clip, or densely over the whole run."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import ValidationError

from sonoplane.errors import BundleError, UsageError
from sonoplane.inference.settings import RunSettings
from sonoplane.models.bundle import Bundle
from sonoplane.models.spec import NetworkSpec

__all__ = ["Mode", "Way", "refuse_short", "run_of", "way_of"]

Mode: TypeAlias = Literal["frame", "clip", "dense"]
"""Each frame by itself; each frame from the clip that ends with it; all frames of a run in one pass."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """What a network is given of a recording.

    >>> Way(mode="clip", length=10, step=5).span
    46
    """

    mode: Mode = "frame"
    length: int = 1
    """Frames of a clip; a dense pass has none."""
    step: int = 1
    """From one frame that the network sees together with others to the next."""

    @property
    def span(self) -> int:
        """Frames of the recording that a clip reaches over."""
        return (self.length - 1) * self.step + 1


def way_of(spec: NetworkSpec, run: RunSettings) -> Way:
    """The way that a network is run: as the settings say, where they leave it open as it was meant to be.

    >>> from sonoplane.models.spec import network_spec
    >>> way_of(network_spec("sononet2d-16", n_classes=7), RunSettings(mode="dense")).mode
    'frame'
    >>> way_of(network_spec("sononet3d-16", n_classes=7), RunSettings())
    Way(mode='clip', length=10, step=1)
    >>> way_of(network_spec("sononet3d-16-causal", n_classes=7), RunSettings()).mode
    'dense'

    Raises:
        UsageError: dense is asked of a network that answers clips as a whole.
    """
    if not spec.takes_clips:
        return Way()
    if run.mode == "dense" and not spec.dense:
        raise UsageError(
            f"'{spec.name}' answers clips as a whole; it has no dense form.",
            advice="Predict with `--mode clip`, or train a SonoNet, which has both.",
        )
    mode = run.mode
    if mode == "auto":
        mode = "dense" if spec.causal else "clip"
    return Way(mode=mode, length=run.clip_length, step=run.clip_step)


def refuse_short(name: str, way: Way, least: int) -> None:
    """Raise a UsageError where clips are shorter than the network can answer."""
    if way.mode == "clip" and way.length < least:
        raise UsageError(
            f"'{name}' cannot answer clips of {way.length} frames.",
            advice=f"Give a --run.clip-length of {least} or more.",
        )


def run_of(bundle: Bundle) -> RunSettings:
    """How a bundle says that its network is run; the defaults where it says nothing."""
    try:
        return RunSettings.model_validate(bundle.recipe.get("run", {}))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise BundleError(
            f"The recipe of bundle '{bundle.name}' has a setting that is not understood: run.{where}.",
            advice="Use the version of sonoplane that wrote it, or update.",
        ) from error
