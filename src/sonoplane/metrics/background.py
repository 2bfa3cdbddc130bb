"""How much of what a network looked at lies around the ultrasound, beside what any look would put there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from sonoplane.errors import UsageError
from sonoplane.metrics.intervals import Estimate, interval

__all__ = [
    "READ",
    "BackgroundMeasured",
    "FrameLook",
    "Look",
    "Mask",
    "Places",
    "Shares",
    "contrast",
    "measure_background",
    "shares",
]

Mask: TypeAlias = Bool[np.ndarray, "height width"]

#: From so many times what is to be expected on, a look at the background is told to be high; of one class alone, twice
#: that, since a class that is known by what is missing is looked for everywhere. It was chosen on the networks of
#: `python -m studies.background`, and is a hint. What decides is how they answer with other backgrounds: see
#: `background_control`.
READ = 1.0
_OF_A_CLASS = 2.0

#: Odds of shares nearer to none and to all than this tell nothing more.
_LEAST = 0.001


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """What the pixels of a network's input show; what is in none of the masks is the inside of the sector."""

    outside: Mask = field(repr=False)
    """Neither sector nor found text: the screen around it, furniture, what was blanked, what fills up the input."""
    text: Mask = field(repr=False)
    """Writing that never moves, wherever it stands, and boxes in which some was blanked."""
    border: Mask = field(repr=False)
    """So near to where one meets the other that a map cannot tell them apart."""

    def __post_init__(self) -> None:
        if (self.outside & self.text | self.border & (self.outside | self.text)).any():
            raise UsageError(
                "A pixel is in two masks of a frame.",
                advice="Give each pixel one place: text first, then border.",
            )

    @property
    def background(self) -> Mask:
        """Outside the sector, or text."""
        return np.asarray(self.outside | self.text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """Where the weight of a map lies."""

    outside: float
    """Of what is not at the border, 0 to 1."""
    text: float
    """Likewise."""
    border: float
    """Of all, 0 to 1."""

    @property
    def background(self) -> float:
        """Outside the sector, or on text."""
        return self.outside + self.text


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameLook:
    """Where a network looked in one frame, and what could be expected there."""

    recording: str
    patient: str
    said: str
    """The class that it named, and that was asked after."""
    right: bool
    seen: Shares
    """Of the map."""
    area: Shares
    """Of pixels: what a map without any preference would give."""
    contrast: Shares
    """Of the picture's contrast: what finding edges alone would give, as networks that learned nothing do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """Where a network looked in some frames, each counting alike."""

    n: int
    n_recordings: int
    background: Estimate
    """Share of the map outside the sector or on text, with its interval over patients."""
    text: Estimate
    """Share of the map on text."""
    area: float
    """Share of pixels that are background."""
    contrast: float
    """Share of the picture's contrast that is there."""
    text_area: float
    text_contrast: float
    border: float
    """Share of the map that lies on the border, and so was not counted."""
    border_area: float

    @property
    def times(self) -> float:
        """How many times the odds of the background are those to be expected, by pixels or contrast: the larger."""
        return _times(self.background.value, max(self.area, self.contrast))

    @property
    def text_times(self) -> float | None:
        """The same for text alone; None where there is none."""
        return _times(self.text.value, max(self.text_area, self.text_contrast)) if self.text_area else None

    @property
    def high(self) -> bool:
        """Whether that is more than a network gives which reads tissue: in several patients, and not by chance."""
        low = self.background.low
        return low is not None and _times(low, max(self.area, self.contrast)) > READ

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        names = (
            "n",
            "n_recordings",
            "area",
            "contrast",
            "text_area",
            "text_contrast",
            "border",
            "border_area",
        )
        return {
            **{name: getattr(self, name) for name in names},
            "background": self.background.to_json(),
            "text": self.text.to_json(),
            "times": self.times,
            "text_times": self.text_times,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class BackgroundMeasured:
    """Where a network looked: in all frames, by the class that it named, by recording."""

    all: Look
    classes: Mapping[str, Look]
    """Class that was named -> frames in which it was, in the order of classes."""
    right: Look | None
    """None where no answer was right."""
    wrong: Look | None
    recordings: Mapping[str, Look]
    """Those with the most in the background first."""

    @property
    def high_classes(self) -> tuple[str, ...]:
        """Classes whose look at the background is high, and twice what is told to be."""
        return tuple(
            name for name, look in self.classes.items() if look.high and look.times >= _OF_A_CLASS * READ
        )

    @property
    def high(self) -> bool:
        """Whether a reader must be told."""
        return self.all.high or bool(self.high_classes)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "all": self.all.to_json(),
            "right": None if self.right is None else self.right.to_json(),
            "wrong": None if self.wrong is None else self.wrong.to_json(),
            "classes": {name: look.to_json() for name, look in self.classes.items()},
            "recordings": {name: look.to_json() for name, look in self.recordings.items()},
        }


def shares(weights: Float32[np.ndarray, "height width"], places: Places) -> Shares | None:
    """Where the absolute weights of a map lie; None where there is no background, or no weight off the border.

    >>> corner = np.zeros((4, 4), bool)
    >>> corner[:2, :2] = True
    >>> none = np.zeros((4, 4), bool)
    >>> places = Places(outside=corner, text=none, border=none)
    >>> shares(np.ones((4, 4), np.float32), places)
    Shares(outside=0.25, text=0.0, border=0.0)
    >>> shares(corner.astype(np.float32), places).background
    1.0

    Raises UsageError for NaN and for a map of another size.
    """
    if weights.shape != places.border.shape:
        raise UsageError(
            f"A map of {weights.shape} does not fit masks of {places.border.shape}.",
            advice="Bring both to the network's input size.",
        )
    if not np.isfinite(weights).all():
        raise UsageError(
            "A map holds NaN or infinity.", advice="Look for weights of the network that are NaN or huge."
        )
    size = np.abs(weights, dtype=np.float64)
    total, border = size.sum(), size[places.border].sum()
    counted = total - border
    if not places.background.any() or counted <= 0:
        return None
    return Shares(
        outside=float(size[places.outside].sum() / counted),
        text=float(size[places.text].sum() / counted),
        border=float(border / total),
    )


def contrast(image: UInt8[np.ndarray, "height width *color"]) -> Float32[np.ndarray, "height width"]:
    """How steep the picture is at each pixel, in gray levels a pixel.

    >>> contrast(np.array([[0, 0, 9, 9]] * 3, np.uint8))[1].tolist()
    [0.0, 4.5, 4.5, 0.0]
    """
    gray = image.astype(np.float32) if image.ndim == 2 else image.astype(np.float32).mean(axis=2)
    down, across = np.gradient(gray)
    return np.asarray(np.hypot(down, across), np.float32)


def measure_background(looks: Sequence[FrameLook], classes: Sequence[str]) -> BackgroundMeasured | None:
    """Where a network looked; None where no frame has a background.

    A frame's share is compared with the larger of two yardsticks: the share of pixels, and the share of the picture's
    contrast. Guided back-propagation shows edges even where a network learned nothing (Nie et al., ICML 2018), and
    text is all edges: pixels alone would make every text look read.
    """
    if not looks:
        return None
    groups = {name: [look for look in looks if look.said == name] for name in classes}
    by_recording: dict[str, list[FrameLook]] = {}
    for look in looks:
        by_recording.setdefault(look.recording, []).append(look)
    recordings = {name: _look(mine) for name, mine in by_recording.items()}
    right, wrong = ([look for look in looks if look.right is one] for one in (True, False))
    return BackgroundMeasured(
        all=_look(looks),
        classes={name: _look(mine) for name, mine in groups.items() if mine},
        right=_look(right) if right else None,
        wrong=_look(wrong) if wrong else None,
        recordings=dict(sorted(recordings.items(), key=lambda item: (-item[1].times, item[0]))),
    )


def _look(looks: Sequence[FrameLook]) -> Look:
    return Look(
        n=len(looks),
        n_recordings=len({look.recording for look in looks}),
        background=_over_patients(looks, [look.seen.background for look in looks]),
        text=_over_patients(looks, [look.seen.text for look in looks]),
        area=_mean([look.area.background for look in looks]),
        contrast=_mean([look.contrast.background for look in looks]),
        text_area=_mean([look.area.text for look in looks]),
        text_contrast=_mean([look.contrast.text for look in looks]),
        border=_mean([look.seen.border for look in looks]),
        border_area=_mean([look.area.border for look in looks]),
    )


def _over_patients(looks: Sequence[FrameLook], values: Sequence[float]) -> Estimate:
    names, whose = np.unique([look.patient for look in looks], return_inverse=True)
    return interval(
        np.bincount(whose, weights=np.clip(values, 0, 1), minlength=len(names)),
        np.bincount(whose, minlength=len(names)),
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _times(share: float | None, expected: float) -> float:
    part, whole = np.clip([share or 0.0, expected], _LEAST, 1 - _LEAST)
    return float(part / (1 - part) / (whole / (1 - whole)))
