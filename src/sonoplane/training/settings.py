"""The settings of training: the network, what it expects to see, and how it learns."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["AugmentationSettings", "InputSettings", "NetworkSettings", "TrainingSettings"]

_CONFIG = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class NetworkSettings(BaseModel):
    """Which network is trained."""

    model_config = _CONFIG

    name: str = "sononet2d-16"
    """A name of the registry."""
    init: Literal["normal", "uniform"] = "normal"
    """Distribution of the Kaiming initialization."""


class InputSettings(BaseModel):
    """What the network is given of each frame: the part of the card that does not depend on the classes."""

    model_config = _CONFIG

    height: int = Field(default=224, ge=16)
    """Rows of the network's input."""
    width: int = Field(default=288, ge=16)
    """Columns of the network's input."""
    fit: Literal["stretch", "pad"] = "pad"
    """Stretch the region to the input's size, or keep its proportions and pad with black."""
    normalization: Literal["standardize-image", "dataset", "min-max", "unit"] = "standardize-image"
    """How gray levels become numbers: per image, by the data set's mean and deviation, by range, or x / 255."""
    scale: float = Field(default=1.0, gt=0)
    """Factor after `standardize-image`; the published fetal networks have 255."""
    mean: float = 0.213303
    """Mean gray level, 0 to 1, for `dataset`."""
    std: float = Field(default=0.21379, gt=0)
    """Standard deviation of gray levels, for `dataset`."""


class AugmentationSettings(BaseModel):
    """How training frames are varied."""

    model_config = _CONFIG

    flip_horizontal: float = Field(default=0.5, ge=0, le=1)
    """Share of frames mirrored left to right."""
    flip_vertical: float = Field(default=0.0, ge=0, le=1)
    """Share of frames turned upside down."""
    gamma: float = Field(default=1.4, ge=1)
    """Gray levels are raised to a power between 1 / gamma and gamma."""
    zoom: float = Field(default=1.2, ge=1)
    """Frames are scaled by a factor between 1 / zoom and zoom."""
    rotation_degrees: float = Field(default=10.0, ge=0)
    """Frames are turned by up to so many degrees either way."""


class TrainingSettings(BaseModel):
    """How the network learns."""

    model_config = _CONFIG

    epochs: int = Field(default=30, ge=1)
    """Passes over the training frames, at most."""
    batch: int = Field(default=32, ge=2)
    """Frames in a step."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    """The optimizer; SGD has Nesterov momentum 0.9."""
    learning_rate: float = Field(default=5e-3, gt=0)
    """The largest learning rate; it warms up to it and falls along a half cosine."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Decay of the weights, of AdamW and SGD."""
    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
    """Share of certainty taken from the true class and spread over all."""
    class_weights: bool = True
    """Weigh classes by the inverse of how many frames they have."""
    patience: int = Field(default=6, ge=1)
    """Stop after so many epochs without a lower validation loss."""
    every: int = Field(default=1, ge=1)
    """Train on every n-th labelled frame; validation sees all."""
    precision: Literal["float32", "bf16"] = "float32"
    """Arithmetic of training: bf16 is automatic mixed precision, faster where the processor has it."""
    cache_gb: float = Field(default=2.0, ge=0)
    """Prepared frames are kept in memory where those of a part (training, validation) take no more than this."""
    seed: int = 0
    """Decides initialization, order and augmentation."""
