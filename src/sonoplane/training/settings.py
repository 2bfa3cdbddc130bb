"""The settings of training: the network, what it expects to see, and how it learns."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sonoplane.training.augmentation_settings import AugmentationSettings

__all__ = ["AugmentationSettings", "InputSettings", "NetworkSettings", "TrainingSettings"]

_CONFIG = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class NetworkSettings(BaseModel):
    """Which network is trained, from which weights, and how much of it."""

    model_config = _CONFIG

    name: str = "sononet2d-16"
    """A name of the registry."""
    options: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """What else the network's family lets one choose, such as `mid_channels` of (2+1)D."""
    init: Literal["normal", "uniform"] = "normal"
    """Distribution of the Kaiming initialization."""
    start: str | None = None
    """A bundle, or a file of weights, to begin with. 2D weights are inflated for a network of clips; the head is drawn
    anew where the classes differ."""
    trained: Literal["all", "head"] | int = "all"
    """Train everything, the head alone, or the head and so many blocks before it."""
    statistics: Literal["keep", "adapt"] = "keep"
    """Whether batch norm in blocks that are not trained keeps its statistics or adapts them to the new images."""


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


class TrainingSettings(BaseModel):
    """How the network learns."""

    model_config = _CONFIG

    epochs: int = Field(default=30, ge=1)
    """Passes over the training clips, at most."""
    batch: int = Field(default=32, ge=2)
    """Clips (of a 2D network: frames) in a batch of each process."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are added up to one step."""
    dense: bool = False
    """Networks of clips learn to label every frame of a clip, not the clip as a whole; frames without a label do not
    count."""
    centre_frame: bool = False
    """2D networks learn from the centre frame of each clip, so that they see what 3D networks see; else from every
    labelled frame."""
    every: int = Field(default=1, ge=1)
    """Train on every n-th labelled frame or clip; validation sees all."""
    sampling: Literal["shuffle", "balanced"] = "shuffle"
    """Every clip once an epoch, or as many drawn so that all classes come equally often."""

    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    """The optimizer; SGD has Nesterov momentum."""
    momentum: float = Field(default=0.9, gt=0, lt=1)
    """Of SGD."""
    learning_rate: float = Field(default=5e-3, gt=0)
    """The largest learning rate."""
    schedule: Literal["cosine", "plateau", "multi-step", "step", "none"] = "cosine"
    """How the learning rate changes. `cosine`: it warms up and falls along a half cosine. `plateau`: it falls when the
    validation loss has not for more than `schedule_epochs` epochs. `multi-step`: it falls after the epochs
    `milestones`. `step`: every `schedule_epochs` epochs."""
    warm_up: float = Field(default=0.2, ge=0, lt=1)
    """Share of all steps in which the rate of `cosine` rises."""
    schedule_epochs: int = Field(default=5, ge=1)
    """Epochs of `plateau` and `step`."""
    schedule_factor: float | None = Field(default=None, gt=0, lt=1)
    """What the rate falls to each time; if it is not given, 0.7 of it (`plateau`), 0.8 (`step`), 0.1 (`multi-step`)."""
    milestones: tuple[int, ...] = (15, 25)
    """Epochs after which the rate of `multi-step` falls."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Decay of the weights, of AdamW and SGD."""
    clip_gradient: float = Field(default=1.0, ge=0)
    """Gradients of a larger norm are scaled down to it; 0 leaves them."""
    average: float = Field(default=0.0, ge=0, lt=1)
    """Decay of a moving average of the weights (such as 0.999), which is then validated and saved; 0 is none."""

    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
    """Share of certainty taken from the true class and spread over all."""
    class_weights: bool = True
    """Weigh classes by the inverse of how many labels they have."""
    focal_gamma: float = Field(default=0.0, ge=0)
    """Focal loss: how little what is easy counts (2 in its paper); 0 is cross entropy."""

    monitor: Literal["loss", "accuracy", "macro_f1"] = "loss"
    """The validation figure that tells the best epoch, whose weights are kept."""
    patience: int = Field(default=6, ge=1)
    """Stop after so many epochs without a better one."""

    precision: Literal["float32", "bf16"] = "float32"
    """Arithmetic of training: bf16 is automatic mixed precision, faster where the processor has it."""
    channels_last: bool = True
    """Keep the channels of a pixel together in memory: the same numbers, faster."""
    cache_gb: float = Field(default=2.0, ge=0)
    """Prepared frames are kept in memory where those of a part (training, validation) take no more than this."""
    workers: int = Field(default=2, ge=0)
    """Threads that read batches ahead."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """What computes: a GPU if there is one, by default."""
    devices: int | Literal["auto"] = 1
    """How many of them on each machine, a process each; `auto` takes all."""
    nodes: int = Field(default=1, ge=1)
    """Machines that train together; start the same command on each, by torchrun or SLURM."""
    strategy: str = "auto"
    """How processes train together: a strategy of Lightning, such as `ddp` or `fsdp`."""
    seed: int = Field(default=0, ge=0)
    """Decides initialization, order, augmentation and dropout."""
