"""Training frames are varied as scanners and hands vary them: mirrored, turned, zoomed, lighter or darker."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from sonoplane.training.settings import AugmentationSettings

__all__ = ["augment"]


def augment(
    images: Float[Tensor, "batch channel height width"],
    settings: AugmentationSettings,
    generator: torch.Generator,
) -> Float[Tensor, "batch channel height width"]:
    """Vary each image on its own; gray levels stay within 0 to 255 and what moves in from outside is black.

    One draw an image, one resampling: geometry is a single affine map.
    """
    batch, _, height, width = images.shape

    def draw(low: float, high: float) -> Tensor:
        return torch.empty(batch).uniform_(low, high, generator=generator)

    def flip(share: float) -> Tensor:
        return 1.0 - 2.0 * (draw(0, 1) < share)

    angle = draw(-1, 1) * math.radians(settings.rotation_degrees)
    shrink = torch.exp(draw(-1, 1) * math.log(settings.zoom))
    mirror_x, mirror_y = flip(settings.flip_horizontal), flip(settings.flip_vertical)
    power = torch.exp(draw(-1, 1) * math.log(settings.gamma))
    cos, sin, tall = torch.cos(angle) * shrink, torch.sin(angle) * shrink, height / width
    still = torch.zeros(batch)
    maps = torch.stack(
        [
            torch.stack([cos * mirror_x, -sin * tall * mirror_y, still], dim=1),
            torch.stack([sin * mirror_x / tall, cos * mirror_y, still], dim=1),
        ],
        dim=1,
    ).to(images.device)
    moved = functional.grid_sample(
        images, functional.affine_grid(maps, list(images.shape), align_corners=False), align_corners=False
    )
    return 255 * (moved / 255).clamp(0, 1) ** power.to(images.device).view(-1, 1, 1, 1)
