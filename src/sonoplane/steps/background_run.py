"""One network is asked about single frames, as they are or altered, and is made to tell where it looked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float32, UInt8

from sonoplane.frames.archive import Archive
from sonoplane.inference.attribution import open_explainer
from sonoplane.inference.backends import Backend, BatchBackend, EnsembleBackend
from sonoplane.inference.ensembles import mean_answer
from sonoplane.inference.explaining import Explainer, Maps, Sight, sight_of
from sonoplane.inference.localize import Localizer, can_localize
from sonoplane.inference.passes import begin
from sonoplane.inference.settings import RunSettings
from sonoplane.inference.ways import Way, way_of
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.models.bundle import Bundle

__all__ = ["BackgroundRun", "Pictures"]

Image: TypeAlias = UInt8[np.ndarray, "height width ..."]
Pictures: TypeAlias = tuple[Image, ...]
"""The frames that the network sees together to answer one of them, in order, at its input's size."""


@dataclass(frozen=True, kw_only=True)
class BackgroundRun:
    """A network with its backend and, from when it is first needed, its explainer."""

    bundle: Bundle
    backend: Backend = field(repr=False)
    run: RunSettings
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """Arithmetic of the look."""

    @cached_property
    def sight(self) -> Sight:
        """Which frames are seen together."""
        return sight_of(self.bundle.spec, self._way)

    def pictures(self, store: Archive, recording: str, frame: int) -> Pictures:
        """The frames that this one is answered from; the first and the last stand for those before and after."""
        last = store.entry(recording).n_frames - 1
        numbers = [min(max(number, 0), last) for number in self.sight.frames(frame)]
        images = store.read_frames(recording, numbers)
        return tuple(self.bundle.card.geometry(image) for image in images)

    def logits(self, versions: Sequence[Pictures]) -> Float32[np.ndarray, "versions classes"]:
        """What is answered to each version of a frame, calibrated."""
        inputs = np.stack([self.bundle.card.values(pictures) for pictures in versions])
        calibration = Calibration.from_dict(self.bundle.calibration, self.bundle.card.classes)
        return calibration.apply(self._answers(self.backend, inputs))

    def maps(self, pictures: Pictures, target: int) -> Maps:
        """How much each pixel of each frame counted for a class.

        Raises:
            MissingExtra: it takes torch, and that is not installed.
        """
        return self._explainer(self.bundle.card.values(pictures), target)

    @cached_property
    def _way(self) -> Way:
        return way_of(self.bundle.spec, self.run)

    @cached_property
    def _explainer(self) -> Explainer:
        if can_localize(self.bundle):
            return Localizer(self.bundle, self.run, self.precision)
        return open_explainer(self.bundle, "guided-backprop", self.run)

    def _answers(
        self, backend: Backend, inputs: Float32[np.ndarray, "versions time channel height width"]
    ) -> Float32[np.ndarray, "versions classes"]:
        if isinstance(backend, EnsembleBackend):
            return mean_answer(np.stack([self._answers(member, inputs) for member in backend.members]))
        if self._way.mode == "frame" and isinstance(backend, BatchBackend):
            return backend(inputs[:, 0])
        if self._way.mode == "clip" and isinstance(backend, BatchBackend):
            return backend(np.ascontiguousarray(np.moveaxis(inputs, 2, 1)))
        return np.stack([self._in_one_pass(backend, run) for run in inputs])

    def _in_one_pass(
        self, backend: Backend, run: Float32[np.ndarray, "time channel height width"]
    ) -> Float32[np.ndarray, "classes"]:
        """Frames of a run lie `step` apart already."""
        going = begin(backend, Way(mode="dense"))
        rows = [row for rows in (going.go_on(run), going.end()) for row in rows]
        return np.asarray(rows[self.sight.place])
