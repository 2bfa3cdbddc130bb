"""The course of a training: what every epoch came to, and the best of them with its weights and answers."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Int64
from torch import Tensor

from sonoplane.metrics.scores import scores_of

__all__ = ["Best", "Course", "Monitor", "Row", "figures_of", "history_csv"]

Monitor: TypeAlias = Literal["loss", "accuracy", "macro_f1"]
Row: TypeAlias = dict[str, float]
"""The figures of an epoch by name; `epoch` counts from 0."""


@dataclass(kw_only=True, slots=True)
class Best:
    """The best epoch so far."""

    epoch: int
    """From 1."""
    weights: dict[str, Tensor] = field(repr=False)
    logits: Tensor = field(repr=False)
    """What it answers on validation: samples x answers x classes, float32."""
    confusion: Tensor = field(repr=False)
    """Counts: a row for each true class, a column for each answer."""


@dataclass(kw_only=True, slots=True)
class Course:
    """How far a training has come. It decides from its rows alone which epoch is best and when to stop."""

    monitor: Monitor = "loss"
    patience: int = 6
    epochs: int = 1
    history: list[Row] = field(default_factory=list)
    best: Best | None = None

    def is_best(self, row: Row) -> bool:
        """Whether this epoch is better than all before it."""
        value = self._badness(row)
        return math.isfinite(row["val_loss"]) and all(value < self._badness(old) for old in self.history)

    @property
    def losses(self) -> list[float]:
        """Validation losses so far."""
        return [row["val_loss"] for row in self.history]

    @property
    def over(self) -> bool:
        """Whether there is nothing more to do: all epochs, too many without a better one, or it diverged."""
        n_done = len(self.history)
        if not n_done:
            return False
        waited = n_done - (self.best.epoch if self.best else 0)
        return n_done >= self.epochs or waited >= self.patience or not math.isfinite(self.losses[-1])

    def state(self) -> dict[str, Any]:
        """Plain values and tensors, to be saved."""
        best = self.best
        kept = best and {name: getattr(best, name) for name in Best.__slots__}
        return {"history": [dict(row) for row in self.history], "best": kept}

    def resume(self, state: dict[str, Any]) -> None:
        """Take `state` back."""
        self.history = [dict(row) for row in state["history"]]
        self.best = Best(**state["best"]) if state["best"] else None

    def _badness(self, row: Row) -> float:
        value = row[f"val_{self.monitor}"]
        if math.isnan(value):
            return math.inf
        return value if self.monitor == "loss" else -value


def figures_of(part: str, loss: float, confusion: Int64[np.ndarray, "truth answer"]) -> Row:
    """The figures of one part (`train`, `val`) of an epoch, over the whole of it.

    Macro F1 is the mean over the classes that have labels; 0 where nothing was counted.

    >>> figures_of("val", 0.5, np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))["val_accuracy"]
    0.875
    """
    if not confusion.any():
        return {f"{part}_loss": loss, f"{part}_accuracy": 0.0, f"{part}_macro_f1": 0.0}
    scores = scores_of(confusion, [str(place) for place in range(len(confusion))])
    f1 = [each.f1 or 0.0 for each in scores.classes if each.support]
    return {
        f"{part}_loss": loss,
        f"{part}_accuracy": scores.accuracy,
        f"{part}_macro_f1": float(np.mean(f1)),
    }


def history_csv(history: Sequence[Row]) -> str:
    """The rows as a table, epochs counted from 1.

    >>> print(history_csv([{"epoch": 0.0, "val_loss": 0.25}]), end="")
    epoch,val_loss
    1,0.25
    """
    text = io.StringIO()
    if history:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(history[0])
        for row in history:
            writer.writerow([int(row["epoch"]) + 1, *(f"{row[name]:.6g}" for name in row if name != "epoch")])
    return text.getvalue()
