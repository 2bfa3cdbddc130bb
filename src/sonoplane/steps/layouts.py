"""The layouts of scanners between a survey of recordings and their storing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sonoplane.errors import RecordingError
from sonoplane.frames.archive import Archive
from sonoplane.frames.archive_writer import ArchiveWriter
from sonoplane.frames.cleaning import refuse_whole_frame
from sonoplane.frames.layout_learning import learn_layouts
from sonoplane.frames.layout_toml import read_layouts, write_layouts
from sonoplane.frames.layouts import Layout, apply_layout, found_outline
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.survey import PackedRegion, Surveyed

__all__ = ["LAYOUTS", "Settled", "keep_layouts", "known_layouts", "settle", "tag_of"]

#: The file of an archive in which its layouts stand, to be corrected by hand.
LAYOUTS = "layouts.toml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """Which region of a recording is stored."""

    region: PackedRegion
    layout: str | None
    """The layout's tag; None: the region is the recording's own."""
    warnings: tuple[str, ...]


def known_layouts(archive: Archive | None) -> tuple[Layout, ...]:
    """What earlier runs have learned, and what a person has corrected since."""
    return read_layouts((archive.read_text(LAYOUTS) if archive else None) or "")


def keep_layouts(writer: ArchiveWriter, layouts: tuple[Layout, ...], before: Archive | None) -> None:
    """Leave the layouts in the archive; what a person wrote into the file stays as it is."""
    there = (before.read_text(LAYOUTS) if before else None) or ""
    writer.write_text(LAYOUTS, write_layouts(layouts, after=there))


def tag_of(layout: Layout) -> str:
    """A layout's name with a digest of its outline: another once it is corrected."""
    return f"{layout.name}@{layout.digest}"


def settle(
    surveyed: Mapping[str, Surveyed],
    known: tuple[Layout, ...],
    recipe: Recipe,
    on_failure: Callable[[str, Exception], None],
) -> tuple[tuple[Layout, ...], dict[str, Settled]]:
    """The layouts, the known ones and those learned from these recordings; and what is stored of each recording."""
    outlines = {
        name: found_outline(
            one.region.unpacked(), scanner=one.facts.scanner, height=one.height, width=one.width
        )
        for name, one in surveyed.items()
    }
    layouts = learn_layouts(outlines, known, settings=recipe.layouts)
    settled: dict[str, Settled] = {}
    for name, one in surveyed.items():
        region, layout, warnings = apply_layout(
            one.region.unpacked(),
            layouts,
            scanner=one.facts.scanner,
            height=one.height,
            width=one.width,
            settings=recipe.layouts,
        )
        try:
            refuse_whole_frame(region, recipe.region)
        except RecordingError as error:
            on_failure(name, error)
            continue
        settled[name] = Settled(
            region=PackedRegion.of(region, height=one.height, width=one.width),
            layout=tag_of(layout) if layout else None,
            warnings=warnings,
        )
    return layouts, settled
