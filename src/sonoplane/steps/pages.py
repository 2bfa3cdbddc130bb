"""The pages that show what `prepare` did: the contact sheet of what was blanked, and the archive's statistics."""

from collections.abc import Sequence
from typing import cast

from sonoplane.clips.clip_counts import ClipCounts, count_clips
from sonoplane.clips.counts import CountedRecording, count_classes, count_parts
from sonoplane.clips.gray_levels import GrayLevels, pool_gray
from sonoplane.clips.labels import classes_of
from sonoplane.clips.mismatches import frame_mismatches
from sonoplane.frames.archive import Archive
from sonoplane.frames.archive_writer import ArchiveWriter
from sonoplane.frames.entries import Entry
from sonoplane.records import Label
from sonoplane.report.sheet import Origin, SheetFailure, SheetRow, sheet_html
from sonoplane.report.statistics import (
    ArchiveStatistics,
    TaskStatistics,
    statistics_csv,
    statistics_html,
    statistics_json,
)
from sonoplane.steps.private import PrivateFolder
from sonoplane.steps.recipe import Recipe

__all__ = ["SHEET", "write_sheet", "write_statistics"]

#: The contact sheet's pictures, and its page, in the private folder.
SHEET = "sheet"


def write_sheet(
    archive: Archive, private: PrivateFolder, failures: Sequence[tuple[str, Exception]], recipe: Recipe
) -> None:
    """Write `sheet.html`: a row for each recording of the archive, with its picture where there is one."""
    rows = [
        SheetRow(
            recording=entry.id,
            picture=f"{SHEET}/{entry.id}.jpg"
            if (private.folder / SHEET / f"{entry.id}.jpg").exists()
            else None,
            scanner=entry.scanner,
            layout=entry.layout.partition("@")[0] if entry.layout else None,
            origin=cast("Origin", entry.region_origin or "whole"),
            confidence=entry.region_confidence if entry.region_confidence is not None else 0.0,
            height=entry.source_height or entry.height,
            width=entry.source_width or entry.width,
            n_frames=entry.n_frames,
            warnings=entry.warnings,
        )
        for entry in archive.entries
    ]
    listed = [SheetFailure.of(number, error) for number, (_, error) in enumerate(failures, start=1)]
    page = sheet_html(rows, listed, unsure_below=recipe.layouts.sure_from)
    private.write_text(f"{SHEET}.html", page)


def write_statistics(
    archive: Archive, writer: ArchiveWriter, recipe: Recipe, *, duplicates: Sequence[str]
) -> None:
    """Write `statistics.html`, `.csv` and `.json` into the archive; `duplicates` are sentences about its recordings."""
    recordings = [_counted(archive, entry) for entry in archive.entries]
    parts = [part for part, share in recipe.split.fractions.items() if share > 0]
    labels = {task: archive.labels(task) for task in archive.tasks}
    counted = [_task(task, rows, recordings, parts, recipe) for task, rows in labels.items()]
    levels = [
        GrayLevels(
            n_pixels=entry.n_frames * entry.height * entry.width, mean=entry.gray_mean, std=entry.gray_std
        )
        for entry in archive.entries
    ]
    statistics = ArchiveStatistics(
        name=archive.name,
        parts=count_parts(recordings, parts=parts),
        tasks=tuple(task for task, _ in counted),
        gray=pool_gray(recordings, levels),
        mismatches=frame_mismatches(recordings, labels),
        duplicates=tuple(duplicates),
        short=counted[0][1].short if counted else (),
    )
    writer.write_text("statistics.html", statistics_html(statistics))
    writer.write_text("statistics.csv", statistics_csv(statistics))
    writer.write_text("statistics.json", statistics_json(statistics))


def _counted(archive: Archive, entry: Entry) -> CountedRecording:
    is_chosen = archive.settings["subsample"]["method"] != "none"
    return CountedRecording(
        id=entry.id,
        n_frames=entry.n_frames,
        patient=entry.patient or entry.id,
        centre=entry.centre,
        split=entry.split,
        duration_s=entry.n_frames / entry.fps if entry.fps else None,
        n_claimed=entry.n_claimed,
        subsample=archive.subsample(entry.id) if is_chosen else None,
    )


def _task(
    name: str,
    rows: Sequence[Label],
    recordings: Sequence[CountedRecording],
    parts: Sequence[str],
    recipe: Recipe,
) -> tuple[TaskStatistics, ClipCounts]:
    """One label table, counted in frames and in clips."""
    classes = classes_of(rows)
    counts = count_classes(recordings, rows, classes, parts=parts)
    clips = count_clips(recordings, rows, classes, windows=recipe.windows, parts=parts)
    told = TaskStatistics(
        name=name,
        classes=counts.classes,
        by_class=counts.by_class,
        by_patient=counts.by_patient,
        imbalance=counts.imbalance,
        clips=clips.by_class,
        windows=recipe.windows.model_dump(),
        n_unused=clips.n_unused,
        warnings=counts.warnings,
    )
    return told, clips
