"""The torch twin of a card's values: the same formula, on any device, exportable into the network's graph."""

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from sonoplane.models.card import Card
from sonoplane.models.normalization import TINY, Normalization

__all__ = ["CardValues", "normalize"]


class CardValues(nn.Module):
    """Network input from uint8 frames at the card's size, equal to `Card.values` to 1e-5.

    >>> import torch
    >>> from sonoplane.models.card import builtin_card
    >>> CardValues(builtin_card("fetal"))(torch.zeros(2, 224, 288, 3, dtype=torch.uint8)).shape
    torch.Size([2, 1, 224, 288])
    """

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.normalization = card.normalization

    def forward(
        self, images: UInt8[Tensor, "batch height width"] | UInt8[Tensor, "batch height width 3"]
    ) -> Float[Tensor, "batch 1 height width"]:
        """Gray as the float mean of the channels, then the card's formula, each frame by itself."""
        gray = images.float()
        if gray.ndim == 4:
            gray = gray.mean(dim=-1)
        return normalize(gray, self.normalization)[:, None]


def normalize(
    gray: Float[Tensor, "batch height width"], how: Normalization
) -> Float[Tensor, "batch height width"]:
    """The torch twin of `normalization.normalize`: gray values 0 ... 255 to network input."""
    if how.kind == "standardize-image":
        x = gray - gray[:, :1, :1]
        x = x - x.mean(dim=(1, 2), keepdim=True)
        std = x.square().mean(dim=(1, 2), keepdim=True).sqrt()
        return x * ((how.scale or 1) / std.clamp(min=TINY))
    if how.kind == "min-max":
        low, high = gray.amin(dim=(1, 2), keepdim=True), gray.amax(dim=(1, 2), keepdim=True)
        return (gray - low) / (high - low).clamp(min=TINY)
    if how.kind == "dataset":
        return (gray / 255 - (how.mean or 0)) / (how.std or 1)
    return gray / 255
