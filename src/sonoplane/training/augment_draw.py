"""What chance decides about a batch of clips: drawn once, frozen, and the same for every frame of a clip."""

import math
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from sonoplane.training.augment_time import dropped, jittered, shuffled
from sonoplane.training.augmentation_settings import AugmentationSettings

__all__ = ["EFFECTS", "Draw", "draw"]

#: Effects by name, in the order in which they are applied.
EFFECTS = (
    "time_jitter", "frame_drop", "shuffle_frames", "smoothing", "speckle", "attenuation", "shadow", "haze",
    "sector", "contrast", "brightness", "gamma", "flip_horizontal", "flip_vertical", "rotation", "zoom", "shift",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """One draw for each clip of a batch; apply it with `augment.apply`, as often as you like.

    Places are in units of the clip's ultrasound area: 0 to 1 from left to right and from the probe down.
    """

    frame_order: Int64[Tensor, "batch time"]
    """Which frame of the clip stands at each place: `targets.gather(1, draw.frame_order)` for labels of frames."""
    drawn: Bool[Tensor, "batch effects"]
    """Which of `EFFECTS` each clip gets."""
    maps: Float[Tensor, "batch 2 3"]
    """Flips, rotation, zoom and shift as one affine map, from places in the new image to places in the old one."""
    gamma: Float[Tensor, "batch"]
    contrast: Float[Tensor, "batch"]
    brightness: Float[Tensor, "batch"]
    """In gray levels, of 255."""
    attenuation: Float[Tensor, "batch"]
    shadow: Float[Tensor, "batch 5"]
    """Darkness, centre (across, down), standard deviation (across, down)."""
    haze: Float[Tensor, "batch 3"]
    """Brightness, distance from the probe, standard deviation."""
    speckle: Float[Tensor, "batch"]
    smoothing: Float[Tensor, "batch"]
    sector: Float[Tensor, "batch 5"]
    """Where the apex is above the area; half width at the bottom, left and right; least and largest depth."""
    grain: Float[Tensor, "grained height width"]
    """Noise of mean 0 and deviation 1, in the order of the clips that `grained` tells."""
    grain_offsets: Int64[Tensor, "batch time 2"]
    """Rows and columns by which each frame's grain is rolled."""

    @property
    def grained(self) -> Bool[Tensor, "batch"]:
        """Which clips have grain of their own: those with speckle or haze."""
        return self.has("speckle", "haze")

    def has(self, *effects: str) -> Bool[Tensor, "batch"]:
        """Which clips get any of these effects."""
        return self.drawn[:, [EFFECTS.index(effect) for effect in effects]].any(dim=1)

    def noise(self, rows: Int64[Tensor, "some"]) -> Float[Tensor, "some height width"]:
        """The grain of some clips, all of them among `grained`."""
        return self.grain[(self.grained.cumsum(0) - 1)[rows]]

    def names(self, clip: int) -> tuple[str, ...]:
        """The effects that one clip gets."""
        return tuple(name for name, here in zip(EFFECTS, self.drawn[clip].tolist(), strict=True) if here)

    def of_clips(self, start: int, stop: int) -> "Draw":
        """The draw of some clips that follow each other."""
        part = {each.name: getattr(self, each.name)[start:stop] for each in fields(self)}
        before, here = (int(self.grained[some].sum()) for some in (slice(0, start), slice(start, stop)))
        return Draw(**{**part, "grain": self.grain[before : before + here]})

    def of_frame(self, place: int) -> "Draw":
        """The draw as the frame at one place of the clips has it, as a clip of one."""
        return replace(
            self,
            frame_order=torch.zeros_like(self.frame_order[:, :1]),
            grain_offsets=self.grain_offsets[:, place : place + 1],
        )

    def to(self, device: torch.device) -> "Draw":
        """The same draw on another device."""
        if self.maps.device == device:
            return self
        return Draw(**{each.name: getattr(self, each.name).to(device) for each in fields(self)})


@dataclass(frozen=True, slots=True)
class _Dice:
    """Numbers for a batch, from one generator; `full` throws every strength at its largest."""

    batch: int
    generator: torch.Generator
    full: bool

    def place(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform, also when `full`."""
        return torch.empty(self.batch).uniform_(low, high, generator=self.generator)

    def happens(self, share: float) -> Tensor:
        return self.place() < share

    def strength(self) -> Tensor:
        """0 to 1."""
        strength = self.place()
        return torch.ones(self.batch) if self.full else strength

    def either(self) -> Tensor:
        """-1 to 1."""
        return 2 * self.strength() - 1


def draw(
    settings: AugmentationSettings,
    batch: int,
    size: tuple[int, int, int],
    generator: torch.Generator,
    *,
    full: bool = False,
) -> Draw:
    """Throw the dice for `batch` clips of `size` (time, height, width), on the generator's device, the CPU.

    The same state of the generator gives the same draw; switching one effect off leaves the other draws as they were,
    but for the grain. `full` draws every strength at its largest, to look at.

    >>> one = draw(AugmentationSettings.off(zoom_share=1), 2, (4, 8, 8), torch.Generator().manual_seed(0))
    >>> one.names(0), one.frame_order[0].tolist()
    (('zoom',), [0, 1, 2, 3])
    """
    dice = _Dice(batch, generator, full)
    time, height, width = size
    has: dict[str, Tensor] = {}

    def strength(name: str, most: float, *, either: bool = False) -> Tensor:
        """0, or up to `most`, for the clips that the effect befalls."""
        befalls = dice.happens(float(getattr(settings, f"{name}_share")))
        thrown = most * (dice.either() if either else dice.strength())
        has[name] = befalls & (thrown != 0)
        return torch.where(befalls, thrown, torch.zeros(()))

    order = _frame_order(settings, dice, time, has)
    maps = _maps(settings, dice, height / width, has)
    gamma = torch.exp(strength("gamma", math.log(settings.gamma), either=True))
    contrast = torch.exp(strength("contrast", math.log(settings.contrast), either=True))
    brightness = strength("brightness", 255 * settings.brightness, either=True)
    attenuation = strength("attenuation", settings.attenuation)
    dark = [strength("shadow", settings.shadow), dice.place(), dice.place()]
    shadow = torch.stack([*dark, dice.place(0.04, 0.2), dice.place(0.1, 0.4)], dim=1)
    haze = torch.stack(
        [strength("haze", settings.haze), dice.place(0.05, 0.95), dice.place(0.03, 0.1)], dim=1
    )
    speckle = strength("speckle", settings.speckle)
    smoothing = strength("smoothing", settings.smoothing)
    sector = _sector(strength("sector", settings.sector), dice)
    offsets = torch.randint(0, max(height, width), (batch, time, 2), generator=generator)
    grained = int((has["speckle"] | has["haze"]).sum())
    return Draw(
        frame_order=order,
        drawn=torch.stack([has[name] for name in EFFECTS], dim=1),
        maps=maps,
        gamma=gamma,
        contrast=contrast,
        brightness=brightness,
        attenuation=attenuation,
        shadow=shadow,
        haze=haze,
        speckle=speckle,
        smoothing=smoothing,
        sector=sector,
        grain=_grain((grained, height, width), generator),
        grain_offsets=offsets if settings.speckle_moves else torch.zeros_like(offsets),
    )


def _frame_order(
    settings: AugmentationSettings, dice: _Dice, time: int, has: dict[str, Tensor]
) -> Int64[Tensor, "batch time"]:
    """Jitter, then loss, then shuffling; notes which clips really got another order by each."""
    chance = [torch.rand((dice.batch, time), generator=dice.generator) for _ in range(3)]
    still = torch.arange(time).expand(dice.batch, time)
    steps = {
        "time_jitter": (settings.time_jitter_share, jittered(chance[0], settings.time_jitter)),
        "frame_drop": (settings.frame_drop_share, dropped(chance[1], settings.frame_drop)),
        "shuffle_frames": (float(settings.shuffle_frames), shuffled(chance[2])),
    }
    order = still
    for name, (share, changed) in steps.items():
        step = torch.where(dice.happens(share)[:, None], changed, still)
        has[name] = (step != still).any(dim=1)
        order = order.gather(1, step)
    return order.contiguous()


def _maps(
    settings: AugmentationSettings, dice: _Dice, tall: float, has: dict[str, Tensor]
) -> Float[Tensor, "batch 2 3"]:
    """Mirrored, turned, scaled and moved in one map; angles are those of the pixels, not of the stretched grid."""

    def befalls(name: str, share: float, thrown: Tensor) -> Tensor:
        happens = dice.happens(share)
        has[name] = happens & (thrown != 0)
        return torch.where(happens, thrown, torch.zeros(()))

    def mirror(name: str, share: float) -> Tensor:
        has[name] = dice.happens(share)
        return 1.0 - 2.0 * has[name].float()

    mirror_x = mirror("flip_horizontal", settings.flip_horizontal)
    mirror_y = mirror("flip_vertical", settings.flip_vertical)
    turned = dice.either() * math.radians(settings.rotation_degrees)
    angle = befalls("rotation", settings.rotation_share, turned)
    shrink = torch.exp(befalls("zoom", settings.zoom_share, -dice.either() * math.log(settings.zoom)))
    moved = 2 * settings.shift * torch.stack([dice.either(), dice.either()], dim=1)
    shifted = dice.happens(settings.shift_share)
    has["shift"] = shifted & (moved != 0).any(dim=1)
    moved = torch.where(shifted[:, None], moved, torch.zeros(()))
    cos, sin = torch.cos(angle) * shrink, torch.sin(angle) * shrink
    across = torch.stack([cos * mirror_x, -sin * tall * mirror_y, moved[:, 0]], dim=1)
    down = torch.stack([sin * mirror_x / tall, cos * mirror_y, moved[:, 1]], dim=1)
    return torch.stack([across, down], dim=1)


def _sector(strength: Float[Tensor, "batch"], dice: _Dice) -> Float[Tensor, "batch 5"]:
    """Another outline; of a strength of 1, half the width and half the depth may go."""
    left, right, far = (1 - 0.5 * strength * dice.place() for _ in range(3))
    return torch.stack([dice.place(0.3, 1.5), left, right, 0.06 * strength * dice.place(), far], dim=1)


def _grain(size: tuple[int, int, int], generator: torch.Generator) -> Float[Tensor, "grained height width"]:
    """Gaussian noise, smoothed over three pixels along the beam's width as a beam does; mean 0, deviation 1."""
    noise = torch.randn(size, generator=generator)
    return (noise + noise.roll(1, dims=2) + noise.roll(-1, dims=2)) / math.sqrt(3)
