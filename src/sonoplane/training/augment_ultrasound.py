"""What happens to ultrasound between probe and screen: light lost with depth, shadow, haze, speckle, another sector.

Depth attenuation, haze and speckle reduction follow Østvik et al., "Myocardial function imaging in echocardiography
using deep learning" (2021), the shadow Smistad et al., "Highlighting nerves and blood vessels for ultrasound-guided
axillary nerve block procedures" (2018), both in the form that Tupper & Gagné, "Revisiting data augmentation for
ultrasound images" (TMLR 2025, arXiv 2501.13193), gave them. Distances are in the clip's own ultrasound area, the probe
in the middle of its upper edge, and not in the whole image: a padded frame has its probe further down.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

__all__ = ["Place", "attenuation", "grain", "haze", "sector", "shadow", "smooth", "ultrasound_area"]

#: Gray levels up to this are black outside the area: what a lossy codec leaves there.
_BLACK = 4.0


def ultrasound_area(
    clips: Float[Tensor, "batch channel time height width"],
) -> Bool[Tensor, "batch height width"]:
    """Where each clip shows anything in any of its frames, with the dark places inside it filled.

    Every row is filled between its bright pixels, then every column: an ultrasound sector has no dents, and what is
    dark at depth or behind a shadow belongs to it.

    >>> ring = torch.zeros(1, 1, 1, 5, 5)
    >>> ring[..., 1:4, 1:4] = 9; ring[..., 2, 2] = 0
    >>> ultrasound_area(ring)[0].int().tolist()[2]
    [0, 1, 1, 1, 0]
    """
    bright = clips.amax(dim=(1, 2)) > _BLACK
    return _filled(_filled(bright, -1), -2)


def _filled(bright: Bool[Tensor, "batch height width"], axis: int) -> Bool[Tensor, "batch height width"]:
    """From the first bright pixel along an axis to the last."""
    length = bright.shape[axis]
    place = torch.arange(1.0, length + 1, device=bright.device)
    place = place if axis == -1 else place[:, None]
    last = (bright * place).amax(dim=axis, keepdim=True)
    first = length + 1 - (bright * (length + 1 - place)).amax(dim=axis, keepdim=True)
    return (place >= first) & (place <= last)


@dataclass(frozen=True, slots=True)
class Place:
    """Where each pixel lies in the box around a clip's area: across 0 to 1, and from the probe down 0 to 1."""

    across: Float[Tensor, "batch 1 width"]
    down: Float[Tensor, "batch height 1"]
    aspect: Float[Tensor, "batch 1 1"]
    """Width of the box in units of its height."""

    @classmethod
    def within(cls, area: Bool[Tensor, "batch height width"]) -> "Place":
        """The place of every pixel, given the areas; one that is empty counts as the whole image."""
        left, width = _extent(area.any(dim=1))
        top, height = _extent(area.any(dim=2))
        rows, columns = (torch.arange(n, device=area.device) + 0.5 for n in area.shape[1:])
        return cls(
            across=((columns - left) / width)[:, None, :],
            down=((rows - top) / height)[:, :, None],
            aspect=(width / height)[:, :, None],
        )

    def of(self, rows: Int64[Tensor, "some"]) -> "Place":
        """The places of some of the clips."""
        return Place(self.across[rows], self.down[rows], self.aspect[rows])

    @property
    def depth(self) -> Float[Tensor, "batch height width"]:
        """Distance from the probe as the paper has it, across and down counting alike."""
        return torch.sqrt((self.across - 0.5).square() + self.down.square())


def _extent(
    any_bright: Bool[Tensor, "batch length"],
) -> tuple[Float[Tensor, "batch 1"], Float[Tensor, "batch 1"]]:
    """Start and length of what is bright along one axis."""
    length = any_bright.shape[1]
    place = torch.arange(length, device=any_bright.device)
    start = length - (any_bright * (length - place)).amax(dim=1, keepdim=True)
    stop = (any_bright * (place + 1)).amax(dim=1, keepdim=True)
    empty = stop <= start
    start = torch.where(empty, 0, start).float()
    return start, torch.where(empty, length, stop) - start


def attenuation(place: Place, rate: Float[Tensor, "batch"]) -> Float[Tensor, "batch height width"]:
    """What is left of the light at each depth: exp(-rate x depth)."""
    return torch.exp(-rate[:, None, None] * place.depth)


def shadow(place: Place, shape: Float[Tensor, "batch 5"]) -> Float[Tensor, "batch height width"]:
    """What a Gaussian shadow leaves: darkness, centre across and down, deviation across and down."""
    dark, x, y, wide, high = shape.T[:, :, None, None]
    across = torch.exp(-0.5 * ((place.across - x) / wide).square())
    down = torch.exp(-0.5 * ((place.down - y) / high).square())
    left: Tensor = 1 - dark * across * down
    return left


def haze(
    place: Place, shape: Float[Tensor, "batch 3"], noise: Float[Tensor, "batch height width"]
) -> Float[Tensor, "batch height width"]:
    """Gray levels that a noisy band adds: brightness, distance from the probe, standard deviation."""
    bright, distance, wide = shape.T[:, :, None, None]
    band = torch.exp(-0.5 * ((place.depth - distance) / wide).square())
    added: Tensor = 255 * bright * band * (0.5 + 0.2 * noise).clamp_(0, 1)
    return added


def sector(place: Place, shape: Float[Tensor, "batch 5"]) -> Float[Tensor, "batch height width"]:
    """1 inside another sector, 0 outside, soft over a pixel; its numbers are those of `Draw.sector`."""
    apex, left, right, near, far = shape.T[:, :, None, None]
    x = (place.across - 0.5) * place.aspect
    y = place.down + apex
    pixel = 1 / (place.down[:, 1:2] - place.down[:, :1]) if place.down.shape[1] > 1 else 1.0
    half = place.aspect / 2 * y / (1 + apex)
    radius = torch.sqrt(x.square() + y.square())
    inside = torch.minimum(half * right - x, half * left + x)
    inside = torch.minimum(inside, torch.minimum(radius - apex - near, apex + far - radius))
    return (inside * pixel + 0.5).clamp_(0, 1)


def grain(
    noise: Float[Tensor, "batch height width"], offsets: Int64[Tensor, "batch time 2"]
) -> Float[Tensor, "batch time height width"]:
    """The noise of every frame: one field a clip, rolled anew for each frame."""
    batch, height, width = noise.shape
    rows = (torch.arange(height, device=noise.device) + offsets[:, :, :1]) % height
    columns = (torch.arange(width, device=noise.device) + offsets[:, :, 1:]) % width
    clip = torch.arange(batch, device=noise.device)[:, None, None, None]
    return noise[clip, rows[:, :, :, None], columns[:, :, None, :]]


def smooth(
    clips: Float[Tensor, "batch image height width"], amount: Float[Tensor, "batch"]
) -> Float[Tensor, "batch image height width"]:
    """Less speckle, edges kept, by Lee's filter (IEEE TPAMI 2:165, 1980) over 5 x 5 pixels.

    It does what the bilateral filter of the paper does, at a fraction of its cost.
    """
    mean = _boxed(clips)
    spread = (_boxed(clips.square()) - mean.square()).clamp_(min=0)
    noise = (0.25 * mean).square()
    kept = (spread - noise).clamp_(min=0) / spread.clamp(min=1e-3)
    return clips + amount[:, None, None, None] * (1 - kept) * (mean - clips) * (clips > 0)


def _boxed(clips: Float[Tensor, "batch image height width"]) -> Float[Tensor, "batch image height width"]:
    """The mean over 5 x 5 pixels, the border repeated: sums of slices, which beats pooling several times."""
    for axis in (2, 3):
        length = clips.shape[axis]
        first, last = clips.narrow(axis, 0, 1), clips.narrow(axis, length - 1, 1)
        wide = torch.cat([first, first, clips, last, last], dim=axis)
        clips = wide.narrow(axis, 0, length).clone()
        for shift in range(1, 5):
            clips += wide.narrow(axis, shift, length)
    return clips.div_(25)
