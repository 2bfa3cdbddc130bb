"""Learns the layouts of scanners from what was found in many recordings."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from sonoplane.frames.layout_outline import Points, encloses, filled, outline_of
from sonoplane.frames.layouts import FoundOutline, Layout, best_layout, layout_name
from sonoplane.frames.layouts_settings import LayoutSettings

__all__ = ["learn_layouts"]


def learn_layouts(
    found: Mapping[str, FoundOutline],
    known: Sequence[Layout] = (),
    *,
    settings: LayoutSettings | None = None,
) -> tuple[Layout, ...]:
    """The known layouts as they are, then those of the recordings (id -> what was found) that none of them fits.

    Recordings of one scanner and frame size whose outlines agree with that of the surest form a layout: what more
    than half of them were found to show, so that text left out in most of them is left out for all. Unsure ones form
    layouts only where their scanner and frame size have no other. The order of the recordings is of no account, and
    learning once more from the same recordings adds nothing.
    """
    settings = settings or LayoutSettings()
    layouts = list(known)
    surest_first = sorted(found, key=lambda name: (found[name].kind, -found[name].confidence, name))
    outlines = [found[name] for name in surest_first if encloses(found[name].outline)]
    for kind, group in groupby(outlines, key=lambda own: own.kind):
        members = list(group)
        sure = [own for own in members if own.confidence >= settings.sure_from]
        layouts += _learned(sure, layouts, settings)
        is_trusted = any(
            layout.is_corrected or layout.confidence >= settings.sure_from
            for layout in layouts
            if layout.kind == kind
        )
        if not is_trusted:
            layouts += _learned(members[len(sure) :], layouts, settings)
    return tuple(layouts)


def _learned(
    outlines: Sequence[FoundOutline], known: Sequence[Layout], settings: LayoutSettings
) -> list[Layout]:
    """New layouts for those of the outlines, the surest first, that no known one fits."""
    left = [own for own in outlines if best_layout(own, known, settings)[0] is None]
    taken = {layout.name for layout in known}
    new: list[Layout] = []
    while left:
        alone = _layout(left[0], left[0].outline, taken)
        members = [own for own in left if _fits(own, alone, settings)]
        common = _layout(left[0], _common(members), taken)
        layout = common if _fits(left[0], common, settings) else alone
        others = [own for own in left if not _fits(own, layout, settings)]
        new.append(replace(layout, recordings=len(left) - len(others)))
        taken.add(layout.name)
        left = others
    return new


def _fits(own: FoundOutline, layout: Layout, settings: LayoutSettings) -> bool:
    return best_layout(own, [layout], settings)[1]


def _common(members: Sequence[FoundOutline]) -> Points:
    """The outline of what more than half of them cover."""
    first = members[0]
    if len(members) == 1:
        return first.outline
    covered = np.zeros((first.height, first.width), np.uint32)
    for own in members:
        covered += filled(own.outline, own.height, own.width)
    return outline_of(2 * covered > len(members))


def _layout(surest: FoundOutline, outline: Points, taken: Collection[str]) -> Layout:
    return Layout(
        name=layout_name(surest, outline, taken=taken),
        scanner=surest.scanner,
        height=surest.height,
        width=surest.width,
        found=outline,
        outline=outline,
        confidence=surest.confidence,
    )
