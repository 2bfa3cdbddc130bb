"""The ultrasound region of a live feed: found once, in its first frames, as in a file's; then it stays."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from sonoplane.errors import DamagedRecording, RecordingError
from sonoplane.models.bundle import Bundle
from sonoplane.records import Frame, Recording, Region
from sonoplane.steps.cleaned import cleaned, crop_notes
from sonoplane.steps.live_line import LiveLine
from sonoplane.steps.live_region_cache import RegionCache
from sonoplane.steps.progress import say
from sonoplane.steps.recipe import Recipe
from sonoplane.video.live_line import Arrived
from sonoplane.video.live_source import LiveFacts

__all__ = ["LiveRegion", "find_live_region"]

#: Different notes of frames without ultrasound that are handed on.
_MOST_NOTES = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveRegion:
    """Where the ultrasound is, and the frames that were looked at to find that, which still wait for an answer."""

    region: Region
    warnings: tuple[str, ...] = ()
    held: tuple[Arrived, ...] = field(default=(), repr=False)
    n_passed: int = 0
    """Frames before those, which showed no ultrasound yet."""
    notes: tuple[str, ...] = ()
    """What there was to say of these."""


def find_live_region(
    line: LiveLine,
    facts: LiveFacts,
    *,
    bundle: Bundle,
    recipe: Recipe,
    cache: Path | None = None,
) -> LiveRegion:
    """Take as many frames as the search needs, the same as of a file, and search while they come.

    A feed that shows no ultrasound yet is searched again, in the frames after, for as long as it goes on; a file, or a
    feed that has ended, is refused. With `cache`, a file, what an earlier run found is used where it fits: nothing is
    waited for then.

    Raises:
        RecordingError: no region was found, so that a burned-in name could not be told from the image; no frame came.
        Exception: what the source raised before the region was found.
    """
    kept = RegionCache(cache, facts, bundle=bundle, recipe=recipe) if cache else None
    if kept and (region := kept.read()):
        return LiveRegion(region=region, warnings=("Its ultrasound region was found in an earlier run.",))
    n_passed, notes = 0, tuple[str, ...]()
    while True:
        first = _First(line)
        try:
            frames = cleaned(_recording(facts, first), bundle.card, recipe)
            break
        except RecordingError:
            if facts.kind == "file" and first.held:
                raise
            if first.ended:
                raise line.failure or _ended(n_passed + len(first.held)) from None
            n_passed += len(first.held)
            told = [arrived.frame.note for arrived in first.held if arrived.frame.note]
            notes = tuple(dict.fromkeys([*notes, *told]))[:_MOST_NOTES]
            say("No ultrasound is seen yet; the next frames are searched.")
    if kept:
        kept.write(frames.region)
    return LiveRegion(
        region=frames.region,
        warnings=(*frames.warnings, *crop_notes(bundle.card, height=facts.height, width=facts.width)),
        held=tuple(first.held),
        n_passed=n_passed,
        notes=notes,
    )


def _ended(n_frames: int) -> RecordingError:
    if not n_frames:
        return DamagedRecording("No frame came from the source.", advice="Check that it sends anything.")
    return RecordingError(
        "It ended before the ultrasound region was found.", advice="Let it go on until ultrasound is seen."
    )


class _First:
    """The first frames of a feed, read as they come and then kept."""

    def __init__(self, line: LiveLine) -> None:
        self.held: list[Arrived] = []
        self.ended = False
        self._line = line

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Frames by their place; further ones are taken from the feed as they are asked for."""
        for place in count(start) if stop is None else range(start, stop):
            while len(self.held) <= place and not self.ended:
                arrived = next(self._line, None)
                if arrived is None:
                    self.ended = True
                else:
                    self.held.append(arrived)
            if place >= len(self.held):
                return
            yield replace(self.held[place].frame, index=place)


def _recording(facts: LiveFacts, first: _First) -> Recording:
    return Recording(
        id="stream",
        height=facts.height,
        width=facts.width,
        color=facts.color,
        fps=facts.fps,
        n_frames=None,
        facts=facts.recorded,
        source=first,
    )
