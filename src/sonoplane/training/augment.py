"""Training clips are varied as scanners, hands and patients vary them, every frame of a clip alike.

What chance decides is drawn apart (`augment_draw`), so that it can be looked at, kept and applied again. Effects of
sound come first, in the place where the scanner saw them, and the one resampling last: an image upside down has its
shadows upside down.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional

from sonoplane.training import augment_ultrasound as ultrasound
from sonoplane.training.augment_draw import Draw, draw
from sonoplane.training.augmentation_settings import AugmentationSettings

__all__ = ["apply", "augment", "ultrasound_area"]

ultrasound_area = ultrasound.ultrasound_area

#: The gray level about which contrast turns: the mean of B-mode images (0.2133 of white).
_MIDDLE = 54.0

#: Pixels that a processor varies at once: what lies in its cache is several times as fast as what does not.
_AT_ONCE = 2**18

#: Gray level below which a change of brightness fades out.
_FADE = 40.0

_LOCAL = ("speckle", "attenuation", "shadow", "sector", "haze")
_MOVES = ("flip_horizontal", "flip_vertical", "rotation", "zoom", "shift")
_ORDERS = ("time_jitter", "frame_drop", "shuffle_frames")


def augment(
    images: Float[Tensor, "batch channel *time height width"]
    | UInt8[Tensor, "batch channel *time height width"],
    settings: AugmentationSettings,
    generator: torch.Generator,
) -> Float[Tensor, "batch channel *time height width"]:
    """Vary each clip, or each frame, of a batch on its own: `draw` and `apply` in one, where no label is a frame's.

    >>> clips = torch.randint(0, 256, (2, 1, 4, 8, 8), dtype=torch.uint8)
    >>> augment(clips, AugmentationSettings.off(), torch.Generator()).equal(clips.float())
    True
    """
    time = images.shape[2] if images.ndim == 5 else 1
    size = (time, images.shape[-2], images.shape[-1])
    return apply(images, draw(settings, len(images), size, generator))


def apply(
    images: Float[Tensor, "batch channel *time height width"]
    | UInt8[Tensor, "batch channel *time height width"],
    draw: Draw,
    *,
    area: Bool[Tensor, "batch height width"] | None = None,
) -> Float[Tensor, "batch channel *time height width"]:
    """Gray levels 0 to 255 as the draw varies them; they stay in that range and what was black outside stays black.

    `area` is where the ultrasound is in each clip; it is found in the clips themselves where it is not given.
    Effects that no clip has cost nothing, the others only the clips that have them.
    """
    draw = draw.to(images.device)
    clips = images.to(torch.float32, copy=True).contiguous()
    clips = clips if clips.ndim == 5 else clips[:, :, None]
    some = max(1, _AT_ONCE // max(1, clips[:1].numel())) if clips.device.type == "cpu" else len(clips)
    with torch.no_grad(), torch.autocast(clips.device.type, enabled=False):  # bf16 would move pixels
        for start in range(0, len(clips), some):
            stop = min(start + some, len(clips))
            _vary(clips[start:stop], draw.of_clips(start, stop), None if area is None else area[start:stop])
    return clips.view(images.shape)


def _vary(clips: Tensor, draw: Draw, area: Tensor | None) -> None:
    """Apply a draw in place."""
    _change(clips, draw.has(*_ORDERS), lambda some, rows: _reorder(some, draw.frame_order[rows]))
    _change(clips, draw.has("smoothing"), lambda some, rows: _smooth(some, draw.smoothing[rows]))
    _change(clips, draw.has(*_LOCAL), lambda some, rows: _insonify(some, draw, rows, area))
    _change(
        clips,
        draw.has("contrast", "brightness"),
        lambda some, rows: _regain(some, draw.contrast[rows], draw.brightness[rows]),
    )
    _change(clips, draw.has("gamma"), lambda some, rows: _raise(some, draw.gamma[rows]))
    _change(clips, draw.has(*_MOVES), lambda some, rows: _move(some, draw.maps[rows]))


def _change(
    clips: Float[Tensor, "batch channel time height width"],
    which: Bool[Tensor, "batch"],
    change: Callable[[Tensor, Tensor], Tensor],
) -> None:
    """Put `change(some, rows)` in the place of the rows that are meant; it may change what it is given."""
    rows = which.nonzero().squeeze(1)
    if len(rows) == len(clips):
        clips.copy_(change(clips, rows))
    elif len(rows):
        clips[rows] = change(clips[rows], rows)


def _reorder(clips: Tensor, order: Tensor) -> Tensor:
    every = torch.arange(len(clips), device=clips.device)[:, None]
    return clips.transpose(1, 2)[every, order].transpose(1, 2)


def _smooth(clips: Tensor, amount: Tensor) -> Tensor:
    return ultrasound.smooth(clips.flatten(1, 2), amount).view(clips.shape)


def _insonify(clips: Tensor, draw: Draw, rows: Tensor, area: Tensor | None) -> Tensor:
    """Everything that depends on where in the ultrasound area a pixel is."""
    inside = ultrasound.ultrasound_area(clips) if area is None else area[rows]
    place = ultrasound.Place.within(inside)

    def weaken(name: str, kept: Callable[[ultrasound.Place, Tensor], Tensor]) -> None:
        values = getattr(draw, name)[rows]

        def change(some: Tensor, i: Tensor) -> Tensor:
            return some.mul_(kept(place.of(i), values[i])[:, None, None])

        _change(clips, draw.has(name)[rows], change)

    def add_haze(some: Tensor, i: Tensor) -> Tensor:
        band = ultrasound.haze(place.of(i), draw.haze[rows[i]], draw.noise(rows[i])) * inside[i]
        return some.add_(band[:, None, None]).clamp_(max=255)

    _change(clips, draw.has("speckle")[rows], lambda some, i: _speckle(some, draw, rows[i]))
    weaken("attenuation", ultrasound.attenuation)
    weaken("shadow", ultrasound.shadow)
    _change(clips, draw.has("haze")[rows], add_haze)
    weaken("sector", ultrasound.sector)
    return clips


def _speckle(clips: Tensor, draw: Draw, rows: Tensor) -> Tensor:
    noise = ultrasound.grain(draw.noise(rows), draw.grain_offsets[rows])
    strength = draw.speckle[rows, None, None, None]
    return clips.mul_(noise.mul_(strength).add_(1).clamp_(min=0)[:, None]).clamp_(max=255)


def _regain(clips: Tensor, contrast: Tensor, brightness: Tensor) -> Tensor:
    """Another dynamic range and gain; the rise fades out toward black, which stays black."""
    factor, rise = (x[:, None, None, None, None] for x in (contrast, _MIDDLE * (1 - contrast) + brightness))
    fade = (clips / _FADE).clamp_(max=1)
    return clips.mul_(factor).addcmul_(fade, rise).clamp_(0, 255)


def _raise(clips: Tensor, power: Tensor) -> Tensor:
    """Raise to a power as exp(power x log), several times as fast; black stays black."""
    powers = power[:, None, None, None, None]
    return clips.div_(255).log_().mul_(powers).exp_().mul_(255).clamp_(0, 255)


def _move(clips: Tensor, maps: Tensor) -> Tensor:
    """One resampling; the frames of a clip share its grid, as channels do."""
    images = clips.flatten(1, 2)
    grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False).view(clips.shape)
