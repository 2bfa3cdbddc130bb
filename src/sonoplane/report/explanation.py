"""What counted for a network's answers becomes one HTML page that needs no other file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sonoplane.records import Box, Findings, Image, KeyFrame
from sonoplane.report.html import render
from sonoplane.report.images import inline_jpeg, write_png
from sonoplane.report.overlays import Map, overlay, strongest

__all__ = ["ClipFrame", "Explained", "Explanation", "Glimpse", "Shown", "explanation_html", "show"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Method:
    """A method in a reader's words."""

    does: str
    limits: str
    signed: bool = False
    """Whether it tells what spoke against the class."""


#: A change of the log odds that a bar of full length stands for at least: noise shall not look like a finding.
_MUCH = 0.1
_COARSE = "It is as coarse as those feature maps: its edges mean little."
METHODS = {
    "guided-backprop": _Method(
        does="Guided back-propagation: from the class's score back to the pixels, along paths on which more signal "
        "raises the score. It shows which edges and textures the network picked up.",
        limits="It favors edges, and has no sign: pixels that spoke against the class may be colored too.",
    ),
    "grad-cam": _Method(
        does="Grad-CAM: the network's last feature maps, each weighted by how much it raises the class's score.",
        limits=_COARSE,
    ),
    "grad-cam++": _Method(
        does="Grad-CAM++: the network's last feature maps, weighted so that small structures count like large ones.",
        limits=_COARSE,
    ),
    "integrated-gradients": _Method(
        does="Integrated gradients: what each pixel adds to the class's score on the way from an even gray frame to "
        "this one. Orange raised the score, blue lowered it.",
        limits="Pixels as gray as the frame's mean add nothing by definition, even where the network relies on them.",
        signed=True,
    ),
    "occlusion": _Method(
        does="Occlusion: gray squares are laid over the frame, one after the other. Orange: under the square the "
        "class's score falls; blue: it rises.",
        limits="It is as coarse as the squares, and two structures of which each suffices hide each other.",
        signed=True,
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipFrame:
    """One of the frames that the network looked at together."""

    frame: int
    image: Image = field(repr=False)
    """The ultrasound region as the network was given it, small."""
    relevance: Map = field(repr=False)
    """For each of its pixels."""
    mattered: float | None = None
    """How much lower the log odds of the class are without this frame; None where that was not asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """A key frame, and what counted in it for one class."""

    keyframe: KeyFrame
    target: str
    probability: float
    """Of the target in this frame."""
    relevance: Map = field(repr=False)
    """For each pixel of the ultrasound region."""
    box: Box | None
    clip: tuple[ClipFrame, ...] = ()
    """In order of time; empty where the network looks at single frames."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Small:
    """A frame of a clip on the page."""

    frame: int
    image: str
    mattered: float | None
    share: float
    """The bar's length, of the longest, 0 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """An explained key frame as the page shows it: pictures are `data:` addresses."""

    frame: int
    time_s: float | None
    label: str
    """Of the key frame."""
    target: str
    """The class that was explained."""
    probability: float
    box: Box | None
    name: str
    """Of the file."""
    plain: str = field(repr=False)
    colored: str = field(repr=False)
    clip: tuple[_Small, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Glimpse:
    """A frame on the way through the recording."""

    frame: int
    time_s: float | None
    label: str
    probability: float
    picture: str = field(repr=False)
    """With its colors and its box, as a `data:` address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """All that was found out about what counted in a recording."""

    method: str
    target: str | None
    """The class that was asked for; None: each frame's own."""
    shown: tuple[Shown, ...]
    """The key frames."""
    glimpses: tuple[Glimpse, ...] = ()
    video: str | None = None
    """The file's name."""
    notes: tuple[str, ...] = ()
    """What is to be said of the maps."""


def show(one: Explained, region: Box, path: Path) -> Shown:
    """Write the whole key frame with its colors and its box to a PNG file, and give what the page shows of it."""
    keyframe = one.keyframe
    colored = overlay(keyframe.image, one.relevance, region, strongest(one.relevance), one.box)
    write_png(path, colored)
    return Shown(
        frame=keyframe.frame,
        time_s=keyframe.time_s,
        label=keyframe.label,
        target=one.target,
        probability=one.probability,
        box=one.box,
        name=path.name,
        plain=inline_jpeg(keyframe.image, box=region),
        colored=inline_jpeg(colored, box=region),
        clip=_clip(one.clip),
    )


def explanation_html(findings: Findings, explanation: Explanation) -> str:
    """The page of one recording."""
    return render(
        "explanation.html.j2",
        findings=findings,
        explanation=explanation,
        method=METHODS[explanation.method],
    )


def _clip(frames: Sequence[ClipFrame]) -> tuple[_Small, ...]:
    """All on one scale of color."""
    scale = max((strongest(frame.relevance) for frame in frames), default=0.0)
    most = max([_MUCH, *(abs(frame.mattered or 0.0) for frame in frames)])
    shown = []
    for frame in frames:
        high, wide = frame.relevance.shape
        colored = overlay(frame.image, frame.relevance, Box(left=0, top=0, right=wide, bottom=high), scale)
        shown.append(
            _Small(
                frame=frame.frame,
                image=inline_jpeg(colored, longest=180, quality=75),
                mattered=None if frame.mattered is None else round(frame.mattered, 2),
                share=abs(frame.mattered or 0.0) / most,
            )
        )
    return tuple(shown)
