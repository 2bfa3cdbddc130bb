"""What a prepared archive holds becomes a page, a CSV table and a JSON document with the same numbers."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from sonoplane import __version__
from sonoplane.report.bars import bars_svg
from sonoplane.report.html import render

__all__ = [
    "ArchiveStatistics",
    "TaskStatistics",
    "statistics_csv",
    "statistics_html",
    "statistics_json",
]

#: Patients, and rows of housekeeping, that are shown unfolded at most.
UNFOLDED = 12

#: The sum over all parts, frames without a label: what the tables call them.
ALL, NO_LABEL = "all", "(unlabelled)"

#: The columns of the CSV table.
COLUMNS = ("task", "split", "centre", "patient", "class", "recordings", "frames", "subsampled")

#: Why clips are left out: column of the table -> its head.
REASONS = {
    "mixed": "of several labels",
    "unlabelled": "without a label",
    "tie": "tied",
    "short": "too short",
}

Table: TypeAlias = Sequence[Mapping[str, str | int | float | None]]
"""Rows with the same columns."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskStatistics:
    """The label table of one task, counted."""

    name: str
    classes: tuple[str, ...]
    by_class: Table
    """`split, class, patients, recordings, frames, subsampled`, with rows of the split `all` and of the class
    `(unlabelled)`."""
    by_patient: Table
    """`split, centre, patient, class, recordings, frames, subsampled`; the patient is a pseudonym."""
    imbalance: Mapping[str, float | None]
    """Part -> frames of the commonest class over those of the rarest; None where one is missing."""
    clips: Table = ()
    """`split, class, kept, mixed, unlabelled, tie, short`, with rows of the split `all` and of the class `all`."""
    windows: Mapping[str, Any] | None = None
    """The settings that clips were cut with."""
    n_unused: int = 0
    """Frames that no clip was made of."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was forgiven while the labels were read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveStatistics:
    """A prepared archive, counted."""

    name: str
    parts: Table
    """`split, patients, recordings, centres, frames, subsampled, duration_s`; the last row is of the split `all`."""
    tasks: tuple[TaskStatistics, ...] = ()
    gray: Table = ()
    """`split, recordings, pixels, mean, std`, in the unit 0 to 1."""
    mismatches: Table = ()
    """`recording, expected, found, from, note`."""
    duplicates: tuple[str, ...] = ()
    """Recordings that are there twice, a sentence each."""
    short: Table = ()
    """`recording, n_frames, note`: recordings with too few frames for a clip, and what became of them."""
    notes: tuple[str, ...] = ()


def statistics_html(statistics: ArchiveStatistics) -> str:
    """One page that needs no other file: for a screen, a phone and paper."""
    return render(
        "statistics.html.j2",
        statistics=statistics,
        total=statistics.parts[-1],
        warnings=_warnings(statistics),
        tasks=[_shown(task) for task in statistics.tasks],
        is_subsampled=any(row["subsampled"] != row["frames"] for row in statistics.parts),
        train=next((row for row in statistics.gray if row["split"] == "train" and row["pixels"]), None),
        unfolded=UNFOLDED,
        no_label=NO_LABEL,
    )


def statistics_csv(statistics: ArchiveStatistics) -> str:
    """`task, split, centre, patient, class, recordings, frames, subsampled`: the finest table, for all tasks."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for task in statistics.tasks:
        writer.writerows([task.name, *(row[column] for column in COLUMNS[1:])] for row in task.by_patient)
    return text.getvalue()


def statistics_json(statistics: ArchiveStatistics) -> str:
    """All of it as one JSON document, named as the fields are; the same archive gives the same bytes."""
    document = {"sonoplane": __version__, **asdict(statistics)}
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _warnings(statistics: ArchiveStatistics) -> list[str]:
    """Those of all tasks, each once, with the task's name where there are several."""
    several = len(statistics.tasks) > 1
    told: dict[str, list[str]] = {}
    for task in statistics.tasks:
        for warning in task.warnings:
            told.setdefault(warning, []).append(task.name)
    everywhere = len(statistics.tasks)
    return [
        f"{', '.join(names)}: {warning}" if several and len(names) < everywhere else warning
        for warning, names in told.items()
    ]


def _shown(task: TaskStatistics) -> dict[str, Any]:
    """A task as the page shows it."""
    cells = {(row["split"], row["class"]): row for row in task.by_class}
    parts = [part for part in dict.fromkeys(row["split"] for row in task.by_class) if part != ALL]
    drawn = {
        str(part): [int(cells[part, name]["frames"] or 0) for name in task.classes] for part in [*parts, ALL]
    }
    if len(parts) == 1:
        drawn.pop(ALL)
    unlabelled = cells[ALL, NO_LABEL]
    names = (*task.classes, NO_LABEL) if unlabelled["recordings"] else task.classes
    return {
        "task": task,
        "columns": list(drawn),
        "rows": [(name, [cells[part, name] for part in drawn]) for name in names],
        "unlabelled": unlabelled,
        "n_frames": sum(int(cells[ALL, name]["frames"] or 0) for name in (*task.classes, NO_LABEL)),
        "wide": bars_svg(task.classes, drawn, width=800),
        "narrow": bars_svg(task.classes, drawn, width=350),
        "patients": _patients(task.by_patient),
        "clips": _clips(task),
    }


def _patients(by_patient: Table) -> list[dict[str, Any]]:
    """A row for each patient, those of one part together, with his classes, the longest seen first."""
    mine: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in by_patient:
        key = (row["split"], row["centre"], row["patient"])
        shown = dict(zip(("split", "centre", "patient"), key, strict=True)) | {"frames": 0, "classes": []}
        patient = mine.setdefault(key, shown)
        patient["frames"] += row["frames"]
        patient["classes"].append(row)
    for patient in mine.values():
        patient["classes"].sort(key=lambda row: (row["class"] == NO_LABEL, -row["frames"]))
    return list(mine.values())


def _clips(task: TaskStatistics) -> dict[str, Any] | None:
    """Kept clips for each part, dropped ones for each reason that occurs; None where none were cut."""
    if not task.clips:
        return None
    cells = {(row["split"], row["class"]): row for row in task.clips}
    parts = [part for part in dict.fromkeys(row["split"] for row in task.clips) if part != ALL]
    whole = cells[ALL, ALL]
    reasons = [reason for reason in REASONS if whole[reason]]
    names = [row["class"] for row in task.clips if row["split"] == ALL]
    nothing: dict[str, int] = {"kept": 0}
    return {
        "parts": parts,
        "reasons": {REASONS[reason]: whole[reason] for reason in reasons},
        "rows": [
            {
                "class": name,
                "kept": [cells.get((part, name), nothing)["kept"] for part in [*parts, ALL]],
                "dropped": [cells[ALL, name][reason] for reason in reasons],
            }
            for name in names
        ],
        "n_kept": whole["kept"],
        "n_dropped": sum(int(whole[reason] or 0) for reason in reasons),
    }
