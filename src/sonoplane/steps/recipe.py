"""One TOML file with the settings of every step; a setting's docstring is its help."""

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sonoplane.clips.duplicates_settings import DuplicateSettings
from sonoplane.clips.labels_settings import LabelSettings
from sonoplane.clips.splits_settings import SplitSettings
from sonoplane.clips.windows_settings import WindowSettings
from sonoplane.errors import UsageError
from sonoplane.frames.layouts_settings import LayoutSettings
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.frames.store_settings import StoreSettings
from sonoplane.frames.subsample_settings import SubsampleSettings
from sonoplane.inference.activation_settings import ActivationSettings
from sonoplane.inference.attribution_settings import AttributionSettings
from sonoplane.inference.export_settings import ExportSettings
from sonoplane.inference.localization_settings import LocalizationSettings
from sonoplane.inference.settings import FindingsSettings, KeyFrameSettings, RunSettings
from sonoplane.inference.smoothing_settings import SmoothingSettings
from sonoplane.metrics.background_settings import BackgroundSettings
from sonoplane.metrics.calibration_settings import CalibrationSettings
from sonoplane.steps.recipes import shipped, shipped_recipe
from sonoplane.steps.stream_settings import StreamSettings
from sonoplane.training.settings import (
    AugmentationSettings,
    InputSettings,
    NetworkSettings,
    TrainingSettings,
)
from sonoplane.training.tracking_settings import TrackingSettings
from sonoplane.video.live_settings import LiveSettings

__all__ = ["Recipe", "layered", "read_recipe"]


class Recipe(BaseModel):
    """The settings of every step, section by section; what is not given has its default."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    region: RegionSettings = Field(default_factory=RegionSettings)
    """How the ultrasound region is found."""
    layouts: LayoutSettings = Field(default_factory=LayoutSettings)
    """When a scanner's remembered layout is used for a recording."""
    layout: tuple[dict[str, Any], ...] = ()
    """The layouts themselves, as `layouts.toml` of an archive has them; a bundle brings those it was trained with."""
    subsample: SubsampleSettings = Field(default_factory=SubsampleSettings)
    """Which frames training may see; all are stored, and evaluation sees all."""
    input: InputSettings = Field(default_factory=InputSettings)
    """What a network is given of each frame."""
    store: StoreSettings = Field(default_factory=StoreSettings)
    """What an archive keeps of each frame."""
    labels: LabelSettings = Field(default_factory=LabelSettings)
    """What frames without a label mean."""
    split: SplitSettings = Field(default_factory=SplitSettings)
    """How patients are split."""
    duplicates: DuplicateSettings = Field(default_factory=DuplicateSettings)
    """When two recordings are told to be nearly the same."""
    windows: WindowSettings = Field(default_factory=WindowSettings)
    """How recordings are cut into clips."""
    network: NetworkSettings = Field(default_factory=NetworkSettings)
    """Which network is trained."""
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    """How it learns."""
    augmentation: AugmentationSettings = Field(default_factory=AugmentationSettings)
    """How training frames are varied."""
    tracking: TrackingSettings = Field(default_factory=TrackingSettings)
    """Where a training can be followed."""
    calibration: CalibrationSettings = Field(default_factory=CalibrationSettings)
    """How far its probabilities may be believed, found out on the validation patients."""
    run: RunSettings = Field(default_factory=RunSettings)
    """How the network runs in prediction."""
    smoothing: SmoothingSettings = Field(default_factory=SmoothingSettings)
    """What neighboring frames say of a frame."""
    findings: FindingsSettings = Field(default_factory=FindingsSettings)
    """How frames become an answer for the recording."""
    keyframes: KeyFrameSettings = Field(default_factory=KeyFrameSettings)
    """Which frames a physician is shown."""
    localization: LocalizationSettings = Field(default_factory=LocalizationSettings)
    """Where key frames show their planes."""
    live: LiveSettings = Field(default_factory=LiveSettings)
    """How a live feed is reached, and followed."""
    waiting: StreamSettings = Field(default_factory=StreamSettings)
    """How far answers may fall behind a live feed."""
    export: ExportSettings = Field(default_factory=ExportSettings)
    """Which model for other programs is made of a network."""
    attribution: AttributionSettings = Field(default_factory=AttributionSettings)
    """How finely an explanation looks for each pixel's share."""
    activation: ActivationSettings = Field(default_factory=ActivationSettings)
    """How pictures are made that filters answer most strongly."""
    background: BackgroundSettings = Field(default_factory=BackgroundSettings)
    """How much is looked at to find out whether a network reads what lies around the ultrasound."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Recipe":
        """Checked here, where flags and file have come together."""
        if not math.isclose(sum(self.split.fractions.values()), 1, abs_tol=1e-6):
            raise ValueError("split: train, validation and test must add up to 1")
        leave, enter = self.smoothing.leave, self.smoothing.enter
        if leave > enter:
            raise ValueError(f"smoothing: leave ({leave:g}) must not be above enter ({enter:g})")
        return self


def read_recipe(path: Path) -> dict[str, Any]:
    """The settings that a recipe file gives, as written; a bare name is that of a recipe that comes with the program.

    >>> read_recipe(Path("liver-sweep-3d"))["network"]
    {'name': 'sononet3d-16'}

    Raises:
        UsageError: there is no such file or recipe, or it is not TOML.
    """
    try:
        if str(path) in shipped() or not (path.suffix or path.exists() or len(path.parts) > 1):
            return tomllib.loads(shipped_recipe(path.name))
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"The recipe '{path.name}' cannot be read: {error.strerror}.", advice="Check its path."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The recipe '{path.name}' is not TOML: {error}.", advice="Mend that line."
        ) from error


def layered(*layers: Mapping[str, Any]) -> Recipe:
    """One recipe from several, the later ones winning setting by setting.

    >>> layered({"keyframes": {"per_plane": 5, "min_run": 1}}, {"keyframes": {"per_plane": 2}}).keyframes.per_plane
    2

    Raises:
        UsageError: a section or a setting is unknown or out of range.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        for section, settings in layer.items():
            before = merged.get(section)
            if isinstance(settings, Mapping) and isinstance(before, Mapping):
                settings = {**before, **settings}
            merged[section] = settings
    try:
        return Recipe.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:
            raise UsageError(
                f"{first['msg'].removeprefix('Value error, ')}.", advice="Change them."
            ) from error
        where = ".".join(str(part) for part in first["loc"])
        advice = "Known sections: " + ", ".join(Recipe.model_fields) + "."
        known = Recipe.model_fields.get(str(first["loc"][0]))
        fields = getattr(known.annotation, "model_fields", None) if known else None
        if fields is not None and len(first["loc"]) > 1:
            advice = f"Known settings there: {', '.join(fields)}."
        raise UsageError(f"Recipe setting '{where}': {first['msg']}.", advice=advice) from error
