"""The settings of augmentation: how training clips are varied, how often and how much."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["AugmentationSettings"]


class AugmentationSettings(BaseModel):
    """How training clips are varied: every frame of a clip alike; a frame is a clip of one.

    Each effect has a strength under its own name and, as `<effect>_share`, the share of clips that get it. A strength
    that changes nothing (0, or 1 of a factor) or a share of 0 switches it off, to the last bit.

    >>> AugmentationSettings.off(rotation_degrees=5, rotation_share=1).gamma_share
    0.0
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    flip_horizontal: float = Field(default=0.5, ge=0, le=1)
    """Share of clips mirrored left to right; give 0 where a class is a side of the body or a direction of a sweep."""
    flip_vertical: float = Field(default=0.0, ge=0, le=1)
    """Share of clips turned upside down; the probe then is at the bottom."""

    rotation_degrees: float = Field(default=10.0, ge=0, le=180)
    """Clips are turned by up to so many degrees either way."""
    rotation_share: float = Field(default=1.0, ge=0, le=1)
    """Share of clips that are turned."""
    zoom: float = Field(default=1.2, ge=1, le=4)
    """Clips are scaled by a factor between 1 / zoom and zoom, cropped or padded with black."""
    zoom_share: float = Field(default=1.0, ge=0, le=1)
    """Share of clips that are scaled."""
    shift: float = Field(default=0.05, ge=0, le=1)
    """Clips are moved by up to this share of their width and height."""
    shift_share: float = Field(default=0.5, ge=0, le=1)
    """Share of clips that are moved."""

    gamma: float = Field(default=1.4, ge=1, le=10)
    """Gray levels are raised to a power between 1 / gamma and gamma."""
    gamma_share: float = Field(default=1.0, ge=0, le=1)
    """Share of clips with another gamma."""
    contrast: float = Field(default=1.2, ge=1, le=10)
    """Gray levels are spread by a factor between 1 / contrast and contrast: the scanner's dynamic range."""
    contrast_share: float = Field(default=0.3, ge=0, le=1)
    """Share of clips with another contrast."""
    brightness: float = Field(default=0.08, ge=0, le=1)
    """Gray levels rise or fall by up to this share of white, but black stays black: the scanner's gain."""
    brightness_share: float = Field(default=0.3, ge=0, le=1)
    """Share of clips with another brightness."""

    attenuation: float = Field(default=1.5, ge=0, le=10)
    """Gray levels fall with depth as exp(-rate x depth), the ultrasound area being 1 deep; the largest rate."""
    attenuation_share: float = Field(default=0.25, ge=0, le=1)
    """Share of clips that lose light with depth."""
    shadow: float = Field(default=0.8, ge=0, le=1)
    """How dark a Gaussian shadow is at most: 1 is black."""
    shadow_share: float = Field(default=0.25, ge=0, le=1)
    """Share of clips with a shadow."""
    haze: float = Field(default=0.3, ge=0, le=1)
    """How bright a band of haze, at one distance from the probe, is at most: 1 is white."""
    haze_share: float = Field(default=0.15, ge=0, le=1)
    """Share of clips with a band of haze."""
    speckle: float = Field(default=0.2, ge=0, le=2)
    """Gray levels are multiplied by grain of up to this standard deviation."""
    speckle_share: float = Field(default=0.15, ge=0, le=1)
    """Share of clips with more speckle."""
    speckle_moves: bool = True
    """Grain differs from frame to frame, as noise does; off: it stays where it is."""
    smoothing: float = Field(default=0.8, ge=0, le=1)
    """How much speckle is filtered away at most, as scanners do; 1 is all that the filter takes for speckle."""
    smoothing_share: float = Field(default=0.1, ge=0, le=1)
    """Share of clips with less speckle."""
    sector: float = Field(default=0.5, ge=0, le=1)
    """How far the outline is cut to another sector, narrower and shallower, so that it tells nothing; 1 takes up to
    half of the depth and width."""
    sector_share: float = Field(default=0.25, ge=0, le=1)
    """Share of clips with another outline."""

    time_jitter: float = Field(default=0.75, ge=0)
    """Frames are taken up to so many frames early or late, in order: some come twice, some not at all. A clip's last
    frame stays the last."""
    time_jitter_share: float = Field(default=0.25, ge=0, le=1)
    """Share of clips with jittered times."""
    frame_drop: float = Field(default=0.1, ge=0, le=1)
    """Share of a clip's frames that are lost; the frame before stands in their place. The first and the last stay."""
    frame_drop_share: float = Field(default=0.15, ge=0, le=1)
    """Share of clips that lose frames."""
    shuffle_frames: bool = False
    """Shuffle the frames of every clip: a control experiment that tells whether their order matters."""
    shuffle_validation: bool = False
    """Shuffle the frames of validation clips too, where `shuffle_frames` is on."""

    @classmethod
    def off(cls, **changes: float | bool) -> "AugmentationSettings":
        """Nothing varies, but for what `changes` says."""
        still = {
            name: 0.0 for name in cls.model_fields if name.endswith("_share") or name.startswith("flip_")
        }
        return cls.model_validate({**still, **changes})

    def for_validation(self) -> "AugmentationSettings":
        """What of it holds for validation clips: nothing but the shuffling, on request."""
        return self.off(shuffle_frames=self.shuffle_frames and self.shuffle_validation)
