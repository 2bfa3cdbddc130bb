"""A frame with what counted in it: a translucent color for each pixel, a box, and a line of words below the frame."""

import unicodedata
from functools import cache
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from sonoplane.records import Box, Image

__all__ = [
    "Map",
    "Rgb",
    "Strength",
    "boxed",
    "captioned",
    "drawable",
    "heated",
    "overlay",
    "strip_height",
    "strongest",
]

Map: TypeAlias = Float32[np.ndarray, "rows columns"]
"""How much each pixel of a rectangle of the frame counted; below zero, against the class."""
Rgb: TypeAlias = UInt8[np.ndarray, "_high _wide 3"]
"""RGB."""

#: The share of pixels that are no stronger than the one that sets the scale: single pixels may exceed it.
_SHARE = 0.998
#: How much of the tissue the strongest color covers.
_COVER = 0.72
_BOX, _AGAINST = (80, 220, 255), (70, 120, 255)
_PAPER, _LETTERS, _SOFT = (16, 20, 26), (240, 243, 246), (160, 170, 182)
#: What Pillow's own font has beyond ASCII, of what we write.
_HAS = frozenset("·…")
#: Frames in which the scale of a video falls to half, where nothing so strong comes again.
_HALF_LIFE = 12


def strongest(relevance: Map) -> float:
    """What stands for the strongest color: a value that almost no pixel of the map exceeds, 0 where nothing counted.

    >>> strongest(np.array([[0, 1], [-4, 2]], np.float32))
    4.0
    """
    size = np.abs(relevance).ravel()
    place = min(int(_SHARE * size.size), size.size - 1)
    return float(np.partition(size, place)[place])


class Strength:
    """The scale of the colors through a video: up at once, down slowly, so that nothing flickers."""

    def __init__(self) -> None:
        self._held = 0.0
        self._class: str | None = None

    def __call__(self, relevance: Map, of_class: str) -> float:
        """The scale for the next frame; it begins anew where another class is explained."""
        if of_class != self._class:
            self._held, self._class = 0.0, of_class
        self._held = max(strongest(relevance), self._held * 0.5 ** (1 / _HALF_LIFE))
        return self._held


def overlay(image: Image, relevance: Map | None, within: Box, scale: float, box: Box | None = None) -> Rgb:
    """The frame with its colors and its box, as far as there are any."""
    picture = _rgb(image) if relevance is None else heated(image, relevance, within, scale)
    return picture if box is None else boxed(picture, box)


def heated(image: Image, relevance: Map, within: Box, scale: float) -> Rgb:
    """The frame, `within` of it colored: from nothing over purple and orange to yellow at `scale`; blue: against.

    >>> frame, within = np.full((4, 4), 100, np.uint8), Box(left=1, top=1, right=3, bottom=3)
    >>> drawn = heated(frame, np.array([[0, 1], [0, 0]], np.float32), within, 1.0)
    >>> drawn[1, 1].tolist(), bool((drawn[1, 2] != 100).all()), drawn[0, 0].tolist()
    ([100, 100, 100], True, [100, 100, 100])
    """
    picture = _rgb(image)
    if scale <= 0:
        return picture
    colors, rest = _palette()
    levels = (np.clip(relevance / np.float32(scale), -1, 1) * 127 + 128.5).astype(np.uint8)
    place = picture[within.slices]
    dimmed = cv2.multiply(place, cv2.applyColorMap(levels, rest), scale=1 / 255)
    picture[within.slices] = cv2.add(dimmed, cv2.applyColorMap(levels, colors))
    return picture


def boxed(picture: Rgb, box: Box) -> Rgb:
    """A copy with the box drawn on its outermost pixels, the thicker the larger the picture is.

    >>> boxed(np.zeros((5, 6, 3), np.uint8), Box(left=1, top=1, right=5, bottom=4))[..., 1].tolist()[1:3]
    [[0, 220, 220, 220, 220, 0], [0, 220, 0, 0, 220, 0]]
    """
    drawn = picture.copy()
    thick = max(1, min(round(min(picture.shape[:2]) / 240), box.width // 4, box.height // 4))
    for inset in range(thick):
        first = box.left + inset, box.top + inset
        last = box.right - 1 - inset, box.bottom - 1 - inset
        cv2.rectangle(drawn, first, last, _BOX, 1)
    return drawn


def captioned(picture: Rgb, said: str, moment: str = "") -> Rgb:
    """The picture with a line of words in a strip below it, so that none of the picture is covered.

    Words that have no room end in an ellipsis; `moment` stands on the right where there is room for both. Letters that
    the font lacks lose their marks, or become question marks: see `drawable`.

    >>> captioned(np.zeros((200, 300, 3), np.uint8), "kidney 93 %", "4.10 s").shape
    (222, 300, 3)
    """
    height, width = picture.shape[:2]
    return np.concatenate([picture, _strip(width, strip_height(height), drawable(said), drawable(moment))])


def strip_height(height: int) -> int:
    """How high the strip below a picture of this height is."""
    return max(22, round(height / 18 / 2) * 2)


def drawable(words: str) -> str:
    """Words in letters that the font has, which are few.

    >>> drawable("Längs · 93\N{NO-BREAK SPACE}%"), drawable("肝")
    ('Langs · 93 %', '?')
    """
    plain = (unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() for letter in words)
    return "".join(
        letter if letter in _HAS else other or "?" for letter, other in zip(words, plain, strict=True)
    )


def _strip(width: int, height: int, said: str, moment: str) -> Rgb:
    font = _font(round(height * 0.58))
    strip = Pillow.new("RGB", (width, height), _PAPER)
    pen, margin = ImageDraw.Draw(strip), round(height * 0.35)
    room = width - 2 * margin
    aside = pen.textlength(moment, font)
    if moment and pen.textlength(said, font) + margin + aside <= room:
        pen.text((width - margin, height / 2), moment, _SOFT, font, anchor="rm")
    pen.text((margin, height / 2), _fitting(said, room, font), _LETTERS, font, anchor="lm")
    return np.asarray(strip)


def _fitting(words: str, room: float, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont") -> str:
    if font.getlength(words) <= room:
        return words
    while words and font.getlength(words + "…") > room:
        words = words[:-1]
    return words.rstrip() + "…"


@cache
def _font(size: int) -> "ImageFont.FreeTypeFont | ImageFont.ImageFont":
    return ImageFont.load_default(size)


@cache
def _palette() -> tuple[UInt8[np.ndarray, "256 1 3"], UInt8[np.ndarray, "256 1 3"]]:
    """Of each level, 0 to 255 with 128 for nothing: the color times its cover, and what shows of the tissue."""
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    inferno = cv2.cvtColor(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    share = (np.arange(256) - 128) / 127
    strength = np.clip(np.abs(share), 0, 1)[:, None, None]
    color = np.where(
        share[:, None, None] > 0,
        inferno[(60 + 195 * np.clip(share, 0, 1)).astype(np.uint8)],
        np.array(_AGAINST),
    )
    cover = _COVER * strength**0.8
    return (color * cover).astype(np.uint8), np.repeat(255 * (1 - cover) + 0.5, 3, axis=2).astype(np.uint8)


def _rgb(image: Image) -> Rgb:
    """A copy in color."""
    if image.ndim == 2 or image.strides[2] == 0:
        gray = np.ascontiguousarray(image if image.ndim == 2 else image[..., 0])
        return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), np.uint8)
    return np.array(image)
