"""Which few frames of each plane a physician should see: chosen while the recording is read, in bounded memory."""

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import cv2
import numpy as np

from sonoplane.inference.explaining import Sight
from sonoplane.inference.predictor import Seen
from sonoplane.inference.settings import KeyFrameSettings
from sonoplane.inference.timeline import softmax
from sonoplane.metrics.calibration_record import Calibration
from sonoplane.records import Box, Frame, Image, KeyFrame, Segment

__all__ = ["KeyFrameChooser", "Locate", "sharpness"]

Locate: TypeAlias = Callable[[Sequence[np.ndarray], str], Box | None]
"""Where a frame shows a plane, told from what the card's geometry made of the frames that are looked at with it."""

#: Candidates kept for each key frame asked for: spares, for those that turn out blurred or in too short a run.
_SPARES = 2
#: Frames whose sharpness is remembered at most: where more come, every second one is forgotten, then every second of
#: the further ones never remembered, and so on.
_MOST_REMEMBERED = 2**14


def sharpness(image: Image) -> float:
    """Fine detail as a share of all contrast: the variance of the Laplacian over that of the image.

    Gain does not change it; motion blur and defocus lower it. A frame of one value has none.

    >>> import numpy as np
    >>> edges = np.kron(np.eye(8, dtype=np.uint8), np.full((4, 4), 200, np.uint8))
    >>> sharpness(edges) > sharpness(cv2.blur(edges, (3, 3)))
    True
    """
    if image.ndim == 2:
        gray = image
    elif image.strides[2] == 0:  # one gray for all three channels
        gray = np.ascontiguousarray(image[..., 0])
    else:
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    contrast, detail = _spread(gray), _spread(cv2.Laplacian(gray, cv2.CV_16S))
    return (detail / contrast) ** 2 if contrast else 0.0


def _spread(image: np.ndarray) -> float:
    """The standard deviation over all pixels."""
    return float(cv2.meanStdDev(image)[1].item())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Candidate:
    frame: Frame = field(repr=False)
    probability: float
    sharpness: float
    worth: float
    around: "_Around | None" = field(default=None, repr=False)


class _Around:
    """The prepared frames that are looked at together to say where one of them shows its plane, as far as they came."""

    def __init__(self, sight: Sight, frame: int, past: Iterable[tuple[int, np.ndarray]]) -> None:
        self._numbers = sight.frames(frame)
        self._kept = {number: prepared for number, prepared in past if number in self._numbers}

    def add(self, prepared: np.ndarray, frame: int) -> bool:
        """Take a later frame, if it is one of them; whether further ones are waited for."""
        if frame in self._numbers:
            self._kept[frame] = prepared
        return frame < self._numbers[-1]

    def clip(self, first: np.ndarray, last: np.ndarray) -> list[np.ndarray]:
        """All of them in order; the recording's first and last frame stand for those that there are not."""
        return [self._kept.get(number, first if number < 0 else last) for number in self._numbers]


class KeyFrameChooser:
    """Remembers the best few frames of each plane, apart in time, and settles on the key frames at the end.

    A frame's worth is its probability times how sharp it is beside the frames so far; of two candidates closer
    than the settings allow, the worthier stays. A frame is a candidate only once its label has held long enough, so
    that flickers, however sure, never take the places of a plane. With `sight`, the prepared frames are kept that are
    looked at to tell where a key frame shows its plane.
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        planes: Sequence[str],
        settings: KeyFrameSettings | None = None,
        calibration: Calibration | None = None,
        sight: Sight | None = None,
    ) -> None:
        self.classes = classes
        self.sight = sight
        self.calibration = calibration or Calibration(classes=classes)
        self.planes = tuple(planes)
        self.settings = settings or KeyFrameSettings()
        self._sharpness_so_far: list[float] = []
        self._remember_each = 1
        self._n_seen = 0
        self._candidates: dict[str, list[_Candidate]] = {plane: [] for plane in planes}
        self._run_label = ""
        self._run_length = 0
        self._waiting: list[_Candidate] = []
        self._past: deque[tuple[int, np.ndarray]] = deque(maxlen=sight.before + 1 if sight else 0)
        self._ends: tuple[np.ndarray, np.ndarray] | None = None
        """What the first and the latest frame became."""
        self._open: list[_Around] = []

    def add(self, seen: Seen) -> None:
        """Consider the next frame."""
        sharp = sharpness(seen.prepared)
        self._remember(sharp)
        self._past.append((seen.frame.index, seen.prepared))
        self._ends = (self._ends[0] if self._ends else seen.prepared, seen.prepared)
        self._open = [around for around in self._open if around.add(seen.prepared, seen.frame.index)]
        probabilities = softmax(self.calibration.apply(seen.logits))
        best = int(probabilities.argmax())
        plane, probability = self.classes[best], float(probabilities[best])
        if plane != self._run_label:
            self._run_label, self._run_length = plane, 0
            self._waiting.clear()
        self._run_length += 1
        if plane in self._candidates and probability >= self.settings.min_probability:
            self._waiting.append(self._candidate(seen, probability, sharp))
        if self._run_length >= self.settings.min_run:
            self._admit()

    def best(self, plane: str) -> int | None:
        """The number of the frame of a plane that is worth most so far; None while it has no candidate."""
        held = self._candidates.get(plane)
        return max(held, key=lambda candidate: candidate.worth).frame.index if held else None

    def _remember(self, sharp: float) -> None:
        if self._n_seen % self._remember_each == 0:
            insort(self._sharpness_so_far, sharp)
        self._n_seen += 1
        if len(self._sharpness_so_far) > _MOST_REMEMBERED:
            del self._sharpness_so_far[::2]
            self._remember_each *= 2

    def _candidate(self, seen: Seen, probability: float, sharp: float) -> _Candidate:
        typical = self._sharpness_so_far[len(self._sharpness_so_far) // 2]
        relative = min(1.0, sharp / typical) if typical else 1.0
        around = _Around(self.sight, seen.frame.index, self._past) if self.sight else None
        if around:
            self._open.append(around)
        return _Candidate(
            frame=seen.frame,
            probability=probability,
            sharpness=sharp,
            worth=probability * relative,
            around=around,
        )

    def _admit(self) -> None:
        """The run has lasted: what waited for that becomes a candidate."""
        for candidate in self._waiting:
            self._offer(self._run_label, candidate)
        self._waiting.clear()

    def choose(self, segments: Sequence[Segment], locate: Locate | None = None) -> tuple[KeyFrame, ...]:
        """The key frames, plane by plane in the protocol's order, the best of each first; with boxes by `locate`."""
        n_frames = segments[-1].stop if segments else 0
        if self._run_length == n_frames:  # a recording shorter than the shortest run
            self._admit()
        shortest = min(self.settings.min_run, n_frames)
        lasting = [segment for segment in segments if segment.stop - segment.start >= shortest]
        return tuple(
            keyframe
            for plane in self.planes
            for keyframe in self._choose_of(plane, [s for s in lasting if s.label == plane], locate)
        )

    def _choose_of(self, plane: str, runs: list[Segment], locate: Locate | None) -> list[KeyFrame]:
        held = [
            (candidate, run)
            for candidate in sorted(self._candidates[plane], key=lambda c: (-c.worth, c.frame.index))
            for run in runs
            if run.start <= candidate.frame.index < run.stop
        ]
        sharp = [pair for pair in held if self._rank(pair[0].sharpness) >= self.settings.blurred_below]
        chosen = (sharp or held)[: self.settings.per_plane]
        return [self._tell(plane, candidate, run, locate) for candidate, run in chosen]

    def _tell(self, plane: str, candidate: _Candidate, run: Segment, locate: Locate | None) -> KeyFrame:
        rank = self._rank(candidate.sharpness)
        length = run.stop - run.start
        if self._n_seen == 1:
            reason = "The only frame."
        else:
            reason = (
                f"In a run of {length} {'frame' if length == 1 else 'frames'} "
                f"({run.start} to {run.stop - 1}); at least as sharp as {rank:.0%} of the recording."
            )
        return KeyFrame(
            frame=candidate.frame.index,
            time_s=candidate.frame.time_s,
            label=plane,
            probability=candidate.probability,
            sharpness=rank,
            reason=reason,
            image=candidate.frame.image,
            box=self._box(candidate, plane, locate),
        )

    def _box(self, candidate: _Candidate, plane: str, locate: Locate | None) -> Box | None:
        if locate is None or candidate.around is None or self._ends is None:
            return None
        return locate(candidate.around.clip(*self._ends), plane)

    def _rank(self, value: float) -> float:
        """Share of the recording's frames that are no sharper."""
        return bisect_right(self._sharpness_so_far, value) / len(self._sharpness_so_far)

    def _offer(self, plane: str, candidate: _Candidate) -> None:
        """Take the candidate in, unless a worthier one is too near or all places are held by worthier ones."""
        held = self._candidates[plane]
        near = [other for other in held if self._too_near(other.frame, candidate.frame)]
        if any(other.worth >= candidate.worth for other in near):
            return
        held[:] = [other for other in held if not any(other is one for one in near)]
        held.append(candidate)
        if len(held) > self.settings.per_plane * _SPARES:
            del held[min(range(len(held)), key=lambda i: held[i].worth)]

    def _too_near(self, one: Frame, other: Frame) -> bool:
        if one.time_s is None or other.time_s is None:
            return abs(one.index - other.index) < self.settings.apart_frames
        return abs(one.time_s - other.time_s) < self.settings.apart_s
