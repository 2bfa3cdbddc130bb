"""Layouts: what a scanner's frames look like, remembered from many recordings, and used for each that fits."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sonoplane.frames.layout_outline import Points, box_outline, filled, outline_of, overlap
from sonoplane.frames.layouts_settings import LayoutSettings
from sonoplane.records import Box, Region

__all__ = ["FoundOutline", "Layout", "apply_layout", "best_layout", "found_outline", "layout_name"]

_LONGEST_SCANNER = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundOutline:
    """What a recording's own region says about its scanner's layout, in few bytes."""

    scanner: str | None
    """Manufacturer and model; None where the file does not say."""
    height: int
    width: int
    outline: Points
    confidence: float
    """0 to 1; 0 where nothing was found, and the outline is that of the whole frame."""

    @property
    def kind(self) -> tuple[str, int, int]:
        """Scanner and frame size: equal for a layout and the recordings that it may fit."""
        return _kind(self.scanner, self.height, self.width)


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where the ultrasound is in a scanner's frames, at one depth and zoom of one probe."""

    name: str
    """Safe as a file's name, and no fact about a patient."""
    scanner: str | None
    height: int
    width: int
    found: Points | None
    """What it was found as, and is recognized by; None: by scanner and frame size alone."""
    outline: Points
    """What is used: `found`, until it is corrected by hand."""
    confidence: float = 1.0
    """0 to 1, of the surest recording that it was learned from."""
    recordings: int = 0
    """How many recordings it was learned from."""

    @property
    def kind(self) -> tuple[str, int, int]:
        """Scanner and frame size; letter case and blanks of the scanner's name, typed by hand, do not count."""
        return _kind(self.scanner, self.height, self.width)

    @property
    def is_corrected(self) -> bool:
        """Whether a person has drawn it: then it shows what the recording's own search left out, too."""
        return self.outline != self.found

    @property
    def digest(self) -> str:
        """Changes with what the layout shows of a recording."""
        told = json.dumps([self.outline, self.is_corrected])
        return hashlib.sha256(told.encode()).hexdigest()[:8]

    @property
    def box(self) -> Box:
        """The smallest rectangle around its outline."""
        xs, ys = zip(*self.outline, strict=True)
        return Box(left=min(xs), top=min(ys), right=max(xs) + 1, bottom=max(ys) + 1)


def found_outline(region: Region, *, scanner: str | None, height: int, width: int) -> FoundOutline:
    """The outline of what was found in one recording, without the holes that its search has cut."""
    outline = () if region.mask is None else outline_of(region.mask)
    return FoundOutline(
        scanner=scanner or None,
        height=height,
        width=width,
        outline=outline or box_outline(region.box),
        confidence=0.0 if region.origin == "whole" else round(region.confidence, 3),
    )


def apply_layout(
    found: Region,
    layouts: Sequence[Layout],
    *,
    scanner: str | None,
    height: int,
    width: int,
    settings: LayoutSettings | None = None,
) -> tuple[Region, Layout | None, tuple[str, ...]]:
    """The region to use of a recording, the layout that it came from, and what is odd about that.

    The region has the layout's box. Within its outline it shows what the recording's own search found; all of the
    outline where a person has corrected it, or where the search was unsure and the layout is the only one known of
    this scanner and frame size. The recording's own writing is left out always. Without a fitting layout the region
    is the recording's own, and so is a card's crop.

    The answer depends on nothing but the arguments, so that a recording alone is cleaned as it was among others.
    """
    settings = settings or LayoutSettings()
    if found.origin == "card":
        return found, None, ()
    own = found_outline(found, scanner=scanner, height=height, width=width)
    layout, agrees = best_layout(own, layouts, settings)
    is_sure = own.confidence >= settings.sure_from
    if layout is None:
        return found, None, () if is_sure else (_alone(own),)
    if not agrees and layout.found is not None:
        told = f"{_unsure(own)} The layout '{layout.name}', the only one of its scanner and frame size, was used."
        return _shown(found, layout, confidence=layout.confidence), layout, (told,)
    if layout.is_corrected:
        return _shown(found, layout, confidence=1.0), layout, ()
    told = f"{_unsure(own)} Look at it: the outline of the layout '{layout.name}' can be corrected."
    region = found if found.origin == "whole" else _shown(found, layout, cut=True)
    return region, layout, () if is_sure else (told,)


def best_layout(
    own: FoundOutline, layouts: Sequence[Layout], settings: LayoutSettings
) -> tuple[Layout | None, bool]:
    """The layout that fits best, and whether what was found agrees with it; the first of several that fit alike.

    Layouts that were found unsurely, and not corrected, are for recordings without a sure region of their own.
    """
    here = [layout for layout in layouts if layout.kind == own.kind]
    trusted = [layout for layout in here if layout.is_corrected or layout.confidence >= settings.sure_from]
    is_sure = own.confidence >= settings.sure_from
    for candidates in (trusted,) if is_sure else (trusted, here):
        shares = [_agreement(own, layout) for layout in candidates]
        if max(shares, default=0.0) >= settings.least_overlap:
            return candidates[shares.index(max(shares))], True
    for layout in here:
        if layout.found is None:
            return layout, False
    if not is_sure and own.scanner and len(trusted) == 1:
        return trusted[0], False
    return None, False


def layout_name(own: FoundOutline, outline: Points, *, taken: Collection[str] = ()) -> str:
    """A name for the layout of this scanner and outline, always the same unless it is taken.

    >>> own = FoundOutline(scanner="GE LOGIQ E9", height=760, width=1200, outline=(), confidence=1)
    >>> layout_name(own, ((0, 0), (0, 9), (9, 9)))
    'ge-logiq-e9-760x1200-86ad'
    """
    plain = unicodedata.normalize("NFKD", own.scanner or "unknown").encode("ascii", "ignore").decode()
    scanner = re.sub(r"[^a-z0-9]+", "-", plain.lower())[:_LONGEST_SCANNER].strip("-") or "unknown"
    digest = hashlib.sha256(json.dumps([own.scanner, outline]).encode()).hexdigest()
    names = (f"{scanner}-{own.height}x{own.width}-{digest[:n]}" for n in range(4, len(digest)))
    return next(name for name in names if name not in taken)


def _kind(scanner: str | None, height: int, width: int) -> tuple[str, int, int]:
    return " ".join((scanner or "").casefold().split()), height, width


def _agreement(own: FoundOutline, layout: Layout) -> float:
    """The overlap of what was found; where nothing was found, only with a layout that was found as nothing, too."""
    if layout.found is None or (own.confidence > 0) != (layout.confidence > 0):
        return 0.0
    return overlap(own.outline, layout.found, height=own.height, width=own.width)


def _shown(found: Region, layout: Layout, *, cut: bool = False, confidence: float | None = None) -> Region:
    """The region that the layout shows of a recording, cut to what was found in it if so wished."""
    mask = filled(layout.outline, layout.height, layout.width) > 0
    if cut:
        inside = np.zeros_like(mask)
        inside[found.box.slices] = True if found.mask is None else found.mask[found.box.slices]
        mask &= inside
    for writing in found.writing:
        mask[writing.slices] = False
    return replace(
        found,
        box=layout.box,
        mask=None if mask[layout.box.slices].all() else mask,
        origin="pixels" if found.origin == "whole" else found.origin,
        confidence=found.confidence if confidence is None else confidence,
    )


def _unsure(own: FoundOutline) -> str:
    return f"The ultrasound region was found with a confidence of only {own.confidence:.2f}."


def _alone(own: FoundOutline) -> str:
    return (
        f"{_unsure(own)} No one layout of its scanner and frame size could be used instead: look at it, and add a"
        " layout for it if it is wrong."
    )
