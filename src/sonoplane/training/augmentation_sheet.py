"""A sheet of varied clips for the eye: what the settings do to one's own recordings."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from torch import Tensor

from sonoplane.errors import UsageError
from sonoplane.training.augment import apply
from sonoplane.training.augment_draw import EFFECTS, Draw, draw
from sonoplane.training.augmentation_settings import AugmentationSettings

__all__ = ["augmentation_sheet"]

#: The setting that says how often an effect befalls a clip.
_SWITCHES = {
    effect: effect if effect.startswith(("flip_", "shuffle_")) else f"{effect}_share" for effect in EFFECTS
}

_LINE = 12
"""Pixels that a line of text takes."""


def augmentation_sheet(
    clips: UInt8[Tensor, "batch channel time height width"],
    settings: AugmentationSettings,
    seed: int = 0,
    *,
    draws: int = 6,
) -> UInt8[np.ndarray, "page_height page_width 3"]:
    """One row a clip: as it is, in some draws with the effects that each got, and under each effect alone.

    An effect alone is at its full strength. It is shown where its share is not 0. The frame is the
    clip's middle one; where frames come in another order, that order is written below it.

    >>> clips = torch.zeros(2, 1, 3, 40, 60, dtype=torch.uint8)
    >>> augmentation_sheet(clips, AugmentationSettings.off(zoom_share=1), draws=2).shape
    (108, 256, 3)

    Raises:
        UsageError: there is no clip, or its channels are neither 1 nor 3.
    """
    if not len(clips) or clips.shape[1] not in (1, 3):
        raise UsageError(
            f"A sheet cannot be made of {len(clips)} clips with {clips.shape[1]} channels.",
            advice="Give at least one clip, gray or RGB.",
        )
    batch, _, time, height, width = clips.shape
    size = (time, height, width)
    generator = torch.Generator().manual_seed(seed)
    drawn = [draw(settings, batch, size, generator) for _ in range(draws)]
    drawn += [draw(alone, batch, size, generator, full=True) for alone in _each_alone(settings)]
    columns = [_column(clips, each) for each in (None, *drawn)]
    lines = max(len(text) for column in columns for _, text in column)
    return np.asarray(_page(columns, height + lines * _LINE + 2, width))


def _each_alone(settings: AugmentationSettings) -> Iterator[AugmentationSettings]:
    """Settings with one effect that surely happens, for every effect that may."""
    shares = AugmentationSettings.off().model_dump()
    off = {name: value for name, value in shares.items() if name in _SWITCHES.values()}
    for effect in EFFECTS:
        if getattr(settings, _SWITCHES[effect]):
            yield settings.model_copy(update={**off, _SWITCHES[effect]: 1.0})


_Cell = tuple[UInt8[np.ndarray, "height width 3"], list[str]]


def _column(clips: UInt8[Tensor, "batch channel time height width"], drawn: Draw | None) -> list[_Cell]:
    """A picture and its lines of text for each clip."""
    varied = clips if drawn is None else apply(clips, drawn).round().to(torch.uint8)
    middle = varied[:, :, clips.shape[2] // 2].movedim(1, -1).expand(-1, -1, -1, 3).numpy()
    return [(image, _words(drawn, number)) for number, image in enumerate(middle)]


def _words(drawn: Draw | None, clip: int) -> list[str]:
    if drawn is None:
        return ["as it is"]
    order = drawn.frame_order[clip]
    words = [name.replace("_", " ") for name in drawn.names(clip)] or ["nothing"]
    moved = bool((order != torch.arange(len(order))).any())
    return [*words, " ".join(str(frame) for frame in order.tolist())] if moved else words


def _page(columns: list[list[_Cell]], height: int, width: int) -> Pillow.Image:
    page = Pillow.new("RGB", ((width + 4) * len(columns), height * len(columns[0])), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(10)
    for x, column in enumerate(columns):
        for y, (image, words) in enumerate(column):
            corner = (x * (width + 4), y * height)
            page.paste(Pillow.fromarray(np.ascontiguousarray(image)), corner)
            for line, text in enumerate(words):
                spot = (corner[0] + 2, corner[1] + image.shape[0] + line * _LINE)
                pen.text(spot, text, fill="black", font=font)
    return page
