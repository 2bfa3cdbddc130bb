"""The label tables of an archive: read, matched to the recordings that are here, and stored under its ids."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sonoplane.clips.label_checks import past_end, refuse
from sonoplane.clips.label_matching import match_recordings
from sonoplane.clips.label_sources import read_label_source
from sonoplane.clips.labels import LabelTable, fill_background
from sonoplane.clips.labels_settings import LabelSettings
from sonoplane.errors import LabelError, UsageError
from sonoplane.frames.archive import Archive
from sonoplane.frames.archive_writer import ArchiveWriter
from sonoplane.frames.entries import is_safe_name
from sonoplane.records import Label
from sonoplane.video.discovery import Found

__all__ = ["Said", "Tables", "add_labels", "read_tables", "said_in", "unlabelled_notes"]

Tables = Mapping[str, LabelTable]
"""Task -> its labels, under the ids that recordings have below their source."""

Said = Mapping[tuple[str, str], str]
"""(recording, `patient` or `centre` or `split`) -> what the tables say."""


def read_tables(labels: Mapping[str, Path], found: Sequence[Found], settings: LabelSettings) -> Tables:
    """The label tables under the ids of the recordings that are here.

    Raises:
        LabelError: a table is wrong, or is for none of these recordings.
        UsageError: a task that is declared exhaustive has no labels.
    """
    if strangers := sorted(set(settings.exhaustive) - set(labels)):
        raise UsageError(
            f"There are no labels for '{strangers[0]}', which is declared exhaustive.",
            advice=f"The tasks: {', '.join(labels) or 'none'}.",
        )
    for task in labels:
        if not is_safe_name(task):
            raise UsageError(f"'{task}' cannot name a task.", advice="Use letters, digits and hyphens.")
    paths = {item.id: Path(item.below) for item in found}
    tables: dict[str, LabelTable] = {}
    for task, path in labels.items():
        read = read_label_source(path, task=task, exhaustive=task in settings.exhaustive)
        tables[task] = match_recordings(read, paths, name=f"The labels of '{task}'").table
    if tables and not any(table.rows for table in tables.values()):
        raise LabelError(
            "No label is for a recording that is here.",
            advice="Name recordings in the table by their file name, or by their path below the source.",
        )
    return tables


def said_in(tables: Tables) -> Said:
    """What the tables say of each recording; a LabelError where they disagree."""
    said: dict[tuple[str, str], str] = {}
    for table in tables.values():
        for row in table.rows:
            for what in ("patient", "centre", "split"):
                value = getattr(row, what)
                if value and said.setdefault((row.recording, what), value) != value:
                    raise LabelError(
                        f"The label tables give '{row.recording}' different values of '{what}'.",
                        advice="Give each recording one, in all tables.",
                    )
    return said


def unlabelled_notes(tables: Tables, recordings: Iterable[str]) -> list[str]:
    """A sentence for each task in which recordings that are here have no label."""
    here = set(recordings)
    notes = []
    for task, table in tables.items():
        without = len(here - {row.recording for row in table.rows})
        if without:
            notes.append(f"{without} of {len(here)} recordings have no label of '{task}'.")
    return notes


def add_labels(archive: Archive, writer: ArchiveWriter, tables: Tables, ids: Mapping[str, str]) -> None:
    """Put the labels in under the archive's ids (`ids`: recording -> id); those of other recordings stay.

    The patient is left out of the rows: he stands in the manifest, as a pseudonym. Labels past a recording's last
    frame are a LabelError, and nothing is written.
    """
    lengths = {name: archive.entry(id).n_frames for name, id in ids.items()}
    for task, table in tables.items():
        refuse(past_end(table.placed, lengths), of=f"The labels of '{task}'")
    for task, table in tables.items():
        filled = fill_background(table, lengths) if table.exhaustive else table
        before = archive.labels(task) if task in archive.tasks else ()
        kept: list[Label] = [row for row in before if row.recording not in ids.values()]
        new = [
            replace(row, recording=ids[row.recording], patient=None)
            for row in filled.rows
            if row.recording in ids
        ]
        writer.add_labels(task, [*kept, *new])
