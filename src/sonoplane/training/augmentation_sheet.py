"""A sheet of varied clips for the eye: what the settings do to one's own recordings."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import TypeAlias

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

Cell: TypeAlias = tuple[UInt8[np.ndarray, "_rows _columns 3"], list[str]]
"""A picture and the lines of text below it."""

#: The setting that says how often an effect befalls a clip.
_SWITCHES = {
    effect: effect if effect.startswith(("flip_", "shuffle_")) else f"{effect}_share" for effect in EFFECTS
}

_FONT, _LINE, _GAP = 11, 14, 4
"""Size of letters, pixels that a line of text takes, pixels between pictures."""
_LEAST_WIDTH = 160
"""Smaller pictures are enlarged, pixel by pixel."""
_COLUMNS = 6
"""Pictures in a row, if there are no more clips than that."""


def augmentation_sheet(
    clips: UInt8[Tensor, "batch channel time height width"],
    settings: AugmentationSettings,
    seed: int = 0,
    *,
    draws: int = 4,
    captions: Sequence[str] = (),
    footer: Sequence[str] = (),
) -> UInt8[np.ndarray, "page_height page_width 3"]:
    """A column a clip: its caption, the clip as it is, and some draws with the effects that each got.

    Below, the first clip under each effect that may befall it, alone and at its strongest; then the lines of the
    footer. A clip is shown by its middle frame; where frames come in another order, that order is written below.

    >>> clips = torch.zeros(2, 1, 3, 40, 200, dtype=torch.uint8)
    >>> augmentation_sheet(clips, AugmentationSettings.off(zoom_share=1), draws=2, captions="ab").shape
    (268, 1224, 3)

    Raises:
        UsageError: there is no clip, or its channels are neither 1 nor 3.
    """
    if not len(clips) or clips.shape[1] not in (1, 3):
        raise UsageError(
            f"A sheet cannot be made of {len(clips)} clips with {clips.shape[1]} channels.",
            advice="Give at least one clip, gray or RGB.",
        )
    width = clips.shape[-1]
    n_columns = max(_COLUMNS, len(clips))
    wide = n_columns * (width * _factor(width) + _GAP)
    rows, singles = _varied(clips, settings, torch.Generator().manual_seed(seed), draws)
    strips = [_lines([[caption] for caption in captions], width)] if captions else []
    strips += [_cells(row) for row in rows]
    if singles:
        strips.append(_lines([["Each effect alone, at its strongest:"]], wide))
    strips += [_cells(singles[at : at + n_columns]) for at in range(0, len(singles), n_columns)]
    strips += [_lines([[part]], wide) for line in footer for part in _wrapped(line, wide)]
    return np.asarray(_page(strips, wide))


def _varied(
    clips: UInt8[Tensor, "batch channel time height width"],
    settings: AugmentationSettings,
    generator: torch.Generator,
    draws: int,
) -> tuple[list[list[Cell]], list[Cell]]:
    """All clips as they are and in some draws, and the first one under each effect alone."""
    batch, _, time, height, width = clips.shape
    drawn = [draw(settings, batch, (time, height, width), generator) for _ in range(draws)]
    alone = [draw(each, 1, (time, height, width), generator, full=True) for each in _each_alone(settings)]
    rows = [_row(clips, each) for each in (None, *drawn)]
    return rows, [_row(clips[:1], each)[0] for each in alone if each.names(0)]


def _each_alone(settings: AugmentationSettings) -> Iterator[AugmentationSettings]:
    """Settings with one effect that surely happens, for every effect that may."""
    shares = AugmentationSettings.off().model_dump()
    off = {name: value for name, value in shares.items() if name in _SWITCHES.values()}
    for effect in EFFECTS:
        if getattr(settings, _SWITCHES[effect]):
            yield settings.model_copy(update={**off, _SWITCHES[effect]: 1.0})


def _factor(width: int) -> int:
    """How many times a picture is enlarged."""
    return -(-_LEAST_WIDTH // width)


def _row(clips: UInt8[Tensor, "batch channel time height width"], drawn: Draw | None) -> list[Cell]:
    """A picture and its lines of text for each clip."""
    varied = clips if drawn is None else apply(clips, drawn).round().to(torch.uint8)
    middle = varied[:, :, clips.shape[2] // 2].movedim(1, -1).expand(-1, -1, -1, 3).numpy()
    times = _factor(clips.shape[-1])
    large = middle.repeat(times, axis=1).repeat(times, axis=2)
    return [(image, _words(drawn, number)) for number, image in enumerate(large)]


def _words(drawn: Draw | None, clip: int) -> list[str]:
    if drawn is None:
        return ["as it is"]
    order = drawn.frame_order[clip]
    words = [name.replace("_", " ") for name in drawn.names(clip)] or ["nothing"]
    moved = bool((order != torch.arange(len(order))).any())
    return [*words, " ".join(str(frame) for frame in order.tolist())] if moved else words


def _wrapped(line: str, width: int) -> list[str]:
    """The line in pieces of about this many pixels."""
    return textwrap.wrap(line, max(20, 2 * width // _FONT)) or [""]


def _lines(columns: list[list[str]], width: int) -> Pillow.Image:
    """Text alone, a column of so many pixels each."""
    return _cells([(np.empty((0, width * _factor(width), 3), np.uint8), words) for words in columns])


def _cells(cells: Sequence[Cell]) -> Pillow.Image:
    """Pictures side by side, each with its lines of text below it."""
    height, width = cells[0][0].shape[:2]
    lines = max(len(words) for _, words in cells)
    strip = Pillow.new("RGB", (len(cells) * (width + _GAP), height + lines * _LINE + _GAP), "white")
    pen, font = ImageDraw.Draw(strip), ImageFont.load_default(_FONT)
    for place, (image, words) in enumerate(cells):
        left = place * (width + _GAP)
        if height:
            strip.paste(Pillow.fromarray(np.ascontiguousarray(image)), (left, 0))
        for line, text in enumerate(words):
            pen.text((left + 2, height + line * _LINE), text, fill="black", font=font)
    return strip


def _page(strips: Sequence[Pillow.Image], width: int) -> Pillow.Image:
    """Strips below each other."""
    page = Pillow.new("RGB", (width, sum(strip.height for strip in strips)), "white")
    top = 0
    for strip in strips:
        page.paste(strip, (0, top))
        top += strip.height
    return page
