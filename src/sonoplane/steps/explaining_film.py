"""Every frame with its colors, its box and its class becomes a video, and some of them a contact sheet."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonoplane.records import Findings, FrameBox, Timeline
from sonoplane.report.explanation import Glimpse
from sonoplane.report.images import inline_jpeg
from sonoplane.report.overlays import Strength, captioned, drawable, overlay, strip_height
from sonoplane.report.video import VideoFile
from sonoplane.report.words import clock, percent
from sonoplane.steps.explaining_maps import Mapped

__all__ = ["Film", "film"]

#: Frames of the contact sheet at most.
_GLIMPSES = 24
#: Frames a second of the video where the source has no frame times.
_FPS = 25.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Film:
    """What came of it besides the video."""

    boxes: tuple[FrameBox, ...]
    glimpses: tuple[Glimpse, ...]


def film(
    path: Path,
    seen: Iterable[Mapped],
    findings: Findings,
    timeline: Timeline,
    target: str | None,
    on_frame: Callable[[int], None],
) -> Film:
    """Write the video, frame n at the time of frame n; `target` is the class that was asked for, if one was."""
    height, width, region = findings.height, findings.width, findings.region.box
    strength, boxes, glimpses = Strength(), list[FrameBox](), list[Glimpse]()
    chosen = {round(place) for place in np.linspace(0, timeline.n_frames - 1, _GLIMPSES)}
    video = VideoFile(path, height=height + strip_height(height), width=width, fps=findings.fps or _FPS)
    try:
        for one, label in zip(seen, timeline.labels, strict=True):
            number, of_class = one.frame.index, target or label
            probability = float(timeline.probabilities[number, timeline.classes.index(of_class)])
            scale = 0.0 if one.relevance is None else strength(one.relevance, of_class)
            picture = overlay(one.frame.image, one.relevance, region, scale, one.box)
            said = f"{_name(of_class, timeline)} {percent(probability)}"
            said += "" if of_class == label else f" · taken for {_name(label, timeline)}"
            time_s = _time(timeline, number)
            moment = f"frame {number}" + ("" if time_s is None else f" · {clock(time_s)}")
            video.add(captioned(picture, said, moment), number / _FPS if time_s is None else time_s)
            if one.box is not None:
                boxes.append(FrameBox(frame=number, label=of_class, box=one.box))
            if number in chosen:
                glimpses.append(
                    Glimpse(
                        frame=number,
                        time_s=time_s,
                        label=of_class,
                        probability=probability,
                        picture=inline_jpeg(picture, box=region, longest=320, quality=80),
                    )
                )
            on_frame(number + 1)
    finally:
        video.close()
    return Film(boxes=tuple(boxes), glimpses=tuple(glimpses))


def _time(timeline: Timeline, frame: int) -> float | None:
    return None if timeline.times_s is None else float(timeline.times_s[frame])


def _name(label: str, timeline: Timeline) -> str:
    """The class, by its number where the video's font has no letter of its name."""
    if drawable(label).strip("? "):
        return label
    return f"class {timeline.classes.index(label)}"
