"""Findings become one HTML page that needs no other file: for a screen, a phone and paper."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2

from sonoplane import __version__
from sonoplane.records import Box, Findings, KeyFrame, Segment, Timeline
from sonoplane.report.findings_json import to_json
from sonoplane.report.images import inline_jpeg
from sonoplane.report.plots import shown_classes, timeline_svg
from sonoplane.report.words import clock, count, percent

__all__ = ["render", "report_html"]

#: Segments listed at most; `findings.json` holds all.
MOST_SEGMENTS = 200

#: How the network's region became known, in a reader's words.
ORIGINS = {
    "card": "fixed by the network's card",
    "dicom": "declared by the scanner (DICOM)",
    "pixels": "found in the pixels",
    "whole": "the whole frame, since no region is known",
}

#: Files that may lie beside the page, and what is to be seen in them.
BESIDE = {"explanation.html": "Where the network looked", "overlay.mp4": "Video of where it looked"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shown:
    """A key frame as the page shows it."""

    keyframe: KeyFrame
    image: str
    """Inline, cropped to `part`."""
    part: Box
    """What is shown of the frame: the ultrasound region, or all of it where the region does not fit."""
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plane:
    """The key frames of one plane, and how long it was seen."""

    label: str
    shown: tuple[_Shown, ...]
    seen: str


def report_html(
    findings: Findings, timeline: Timeline, image_names: Sequence[str], beside: Collection[str] = ()
) -> str:
    """The page of one recording; `image_names` are the key frames' files, in their order.

    `beside` are the files that lie beside the page; those of `BESIDE` are linked.
    """
    document = to_json(findings, image_names)
    segments = sorted(
        sorted(findings.segments, key=lambda s: s.start - s.stop)[:MOST_SEGMENTS], key=lambda s: s.start
    )
    return render(
        "report.html.j2",
        findings=findings,
        document=document,
        duration_s=_duration_s(timeline),
        planes=_planes(findings, timeline, image_names),
        boxed=any(keyframe.box for keyframe in findings.keyframes),
        links={name: words for name, words in BESIDE.items() if name in beside},
        wide=timeline_svg(findings, timeline, width=800),
        narrow=timeline_svg(findings, timeline, width=350),
        n_hidden=len(findings.classes) - len(shown_classes(findings)),
        likeliest=_likeliest(timeline),
        segments=segments,
        times_s=timeline.times_s,
        origin=ORIGINS[findings.region.origin],
        settings=json.dumps(document["settings"], indent=2, ensure_ascii=False),
    )


def render(template: str, **shown: Any) -> str:
    """Fill a template of this room; everything put in is escaped unless the template says it is safe."""
    return _templates().get_template(template).render(version=__version__, **shown)


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sonoplane", "report/templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, clock=clock, count=count)
    return environment


def _planes(findings: Findings, timeline: Timeline, image_names: Sequence[str]) -> list[_Plane]:
    """Planes that have key frames, in the order of the classes."""
    shown: dict[str, list[_Shown]] = {}
    for keyframe, name in zip(findings.keyframes, image_names, strict=True):
        part = _part(keyframe, findings.region.box)
        image = inline_jpeg(keyframe.image, box=part)
        shown.setdefault(keyframe.label, []).append(
            _Shown(keyframe=keyframe, image=image, part=part, name=name)
        )
    order = {label: place for place, label in enumerate(findings.classes)}
    return [
        _Plane(
            label=label,
            shown=tuple(shown[label]),
            seen=_seen([s for s in findings.segments if s.label == label], timeline.fps),
        )
        for label in sorted(shown, key=lambda label: order.get(label, len(order)))
    ]


def _part(keyframe: KeyFrame, region: Box) -> Box:
    height, width = keyframe.image.shape[:2]
    if region.fits(height=height, width=width):
        return region
    return Box(left=0, top=0, right=width, bottom=height)


def _likeliest(timeline: Timeline) -> list[tuple[str, float]]:
    """Classes and probabilities of the first frame, the largest first, at most ten."""
    first = timeline.probabilities[0].tolist()
    return sorted(zip(timeline.classes, first, strict=True), key=lambda pair: -pair[1])[:10]


def _seen(segments: Sequence[Segment], fps: float | None) -> str:
    """How long a plane was seen.

    >>> _seen([Segment(start=10, stop=40, label="heart", probability=0.9)], 30.0)
    'seen in 30 frames (1.0 s), 1 run'
    """
    n_frames = sum(segment.stop - segment.start for segment in segments)
    length = f" ({clock(n_frames / fps, digits=1)})" if fps else ""
    return f"seen in {count(n_frames, 'frame')}{length}, {count(len(segments), 'run')}"


def _duration_s(timeline: Timeline) -> float | None:
    """From the first frame to the end of the last; None where the source has no frame times."""
    return timeline.n_frames / timeline.fps if timeline.fps else None
