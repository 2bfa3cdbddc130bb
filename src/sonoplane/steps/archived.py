"""What a network says of a recording in an archive: what it would say of the file that the recording came from."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

from sonoplane.errors import UsageError
from sonoplane.frames.archive import Archive
from sonoplane.inference.backends import Backend
from sonoplane.models.bundle import Bundle
from sonoplane.models.card import Card
from sonoplane.records import Box, Facts, Frame, Region, Timeline
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.telling import Shown
from sonoplane.steps.watching import Watched, watch

__all__ = ["check_input_fits", "timeline_of", "watch_archived"]

#: Frames that are read from the archive at a time: as many as it mostly keeps together.
_TOGETHER = 16


def timeline_of(
    store: Archive,
    recording_id: str,
    *,
    bundle: Bundle,
    backend: Backend,
    recipe: Recipe,
    on_frame: Callable[[int, int], None] = lambda done, total: None,
) -> Timeline:
    """The answers to every frame of a recording, smoothed as in `predict`, not only to those that training would take.

    The archive's frames are cleaned, and cropped to the ultrasound region, so they go through the card and the network
    as in `predict`, in the recipe's mode. A single row differs from that of the source file only by what the archive
    gave up: color, where it was prepared with `--grey`. Memory does not grow with the recording's length.

    Raises:
        UsageError: the archive was prepared for another input than the network's, the network cuts its own crop out of
            such recordings, or it cannot answer in the recipe's mode.
    """
    return watch_archived(
        store, recording_id, bundle=bundle, backend=backend, recipe=recipe, on_frame=on_frame
    ).timeline


def watch_archived(
    store: Archive,
    recording_id: str,
    *,
    bundle: Bundle,
    backend: Backend,
    recipe: Recipe,
    on_frame: Callable[[int, int], None] = lambda done, total: None,
) -> Watched:
    """The same with all findings, as `predict` has them; the region is that of the source, where it is known.

    Raises:
        UsageError: as `timeline_of`.
    """
    check_input_fits(store, bundle.card)
    entry = store.entry(recording_id)
    _refuse_own_crop(bundle.card, entry.source_height, entry.source_width)
    whole = Box(left=0, top=0, right=entry.width, bottom=entry.height)
    shown = Shown(
        recording=recording_id,
        fps=entry.fps,
        height=entry.source_height or entry.height,
        width=entry.source_width or entry.width,
        region=Region(box=entry.box or whole, origin=cast("Any", entry.region_origin or "whole")),
        facts=Facts(patient=entry.patient, study=entry.study, centre=entry.centre, scanner=entry.scanner),
        warnings=entry.warnings,
    )
    return watch(
        _frames(store, recording_id),
        shown,
        bundle=bundle,
        backend=backend,
        recipe=recipe,
        box=whole,
        on_frame=lambda done: on_frame(done, entry.n_frames),
    )


def check_input_fits(store: Archive, card: Card) -> None:
    """Raise a UsageError where the archive holds frames that were resized for another network's input."""
    if store.geometry not in ("source", f"card:{replace(card, crop=None).geometry_hash}"):
        raise UsageError(
            "The archive was prepared for another input size or fit than this network's.",
            advice="Give the `input` settings it was prepared with, or prepare it again (also possible:"
            " --resolution source, which serves every input).",
        )


def _refuse_own_crop(card: Card, height: int | None, width: int | None) -> None:
    if card.crop and height and width and card.fixed_box(height=height, width=width):
        raise UsageError(
            f"The network cuts a crop of its own out of frames of {height} x {width}, and the archive holds the "
            "ultrasound region instead.",
            advice="Predict the source files, or import the network under a card without a crop.",
        )


def _frames(store: Archive, recording_id: str) -> Iterator[Frame]:
    """All frames in order, some read at a time."""
    times_s = store.times_s(recording_id)
    n_frames = store.entry(recording_id).n_frames
    for start in range(0, n_frames, _TOGETHER):
        images = store.read(recording_id, start, min(start + _TOGETHER, n_frames))
        for index, image in enumerate(images, start=start):
            time_s = None if times_s is None else float(times_s[index])
            yield Frame(index=index, time_s=time_s, image=image)
