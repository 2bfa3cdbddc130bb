"""Which frames of a clip mattered: what the network no longer says when a frame is taken out."""

import numpy as np
from jaxtyping import Float32, Float64

from sonoplane.errors import UsageError
from sonoplane.inference.backends import (
    Answered,
    Backend,
    BackendChoice,
    BatchBackend,
    EnsembleBackend,
    open_backend,
)
from sonoplane.inference.ensembles import mean_answer
from sonoplane.inference.explaining import Clip, check_asked, sight_of
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.ways import way_of
from sonoplane.models.bundle import Bundle

__all__ = ["TemporalOcclusion"]


class TemporalOcclusion:
    """Takes frames out of clips, one after the other.

    In place of a frame stands the nearest that is still there, of two the one before: the clip stays as plausible as
    it was, and only what was new in the frame is gone. A gray frame would be a flicker that no network was trained
    with, and most of what it changes would be that. Needs no torch where prediction needs none.

    Raises:
        UsageError: the network is given single frames.
    """

    def __init__(self, bundle: Bundle, run: RunSettings, *, choice: BackendChoice = "auto") -> None:
        self.sight = sight_of(bundle.spec, way_of(bundle.spec, run))
        if self.sight.length == 1:
            raise UsageError(
                f"'{bundle.spec.name}' is given one frame at a time, so there is none to compare it with.",
                advice="Ask this of a network that sees clips.",
            )
        self._n_classes, self._size = len(bundle.card.classes), bundle.card.size
        clips = {"mode": "clip", "clip_length": self.sight.length, "clip_step": self.sight.step}
        run = run.model_copy(update={**clips, "precision": "float32"})
        self._members = _members(open_backend(bundle, choice, run))
        self._batch = max(1, run.batch // self.sight.length)

    def __call__(self, clip: Clip, target: int) -> Float32[np.ndarray, "time"]:
        """How much lower the log odds of the class are without each frame; below zero, it spoke against the class.

        Log odds are the logarithm of p / (1 - p). The probability itself hardly moves where it is near 0 or 1, and a
        logit may rise together with all others.

        Raises:
            UsageError: the clip is of another length than `sight` says, or there is no such class.
        """
        check_asked(clip, target, sight=self.sight, size=self._size, n_classes=self._n_classes)
        length = self.sight.length
        orders = np.array([range(length), *(without(frame, length) for frame in range(length))])
        chunks = np.split(orders, range(self._batch, len(orders), self._batch))
        logits = np.concatenate([self._answer(clip[chunk]) for chunk in chunks])
        odds = _log_odds(logits.astype(np.float64), target)
        return np.asarray(odds[0] - odds[1:], np.float32)

    def _answer(self, clips: Float32[np.ndarray, "clips time 1 height width"]) -> Answered:
        """Logits of clips."""
        inputs = np.ascontiguousarray(clips.swapaxes(1, 2))
        return mean_answer(np.stack([member(inputs) for member in self._members]))


def without(frame: int, length: int) -> list[int]:
    """Frames by number, one of them replaced by the one before, the first by the second.

    >>> without(2, 5), without(0, 5)
    ([0, 1, 1, 3, 4], [1, 1, 2, 3, 4])
    """
    return [*range(frame), abs(frame - 1), *range(frame + 1, length)]


def _members(backend: Backend) -> tuple[BatchBackend, ...]:
    """Each network that answers clips."""
    members = backend.members if isinstance(backend, EnsembleBackend) else (backend,)
    return tuple(member for member in members if isinstance(member, BatchBackend))


def _log_odds(logits: Float64[np.ndarray, "clips classes"], target: int) -> Float64[np.ndarray, "clips"]:
    from scipy.special import logsumexp

    others = np.delete(logits, target, axis=1)
    return logits[:, target] - (logsumexp(others, axis=1) if others.size else 0.0)
