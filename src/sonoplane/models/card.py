"""The card: what a network expects and answers; the only place where pixels become network input."""

import hashlib
import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeAlias, get_args

import cv2
import numpy as np
import tomli_w
from jaxtyping import Float32, UInt8
from PIL import Image as Pillow

from sonoplane.errors import UsageError
from sonoplane.models.normalization import Normalization, NormalizationKind, normalize
from sonoplane.models.toml_table import COMPARE, number, one_of, pair, take, text, texts
from sonoplane.records import Box, Image

__all__ = ["Card", "FixedCrop", "builtin_card", "builtin_cards"]

Sized: TypeAlias = UInt8[np.ndarray, "rows columns"] | UInt8[np.ndarray, "rows columns 3"]
"""One frame at the card's size."""
Batch: TypeAlias = UInt8[np.ndarray, "batch height width"] | UInt8[np.ndarray, "batch height width 3"]
"""Frames at the card's size."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FixedCrop:
    """The same rectangle of every frame, as one scanner's export needs it."""

    rows: tuple[int, int]
    """First row, and the row after the last."""
    columns: tuple[int, int]
    """First column, and the column after the last."""
    frame: tuple[int, int] | None = None
    """Height and width of the frames that it was made for; None: any frame that it fits into."""

    def __post_init__(self) -> None:
        box = self.box  # which is refused where it holds no pixel
        if self.frame and not box.fits(height=self.frame[0], width=self.frame[1]):
            raise UsageError(
                f"The crop of rows {self.rows} and columns {self.columns} leaves its frame of {self.frame}.",
                advice="Give rows and columns inside `frame` (height, width).",
            )

    @property
    def box(self) -> Box:
        """The rectangle."""
        return Box(left=self.columns[0], top=self.rows[0], right=self.columns[1], bottom=self.rows[1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """What a network expects (crop, size, gray conversion, normalization) and answers (its classes).

    Gray is always the float mean of the channels, and resizing Pillow's BILINEAR on uint8.

    >>> card = Card(classes=("heart", "other"), background="other", size=(4, 6))
    >>> card.protocol
    ('heart',)
    >>> frame = np.arange(96, dtype=np.uint8).reshape(8, 12)
    >>> card.values(card.geometry(frame)[None]).shape
    (1, 1, 4, 6)
    """

    classes: tuple[str, ...]
    """Names in the order of the logits."""
    size: tuple[int, int]
    """Height and width of the network's input, in pixels."""
    background: str | None = None
    """The class that is no plane, if there is one."""
    protocol: tuple[str, ...] = ()
    """The planes to look for; left out: all classes but the background."""
    crop: FixedCrop | None = None
    """None: the ultrasound region, as it is found in each recording."""
    fit: Literal["stretch", "pad"] = "stretch"
    """`pad` keeps the aspect ratio, with black around; `stretch` does not."""
    normalization: Normalization = field(default_factory=lambda: Normalization(kind="standardize-image"))

    def __post_init__(self) -> None:
        if not self.protocol:
            planes = tuple(name for name in self.classes if name != self.background)
            object.__setattr__(self, "protocol", planes)
        _check(self)

    def geometry(self, image: Image, box: Box | None = None) -> Sized:
        """Cut `box` out of a frame (None: keep all of it) and resize it to the card's size.

        Color stays color; channels that are one and the same memory stay that. The answer is a copy only where it has
        to be.
        """
        if box is not None:
            if not box.fits(height=image.shape[0], width=image.shape[1]):
                raise UsageError(
                    f"{box} leaves the frame of {image.shape[0]} x {image.shape[1]} (height x width).",
                    advice="Clip the box to the frame first.",
                )
            image = image[box.slices]
        if _is_one_gray(image):
            gray = _resize(image[..., 0], self.size, self.fit)
            return np.broadcast_to(gray[..., None], (*gray.shape, 3))
        return _resize(image, self.size, self.fit)

    def values(self, images: Batch | Sequence[Sized]) -> Float32[np.ndarray, "batch 1 height width"]:
        """Network input from frames that have been through `geometry`, each frame by itself."""
        size = images[0].shape[:2] if len(images) else self.size
        inputs = np.empty((len(images), 1, *size), np.float32)
        for image, (row,) in zip(images, inputs, strict=True):
            _values(image, self.normalization, row)
        return inputs

    def placed(self, box: Box, within: Box) -> Box:
        """Where a rectangle of the network's input lies in the frame that `within` was cut out of.

        Edges go outwards to whole pixels, and never beyond `within`.

        >>> card = Card(classes=("heart",), size=(10, 10), fit="pad")
        >>> card.placed(Box(left=5, top=3, right=10, bottom=10), Box(left=100, top=50, right=140, bottom=70))
        Box(left=120, top=54, right=140, bottom=70)
        """
        inner = self._inner(within)
        down, along = within.height / inner.height, within.width / inner.width
        left, right = ((x - inner.left) * along + within.left for x in (box.left, box.right))
        top, bottom = ((y - inner.top) * down + within.top for y in (box.top, box.bottom))
        whole = Box(
            left=min(max(math.floor(left), within.left), within.right - 1),
            top=min(max(math.floor(top), within.top), within.bottom - 1),
            right=max(math.ceil(right), within.left + 1),
            bottom=max(math.ceil(bottom), within.top + 1),
        )
        return whole.clip(height=within.bottom, width=within.right)

    def spread(
        self, image: Float32[np.ndarray, "height width"], within: Box
    ) -> Float32[np.ndarray, "rows columns"]:
        """An image of the size of the network's input, such as a map of what counted, at the size of `within`.

        >>> card = Card(classes=("heart",), size=(10, 10), fit="pad")
        >>> card.spread(np.ones((10, 10), np.float32), Box(left=0, top=0, right=40, bottom=20)).shape
        (20, 40)
        """
        cut = np.ascontiguousarray(image[self._inner(within).slices])
        return np.asarray(cv2.resize(cut, (within.width, within.height), interpolation=cv2.INTER_LINEAR))

    def _inner(self, within: Box) -> Box:
        """The part of the network's input that a rectangle of a frame fills."""
        top, left, rows, columns = _filled((within.height, within.width), self.size, self.fit)
        return Box(left=left, top=top, right=left + columns, bottom=top + rows)

    def fixed_box(self, height: int, width: int) -> Box | None:
        """The card's own crop, where it has one and it applies to frames of this size; else None.

        >>> builtin_card("fetal").fixed_box(735, 975)
        Box(left=81, top=115, right=874, bottom=734)
        >>> builtin_card("fetal").fixed_box(600, 800) is None
        True
        """
        if self.crop is None:
            return None
        if self.crop.frame is not None:
            return self.crop.box if self.crop.frame == (height, width) else None
        return self.crop.box if self.crop.box.fits(height=height, width=width) else None

    @property
    def geometry_hash(self) -> str:
        """Changes with anything that changes the pixels of `geometry`; archives keep it."""
        return _digest(_geometry_table(self))

    @property
    def hash(self) -> str:
        """Changes with anything that changes the network's input; class names do not count."""
        return _digest({"geometry": _geometry_table(self), "normalization": asdict(self.normalization)})

    def with_classes(self, classes: tuple[str, ...], background: str | None = None) -> "Card":
        """The same input, other answers."""
        return replace(self, classes=classes, background=background, protocol=())

    def to_toml(self) -> str:
        """The card as readable TOML; `Card.from_toml` reads it back."""
        plain = tomli_w.dumps(_without_none({"format": 1, **asdict(self)}))
        return _HEADER + _PAIR.sub(r"[\1, \2]", plain)

    @classmethod
    def from_toml(cls, text: str) -> "Card":
        """Read a card, strictly: an unknown or missing key or a wrong type is a UsageError.

        >>> Card.from_toml(builtin_card("fetal").to_toml()) == builtin_card("fetal")
        True
        """
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"The card is not TOML: {error}.", advice=COMPARE) from error
        return _from_table(cls, table)


@cache
def builtin_card(name: str) -> Card:
    """A card that comes with sonoplane: `fetal`, of the published SonoNet and SmallNet weights."""
    if name not in builtin_cards():
        raise UsageError(
            f"There is no built-in card {name!r}.", advice=f"Use one of {', '.join(builtin_cards())}."
        )
    return Card.from_toml((_folder() / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def builtin_cards() -> tuple[str, ...]:
    """The names of the built-in cards."""
    names = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


_HEADER = "# What the network expects and answers. size and frame are height, width; stops are exclusive.\n"

#: The gray levels that a color frame can have, as the mean of three channels; a gray frame has every third of them.
_LEVELS = np.arange(3 * 255 + 1) / 3

_PAIR = re.compile(r"\[\n\s*(\d+),\n\s*(\d+),\n\]")


def _folder() -> Any:
    return files("sonoplane.models") / "builtin_cards"


def _check(card: Card) -> None:
    """Raise a UsageError at the first thing that is wrong with a card."""
    names = card.classes
    if not names or len(set(names)) != len(names) or not all(name.strip() for name in names):
        raise UsageError(
            f"A card needs different, non-empty class names, not {list(names)}.",
            advice="List every class once, in the order of the network's outputs.",
        )
    strangers = {*card.protocol, *([card.background] if card.background else [])} - set(names)
    if strangers:
        raise UsageError(
            f"{', '.join(map(repr, sorted(strangers)))} of `background` or `protocol` is not in `classes`.",
            advice=f"Use names of its classes: {', '.join(names)}.",
        )
    if min(card.size) < 1:
        raise UsageError(f"The size {card.size} holds no pixel.", advice="Give height, width above zero.")


def _is_one_gray(image: Image) -> bool:
    """Whether the three channels of an image are one and the same memory."""
    return image.ndim == 3 and image.strides[2] == 0


def _values(image: Sized, how: Normalization, into: Float32[np.ndarray, "rows columns"]) -> None:
    """Gray as the sum of the channels, counted; what each sum becomes; and that looked up for each pixel."""
    if image.ndim == 3 and not _is_one_gray(image):
        total, step = np.add(image[..., 0], image[..., 1], dtype=np.uint16) + image[..., 2], 1
    else:
        total, step = np.ascontiguousarray(image if image.ndim == 2 else image[..., 0]), 3
    counts = np.zeros(len(_LEVELS))
    seen = counts[::step]
    seen[:] = cv2.calcHist([total], [0], None, [len(seen)], [0, len(seen)]).ravel()
    made = np.ascontiguousarray(normalize(_LEVELS, counts, how)[::step])
    if total.dtype == np.uint8:
        cv2.LUT(total, made, dst=into)
    else:
        np.take(made, total, out=into, mode="clip")


def _resize(image: Image, size: tuple[int, int], fit: str) -> Sized:
    """Resize with Pillow's BILINEAR, uint8 in and out."""
    height, width = image.shape[:2]
    if (height, width) == size:
        return np.ascontiguousarray(image)
    if fit == "stretch":
        return _bilinear(image, *size)
    top, left, rows, columns = _filled((height, width), size, fit)
    padded = np.zeros((*size, *image.shape[2:]), np.uint8)
    padded[top : top + rows, left : left + columns] = _bilinear(image, rows, columns)
    return padded


def _filled(frame: tuple[int, int], size: tuple[int, int], fit: str) -> tuple[int, int, int, int]:
    """What of the card's size a frame of this height and width fills: first row and column, rows, columns."""
    if fit == "stretch":
        return 0, 0, *size
    scale = min(size[0] / frame[0], size[1] / frame[1])
    rows, columns = (
        min(side, max(1, round(length * scale))) for side, length in zip(size, frame, strict=True)
    )
    return (size[0] - rows) // 2, (size[1] - columns) // 2, rows, columns


def _bilinear(image: Image, rows: int, columns: int) -> Sized:
    picture = Pillow.fromarray(np.ascontiguousarray(image))
    return np.array(picture.resize((columns, rows), Pillow.Resampling.BILINEAR))


def _geometry_table(card: Card) -> dict[str, Any]:
    crop = asdict(card.crop) if card.crop else None
    return {"size": card.size, "fit": card.fit, "crop": crop, "resampling": "pillow-bilinear"}


def _digest(table: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    """TOML has no null: leave such keys out."""
    return {
        key: _without_none(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }


def _from_table(kind: type[Card], table: dict[str, Any]) -> Card:
    """Build a card from parsed TOML, key by key, so that nothing is overlooked or guessed."""
    rest = dict(table)
    if rest.pop("format", None) != 1:
        raise UsageError(
            "The card has no `format = 1`: another version of sonoplane wrote it.",
            advice="Read it with that version, or update sonoplane.",
        )
    crop, norm = rest.pop("crop", None), rest.pop("normalization", None)
    fields: dict[str, Any] = take(rest, "", _CARD)
    if crop is not None:
        fields["crop"] = FixedCrop(**take(crop, "crop.", _CROP))
    if norm is not None:
        fields["normalization"] = Normalization(**take(norm, "normalization.", _NORMALIZATION))
    return kind(**fields)


#: Every key of a card: how it is read, and whether it must be there.
_CARD = {
    "classes": (texts, True),
    "size": (pair, True),
    "background": (text, False),
    "protocol": (texts, False),
    "fit": (one_of("stretch", "pad"), False),
}
_CROP = {"rows": (pair, True), "columns": (pair, True), "frame": (pair, False)}
_NORMALIZATION = {
    "kind": (one_of(*get_args(NormalizationKind)), True),
    "scale": (number, False),
    "mean": (number, False),
    "std": (number, False),
}
