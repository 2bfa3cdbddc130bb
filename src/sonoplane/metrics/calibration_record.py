"""What a bundle's `calibration.json` holds: how logits become probabilities to believe, and when not to answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Float32

from sonoplane.errors import BundleError, UsageError
from sonoplane.metrics.abstention import Threshold
from sonoplane.metrics.calibration import Belief
from sonoplane.metrics.calibration_settings import FIT_AGAIN
from sonoplane.metrics.ood import Likeness

__all__ = ["Calibration", "Kind", "Mode"]

Kind: TypeAlias = Literal["identity", "temperature", "vector"]
"""Logits as they are; divided by one number; besides, a factor and a term for each class."""
Mode: TypeAlias = Literal["frame", "clip", "dense"]
"""How answers are given: each frame by itself, from the clip that ends with it, or all of them in one pass."""

_IN_WORDS: Mapping[Mode, str] = {
    "frame": "frame by frame",
    "clip": "clip by clip",
    "dense": "in one dense pass",
}

#: Of the file; another format is refused, never guessed at.
FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Calibrated logits are `logits / temperature * scale + bias`; with what was found out when that was fitted."""

    classes: tuple[str, ...]
    kind: Kind = "identity"
    temperature: float = 1.0
    """Above 1: the network was surer than right. It never changes which class is the likeliest."""
    scale: tuple[float, ...] = ()
    """A factor for each class; empty: 1 for all."""
    bias: tuple[float, ...] = ()
    """A term for each class; empty: 0 for all."""
    why: str = ""
    """Why it is simpler than was asked for."""
    n_frames: int = 0
    """Labelled validation samples it was fitted on."""
    n_patients: int = 0
    mode: Mode | None = None
    """How the network answered them; None where an earlier version has not kept that."""
    before: Belief | None = None
    """Of the network's own probabilities on validation, every patient counting alike."""
    after: Belief | None = None
    """Of calibrated ones, each patient's by a calibration fitted without them; None where nothing was fitted."""
    thresholds: tuple[Threshold, ...] = ()
    """From which probability on a recording's label is given, for several precisions."""
    why_no_thresholds: str = ""
    likeness: Likeness | None = None
    """Which frames are like those of validation; None where these were too few to tell."""

    def __post_init__(self) -> None:
        n_classes = len(self.classes)
        numbers = [self.temperature, *self.scale, *self.bias]
        if (
            n_classes < 1
            or self.kind not in ("identity", "temperature", "vector")
            or {len(self.scale), len(self.bias)} - {0, n_classes}
            or not np.isfinite(numbers).all()
            or min(self.temperature, *self.scale, 1.0) <= 0
        ):
            raise UsageError(
                f"A calibration of {n_classes} classes with temperature {self.temperature}, {len(self.scale)} factors "
                f"and {len(self.bias)} terms cannot be.",
                advice="Give finite numbers, one for each class, factors and temperature above 0.",
            )
        if self.mode is not None and self.mode not in _IN_WORDS:
            raise UsageError(
                f"There is no mode {self.mode!r}.", advice=f"Give one of {', '.join(_IN_WORDS)}."
            )

    def apply(self, logits: Float[np.ndarray, "*rows classes"]) -> Float32[np.ndarray, "*rows classes"]:
        """Calibrated logits; the softmax of these is what can be believed.

        >>> Calibration(classes=("kidney", "liver"), kind="temperature", temperature=2).apply(np.array([3.0, 1.0]))
        array([1.5, 0.5], dtype=float32)
        """
        if self.kind == "identity":
            return np.asarray(logits, dtype=np.float32)
        scaled = np.asarray(logits, dtype=np.float64) / self.temperature
        if self.scale:
            scaled = scaled * np.array(self.scale)
        if self.bias:
            scaled = scaled + np.array(self.bias)
        return np.asarray(scaled, dtype=np.float32)

    def threshold(self, wished: float, *, cautious: bool = True) -> Threshold | None:
        """The threshold fitted for this precision, or for the next higher one; None where there is none."""
        kept = [t for t in self.thresholds if t.cautious == cautious and t.wished >= wished - 1e-9]
        return min(kept, key=lambda t: t.wished, default=None)

    def elsewhere(self, mode: Mode) -> str | None:
        """What is to be said of answers in another mode than those that it was fitted on; else None.

        >>> Calibration(classes=("kidney",), kind="temperature", temperature=2, mode="clip").elsewhere("dense")
        'The network was calibrated clip by clip and answered in one dense pass: how sure it says it is may be off.'
        """
        fitted = self.kind != "identity" or self.thresholds or self.likeness
        if self.mode is None or self.mode == mode or not fitted:
            return None
        return (
            f"The network was calibrated {_IN_WORDS[self.mode]} and answered {_IN_WORDS[mode]}: "
            "how sure it says it is may be off."
        )

    def to_dict(self) -> dict[str, Any]:
        """As `calibration.json` keeps it: no recording and no patient is named.

        >>> made = Calibration(classes=("kidney", "liver"), kind="temperature", temperature=1.5)
        >>> Calibration.from_dict(made.to_dict(), made.classes) == made
        True
        """
        return {
            "format": FORMAT,
            "kind": self.kind,
            "classes": list(self.classes),
            "temperature": self.temperature,
            "scale": list(self.scale),
            "bias": list(self.bias),
            "why": self.why,
            "n_frames": self.n_frames,
            "n_patients": self.n_patients,
            "mode": self.mode,
            "before": self.before.to_dict() if self.before else None,
            "after": self.after.to_dict() if self.after else None,
            "thresholds": [threshold.to_dict() for threshold in self.thresholds],
            "why_no_thresholds": self.why_no_thresholds,
            "likeness": self.likeness.to_dict() if self.likeness else None,
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any] | None, classes: tuple[str, ...]) -> "Calibration":
        """What a bundle keeps (None, as imported weights have it: the identity), for a network of these classes.

        Raises:
            BundleError: it is of another format, of other classes, or not whole.
        """
        if table is None:
            return cls(classes=classes, why="It was never fitted.")
        if not isinstance(table, Mapping) or table.get("format") != FORMAT:
            found = table.get("format") if isinstance(table, Mapping) else None
            raise BundleError(
                f"The bundle's calibration has format {found!r}; this version of sonoplane reads {FORMAT}.",
                advice=f"Use the version of sonoplane that wrote it. {FIT_AGAIN}",
            )
        try:
            made = _read(cls, table)
        except (KeyError, TypeError, ValueError, UsageError) as error:
            told = error.message if isinstance(error, UsageError) else str(error)
            raise BundleError(
                f"The bundle's calibration cannot be understood: {told.rstrip('.')}.", advice=FIT_AGAIN
            ) from error
        if made.classes != classes:
            raise BundleError(
                "The bundle's calibration is of other classes than its card's.", advice=FIT_AGAIN
            )
        return made


def _read(cls: type[Calibration], table: Mapping[str, Any]) -> Calibration:
    return cls(
        classes=tuple(table["classes"]),
        kind=table["kind"],
        temperature=float(table["temperature"]),
        scale=tuple(float(value) for value in table["scale"]),
        bias=tuple(float(value) for value in table["bias"]),
        why=str(table["why"]),
        n_frames=int(table["n_frames"]),
        n_patients=int(table["n_patients"]),
        mode=table.get("mode"),
        before=Belief(**table["before"]) if table["before"] else None,
        after=Belief(**table["after"]) if table["after"] else None,
        thresholds=tuple(Threshold(**row) for row in table["thresholds"]),
        why_no_thresholds=str(table["why_no_thresholds"]),
        likeness=Likeness(**table["likeness"]) if table["likeness"] else None,
    )
