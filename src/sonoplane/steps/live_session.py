"""One live feed, from its first frame to its last: what each frame shows, and what is kept of it."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sonoplane.errors import DamagedRecording
from sonoplane.frames.cleaning import Blanking
from sonoplane.inference.backends import Backend
from sonoplane.inference.keyframes import KeyFrameChooser
from sonoplane.inference.predictor import Predictor, Seen
from sonoplane.inference.smoothing import StreamSmoother
from sonoplane.inference.smoothing_transitions import transitions_of
from sonoplane.inference.streaming import Probabilities, Streamer
from sonoplane.models.bundle import Bundle
from sonoplane.records import Findings, Timeline
from sonoplane.steps.failures import failure_of
from sonoplane.steps.live_line import LiveLine
from sonoplane.steps.live_pace import AnswerRate, Latencies
from sonoplane.steps.live_recording import LiveRecording
from sonoplane.steps.live_region import LiveRegion
from sonoplane.steps.live_timeline import LiveSegments, LiveTimeline
from sonoplane.steps.locating import locator_of
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.telling import Shown, findings_of
from sonoplane.video.live_line import Arrived
from sonoplane.video.live_source import LiveFacts

__all__ = ["LiveAnswer", "Session", "Streamed"]

#: What happened before a frame is noted for so many frames in the findings; further ones are counted.
_MOST_NOTES = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveAnswer:
    """What is said of one frame as soon as it can be."""

    frame: int
    """Its number among the answered frames, from 0; with `dropped` added, its number in the source."""
    time_s: float | None
    plane: str
    """After forward-only smoothing."""
    probability: float
    """Of that plane."""
    probabilities: Probabilities
    """Of all classes, smoothed, in the card's order."""
    latency_ms: float
    """From the frame's arrival to this answer."""
    fps: float
    """Answers a second of late."""
    dropped: int
    """Frames before this one that were not answered: given up for newer ones, or without ultrasound yet."""
    changed: bool
    """Whether the frame before showed another plane."""
    keyframe: int | None
    """Of the frames of this plane before this one, the number of the one that is worth most to be seen, if any is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Streamed:
    """What became of a feed."""

    frames: int
    dropped: int
    """Given up for newer ones."""
    passed: int
    """Came first, and showed no ultrasound yet."""
    median_ms: float | None
    """Of the latency, once answers had caught up with the feed; None where they never did."""
    p99_ms: float | None
    found: tuple[str, ...]
    missing: tuple[str, ...]
    folder: Path | None = None
    """The recording, or what could be written of it, where one was asked for."""
    failure: Exception | None = None
    """What ended the feed, or its video, before its time."""


class Session:
    """One feed, from its first frame to its last."""

    def __init__(self, facts: LiveFacts, bundle: Bundle, backend: Backend, recipe: Recipe) -> None:
        card = bundle.card
        self._facts, self._bundle, self._backend, self._recipe = facts, bundle, backend, recipe
        self._streamer = Streamer(bundle, backend, recipe.run)
        self._streamer.push(np.zeros(card.size, np.uint8))  # the first answer of a backend takes longest
        self._streamer.reset()
        self._smoother = StreamSmoother(card.classes, recipe.smoothing, transitions_of(bundle), fps=facts.fps)
        self._segments = LiveSegments()
        self._rate, self._latencies = AnswerRate(), Latencies()
        self._notes: list[str] = []
        self._n_notes = 0
        self._n_taken = self._n_answered = self._n_dropped = 0
        self._first_arrived_s: float | None = None
        self._latest: int | None = None
        """The number, in the source, of the frame that was answered last."""
        self._waiting: deque[tuple[Arrived, bool]] = deque()
        """Frames in the network, and whether answers had caught up with the feed when they were taken."""
        self._timeline: LiveTimeline | None = None
        self._recording: LiveRecording | None = None

    def begin(self, found: LiveRegion, record: Path | None, name: str) -> None:
        """The region is known."""
        self._found, self._name = found, name
        self._notes += [f"Before the first frame: {note}" for note in found.notes]
        self._n_notes += len(found.notes)
        self._streamer.box = found.region.box
        self._blanked = Blanking(found.region)
        # boxes are drawn on key frames that are kept
        self._locator = locator_of(self._bundle, self._recipe) if record else None
        card = self._bundle.card
        self._chooser = KeyFrameChooser(
            card.classes,
            card.protocol,
            self._recipe.keyframes,
            self._streamer.calibration,
            self._locator.sight if self._locator else None,
        )
        if record:
            facts = self._facts
            self._timeline = LiveTimeline(name, self._bundle.card.classes)
            self._recording = LiveRecording(
                record, name, height=facts.height, width=facts.width, fps=facts.fps
            )

    def follow(self, line: LiveLine, on_answer: Callable[[LiveAnswer], None]) -> None:
        """Answer frame by frame, first those in which the region was found."""
        for arrived in line:
            self._take(arrived, on_answer, fresh=line.settled)
        for seen in self._streamer.finish():
            self._answer(seen, on_answer)

    def finish(self, failure: Exception | None) -> Streamed:
        """Put what was recorded in its place, and sum up."""
        recording = self._recording
        try:
            if not self._n_answered:
                raise failure or DamagedRecording(
                    "No frame came from the source.", advice="Check that it sends anything."
                )
            folder = None
            if recording and self._timeline:
                recording.close()
                findings, timeline = self._findings(self._timeline, failure)
                folder, found = recording.finish(findings, timeline), findings.found
            else:
                keyframes = self._chooser.choose(self._segments.segments())
                found = tuple(p for p in self._bundle.card.protocol if any(k.label == p for k in keyframes))
        except Exception as error:
            if recording and self._n_answered:
                recording.keep(error)
            raise
        finally:
            if recording:
                recording.give_up()
        return Streamed(
            frames=self._n_answered,
            dropped=self._n_dropped - self._found.n_passed,
            passed=self._found.n_passed,
            median_ms=self._latencies.percentile(50),
            p99_ms=self._latencies.percentile(99),
            found=found,
            missing=tuple(plane for plane in self._bundle.card.protocol if plane not in found),
            folder=folder,
            failure=failure or (recording.error if recording else None),
        )

    def _take(self, arrived: Arrived, on_answer: Callable[[LiveAnswer], None], *, fresh: bool) -> None:
        """Clean a frame, and answer what can be answered with it."""
        frame = arrived.frame
        if self._first_arrived_s is None:
            self._first_arrived_s = arrived.arrived_s
        if frame.note:
            self._n_notes += 1
            if len(self._notes) < _MOST_NOTES:
                self._notes.append(f"Frame {self._n_taken}: {frame.note}")
        self._waiting.append((arrived, fresh))
        cleaned = replace(frame, index=self._n_taken, image=self._blanked(frame.image))
        self._n_taken += 1
        for seen in self._streamer.see(cleaned):
            self._answer(seen, on_answer)

    def _answer(self, seen: Seen, on_answer: Callable[[LiveAnswer], None]) -> None:
        """Smooth and tell what a frame shows; then see what to keep of it."""
        arrived, fresh = self._waiting.popleft()
        missed = 0 if self._latest is None else arrived.frame.index - self._latest - 1
        self._latest = arrived.frame.index
        smoothed = self._smoother.push(self._streamer.probabilities(seen)[None], missed=missed)
        probabilities, number = smoothed.probabilities[0], int(smoothed.path[0])
        plane, probability = self._bundle.card.classes[number], float(probabilities[number])
        latency_ms = 1000 * (time.monotonic() - arrived.arrived_s)
        if fresh:
            self._latencies.add(latency_ms)
        self._n_dropped = arrived.frame.index - seen.frame.index
        self._n_answered += 1
        answer = LiveAnswer(
            frame=seen.frame.index,
            time_s=seen.frame.time_s,
            plane=plane,
            probability=probability,
            probabilities=probabilities,
            latency_ms=latency_ms,
            fps=self._rate.tell(),
            dropped=self._n_dropped,
            changed=self._segments.add(plane, probability),
            keyframe=self._chooser.best(plane),
        )
        try:
            on_answer(answer)
        finally:
            self._chooser.add(seen)
            if self._recording and self._timeline:
                since_s = arrived.arrived_s - (self._first_arrived_s or 0.0)
                time_s = since_s if seen.frame.time_s is None else seen.frame.time_s
                self._timeline.add(seen.logits, probabilities, number, seen.frame.time_s)
                self._recording.add(seen.frame.image, time_s)

    def _findings(self, told: LiveTimeline, failure: Exception | None) -> tuple[Findings, Timeline]:
        facts, found = self._facts, self._found
        timeline = told.build(facts.fps if facts.kind == "file" and not self._n_dropped else None)
        shown = Shown(
            recording=self._name,
            fps=timeline.fps,
            height=facts.height,
            width=facts.width,
            region=found.region,
            facts=facts.recorded,
            warnings=found.warnings,
        )
        findings = findings_of(
            shown,
            timeline,
            self._chooser,
            bundle=self._bundle,
            backend=self._backend,
            recipe=self._recipe,
            locate=self._locator.within(found.region.box) if self._locator else None,
            notes=self._said(timeline.n_frames, failure),
        )
        return findings, timeline

    def _said(self, n_frames: int, failure: Exception | None) -> list[str]:
        """What happened on the way."""
        notes = list(self._notes)
        if self._n_notes > len(notes):
            notes.append(f"{self._n_notes - len(notes)} more frames had something to note.")
        if n_passed := self._found.n_passed:
            notes.append(
                f"The first {n_passed} frames of the feed showed no ultrasound yet; they are left out."
            )
        if self._n_dropped > n_passed:
            notes.append(
                f"{self._n_dropped - n_passed} frames of the feed were given up for newer ones, since they came faster "
                "than they could be answered."
            )
        if self._recording and self._recording.n_repeated:
            notes.append(
                f"In {self._recording.n_repeated} frames the video shows the one before: it was written too slowly."
            )
        streamer = self._streamer
        notes += filter(
            None,
            [
                Predictor(streamer.card, streamer.backend, streamer.way).shortage(n_frames),
                self._smoother.note,
            ],
        )
        if failure:
            notes.append(f"It ended before its time: {failure_of('', failure).reason}")
        if self._recording and self._recording.error:
            notes.append(self._recording.error.message)
        return notes
