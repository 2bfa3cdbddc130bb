"""A live feed goes through the network frame by frame: what a recording would be told, as its frames come."""

from collections import deque
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32

from sonoplane.errors import UsageError
from sonoplane.inference.backends import Answered, Backend
from sonoplane.inference.passes import begin
from sonoplane.inference.predictor import Seen
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.timeline import softmax
from sonoplane.inference.ways import Way, run_of, way_of
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.models.bundle import Bundle
from sonoplane.models.reach import frames_ahead, frames_seen
from sonoplane.records import Box, Frame

__all__ = ["Probabilities", "Streamer", "live_run"]

Probabilities: TypeAlias = Float32[np.ndarray, "classes"]
"""Of one frame, calibrated, in the order of the card's classes."""


def live_run(run: RunSettings) -> RunSettings:
    """How a backend for a live feed is opened: it answers each frame as soon as it can, and does not wait for more.

    >>> live_run(RunSettings(mode="dense")).piece
    1
    """
    return run.model_copy(update={"piece": 1})


class Streamer:
    """Says of each frame of a feed what it shows, as soon as that can be said; memory does not grow.

    What it says is what one dense pass over all frames says (in clip mode: what each frame's clip says), whatever was
    before the last `reset`. A device's loop is:

        run = live_run(run_of(bundle))
        streamer = Streamer(bundle, open_backend(bundle, "auto", run), run, box=region.box)
        for image in feed:
            probabilities = streamer.push(image)

    `run` is how the network is run (if not given, as the bundle says), and is the backend's as well. `box` is the
    ultrasound region in the frames; None: they are all ultrasound.

    Raises:
        UsageError: the network, or the backend, cannot answer in that mode.
        BundleError: the bundle's calibration is broken.
    """

    def __init__(
        self, bundle: Bundle, backend: Backend, run: RunSettings | None = None, *, box: Box | None = None
    ) -> None:
        self.card = bundle.card
        self.backend = backend
        self.box = box
        self.way: Way = way_of(bundle.spec, run_of(bundle) if run is None else run)
        self.calibration = Calibration.from_dict(bundle.calibration, bundle.card.classes)
        self._specs = [member.spec for member in bundle.members] or [bundle.spec]
        self.reset()

    @property
    def delay(self) -> int:
        """How many frames after a frame must have come before it is answered."""
        if self.way.mode != "dense":
            return 0
        return max(frames_ahead(spec) for spec in self._specs) * self.way.step

    @property
    def receptive_field(self) -> int:
        """How many frames of the feed, from the first to the last of them, one answer can depend on."""
        if self.way.mode != "dense":
            return self.way.span
        return (max(frames_seen(spec) for spec in self._specs) - 1) * self.way.step + 1

    def push(self, image: np.ndarray) -> Probabilities | None:
        """Take the next frame, an `Image`; the probabilities of the one that came `delay` frames before it.

        Those are of this very frame where the network does not look ahead. None while that frame has no answer: before
        the first, and a few frames longer where a network repeats its first answer at the start. `see` gives all.

        Raises:
            UsageError: the image is none of 8 bits, gray or RGB; it changes nothing.
        """
        _check(image)
        seen = self.see(Frame(index=self._n_taken, time_s=None, image=image))
        return self.probabilities(seen[-1]) if seen and len(self._waiting) == self.delay else None

    def see(self, frame: Frame) -> tuple[Seen, ...]:
        """Take the next frame; the frames that can be answered by now, in order, with their logits.

        That is this frame itself where the network does not look ahead. A frame that is refused changes nothing. Where
        the network fails, all frames are forgotten, as by `reset`.

        Raises:
            UsageError: the image is none of 8 bits, gray or RGB.
        """
        _check(frame.image)
        prepared = self.card.geometry(frame.image, self.box)
        inputs = self.card.values(prepared[None])
        try:
            logits = self._pass.go_on(inputs)
        except BaseException:
            self.reset()
            raise
        self._waiting.append((frame, prepared))
        self._n_taken += 1
        return self._told(logits)

    def finish(self) -> tuple[Seen, ...]:
        """The feed has ended: the frames that waited for others after them, and a new beginning."""
        seen = self._told(self._pass.end())
        self.reset()
        return seen

    def reset(self) -> None:
        """Forget all frames: another feed begins."""
        self._pass = begin(self.backend, self.way, live=True)
        self._waiting: deque[tuple[Frame, np.ndarray]] = deque()
        self._n_taken = 0

    def probabilities(self, seen: Seen) -> Probabilities:
        """The calibrated probabilities of a frame's logits."""
        return softmax(self.calibration.apply(seen.logits))

    def _told(self, logits: Answered) -> tuple[Seen, ...]:
        """The frames that have waited longest, with their logits."""
        told = []
        for row in logits:
            frame, prepared = self._waiting.popleft()
            told.append(Seen(frame=frame, prepared=prepared, logits=row))
        return tuple(told)


def _check(image: np.ndarray) -> None:
    """Raise a UsageError where an image cannot be read as a frame."""
    shape = image.shape
    if image.dtype != np.uint8 or 0 in shape or not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)):
        raise UsageError(
            f"A frame is uint8, height x width or height x width x 3 (RGB); this one is {image.dtype}, "
            f"{' x '.join(map(str, shape))}.",
            advice="Bring its values to 0 to 255, and channels behind rows and columns.",
        )
