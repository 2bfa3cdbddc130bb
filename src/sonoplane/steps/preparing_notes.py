"""What is to be said of an archive after recordings were prepared into it."""

from collections.abc import Mapping, Sequence

from sonoplane.frames.archive import Archive
from sonoplane.frames.layouts import Layout
from sonoplane.steps.layouts import tag_of
from sonoplane.steps.private import PrivateFolder
from sonoplane.steps.store import Stored
from sonoplane.steps.survey import Surveyed

__all__ = ["copies_notes", "cost_notes", "left_notes"]


def left_notes(archive: Archive, layouts: Sequence[Layout]) -> list[str]:
    """How many recordings are blanked by a layout that is so no more."""
    current = {tag_of(layout) for layout in layouts}
    n_left = sum(entry.layout is not None and entry.layout not in current for entry in archive.entries)
    if not n_left:
        return []
    told = "1 recording is" if n_left == 1 else f"{n_left} recordings are"
    return [
        f"{told} blanked as before layouts.toml was changed, being not among these sources: name all sources, and run"
        " this again."
    ]


def copies_notes(surveyed: Mapping[str, Surveyed], private: PrivateFolder) -> list[str]:
    """A warning where recordings came under other names before, as they do when the source is named otherwise."""
    names = {known.sha256: name for name, known in private.sources.items() if name not in surveyed}
    n_copies = sum(known.sha256 in names for known in surveyed.values())
    if not n_copies:
        return []
    return [
        f"{n_copies} of these recordings are in the archive under other names, too: if the source was moved or named"
        " by another folder, prepare it under its first name, or into a new archive."
    ]


def cost_notes(costs: Sequence[Stored]) -> list[str]:
    """What `--grey` cost."""
    rounded = [cost.rounding for cost in costs if cost.rounding is not None]
    if not rounded:
        return []
    return [
        f"Color was given up in {len(rounded)} of {len(costs)} recordings: their gray levels were rounded by"
        f" {sum(rounded) / len(rounded):.2f} on average. Predicting such a source in color differs a little"
        " from what is measured on this archive."
    ]
