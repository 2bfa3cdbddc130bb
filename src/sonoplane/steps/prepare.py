"""From recordings and their labels to an archive that training can use."""

import csv
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sonoplane.clips.labels import read_labels
from sonoplane.clips.splits import audit, patient_of, split_by_patient
from sonoplane.errors import LabelError, UsageError
from sonoplane.frames.archive_writer import ArchiveWriter, create_archive
from sonoplane.frames.cleaning import clean
from sonoplane.frames.entries import facts_of
from sonoplane.models.card import Card
from sonoplane.models.normalization import Normalization
from sonoplane.records import Label, Recording
from sonoplane.report.folder import Failure
from sonoplane.steps.failures import failure_of
from sonoplane.steps.progress import progress, say
from sonoplane.steps.recipe import Recipe
from sonoplane.training.settings import InputSettings
from sonoplane.video.discovery import Found, find_recordings
from sonoplane.video.opening import open_recording
from sonoplane.video.pseudonyms import Pseudonyms

__all__ = ["Prepared", "input_card", "prepare"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What became of the sources."""

    n_done: int
    n_patients: int
    parts: dict[str, int]
    """Recordings in each part of the split."""
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    """What was forgiven or left out, a sentence each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """A recording that opens, and what is known of it before its frames are read."""

    found: Found
    recording: Recording
    """Its id is the archive's: a pseudonym."""
    patient: str
    centre: str | None


def prepare(
    sources: Sequence[Path],
    out: Path,
    *,
    labels: Mapping[str, Path],
    recipe: Recipe,
    source_resolution: bool = False,
) -> Prepared:
    """Clean every recording below `sources`, resize it as the network wants it, and store it with its labels.

    Patients are split before any frame is read. A recording that cannot be read is listed and the others go on.

    Raises:
        LabelError: a label table is wrong.
        SplitError: patients cannot be told, or would leak.
        UsageError: nothing is there to prepare.
    """
    card = input_card(recipe.input)
    pseudonyms = _private_key(out)
    found = find_recordings(sources)
    tables = {task: read_labels(path) for task, path in labels.items()}
    rows, notes = _for_recordings({task: table.rows for task, table in tables.items()}, found)
    notes = [*(note for table in tables.values() for note in table.notes), *notes]

    failures: list[Failure] = []
    known = list(_open_all(found, rows, recipe, pseudonyms, failures))
    split = _split(known, rows, recipe)
    geometry = "source" if source_resolution else f"card:{card.geometry_hash}"
    settings = recipe.model_dump(include={"region", "input", "split"}, exclude_none=True)
    with create_archive(out, geometry=geometry, settings=settings) as writer:
        done = list(_store_all(writer, known, split, recipe, None if source_resolution else card, failures))
        for task, task_rows in rows.items():
            writer.add_labels(task, _pseudonymous(task_rows, {k.found.id: k.recording.id for k in done}))
    _write_mapping(out, known)
    return Prepared(
        n_done=len(done),
        n_patients=len({item.patient for item in done}),
        parts=dict(sorted(Counter(split[item.recording.id] for item in done).items())),
        failures=tuple(failures),
        notes=tuple(notes),
    )


def input_card(settings: InputSettings, classes: Sequence[str] = ("any",)) -> Card:
    """The card that the input settings describe; its background is the class of that name, where there is one."""
    background = next((name for name in classes if name.casefold() == "background"), None)
    kind = settings.normalization
    normalization = (
        Normalization(kind=kind, mean=settings.mean, std=settings.std)
        if kind == "dataset"
        else Normalization(kind=kind, scale=settings.scale)
        if kind == "standardize-image"
        else Normalization(kind=kind)
    )
    return Card(
        classes=tuple(classes),
        background=background,
        size=(settings.height, settings.width),
        fit=settings.fit,
        normalization=normalization,
    )


def _open_all(
    found: Sequence[Found],
    rows: Mapping[str, Sequence[Label]],
    recipe: Recipe,
    pseudonyms: Pseudonyms,
    failures: list[Failure],
) -> Iterator[_Known]:
    """Open every recording and tell whose it is."""
    told = {row.recording: row for task_rows in rows.values() for row in task_rows}
    for item in found:
        name = pseudonyms.of("recording", item.id)
        try:
            recording = open_recording(item.path, recording_id=name, pseudonyms=pseudonyms)
        except Exception as error:
            failures.append(failure_of(item.id, error))
            say(f"{item.id}: {failures[-1].reason} {failures[-1].what_to_do}")
            continue
        row = told.get(item.id)
        patient = patient_of(
            item.id,
            facts=recording.facts,
            labelled=row.patient if row else None,
            settings=recipe.split,
        )
        yield _Known(
            found=item,
            recording=recording,
            patient=patient.name if patient.origin == "dicom" else pseudonyms.of("patient", patient.name),
            centre=(row.centre if row else None) or recording.facts.centre,
        )
    if len(failures) == len(found):
        raise UsageError("No recording could be opened.", advice="See the reasons above.")


def _split(known: Sequence[_Known], rows: Mapping[str, Sequence[Label]], recipe: Recipe) -> dict[str, str]:
    """Which part each recording is in, by the archive's ids: whole patients, even over centres and labels."""
    archive_id = {item.found.id: item.recording.id for item in known}
    patients = {item.recording.id: item.patient for item in known}
    all_rows = [row for task_rows in rows.values() for row in task_rows if row.recording in archive_id]
    fixed = {archive_id[row.recording]: row.split for row in all_rows if row.split}
    centres = {item.recording.id: item.centre or "" for item in known}
    views = {archive_id[row.recording]: row.label for row in all_rows if row.start is None}
    split = split_by_patient(
        patients,
        fractions=recipe.split.fractions,
        seed=recipe.split.seed,
        strata=[{**dict.fromkeys(patients, ""), **views}, centres],
        fixed=fixed,
    )
    studies = {item.recording.id: item.recording.facts.study for item in known}
    audit(split, patients, {name: study for name, study in studies.items() if study})
    return split


def _store_all(
    writer: ArchiveWriter,
    known: Sequence[_Known],
    split: Mapping[str, str],
    recipe: Recipe,
    card: Card | None,
    failures: list[Failure],
) -> Iterator[_Known]:
    """Read, clean and store every recording that the archive does not hold yet."""
    with progress("prepare", "recordings", len(known)) as tell:
        for count, item in enumerate(known, start=1):
            try:
                if not writer.has(item.recording.id):
                    _store(writer, item, split[item.recording.id], recipe, card)
            except Exception as error:
                failures.append(failure_of(item.found.id, error))
                say(f"{item.found.id}: {failures[-1].reason} {failures[-1].what_to_do}")
            else:
                yield item
            tell(count, None)


def _store(writer: ArchiveWriter, item: _Known, part: str, recipe: Recipe, card: Card | None) -> None:
    frames = clean(item.recording, settings=recipe.region)
    box = frames.region.box
    facts = replace(
        facts_of(item.recording, box=box, split=part, warnings=frames.warnings),
        patient=item.patient,
        centre=item.centre,
    )
    images = (
        replace(frame, image=card.geometry(frame.image, box) if card else frame.image[box.slices])
        for frame in frames
    )
    writer.add(facts, images)


def _for_recordings(
    tables: Mapping[str, Sequence[Label]], found: Sequence[Found]
) -> tuple[dict[str, list[Label]], list[str]]:
    """Label rows under the ids that recordings have here; rows of recordings that are absent are told, not kept.

    A table may name a recording by its id, by its file's name, or by the name without the ending.
    """
    by_name: dict[str, set[str]] = {}
    for item in found:
        for name in {item.id, item.path.name, item.path.stem}:
            by_name.setdefault(name, set()).add(item.id)
    rows: dict[str, list[Label]] = {}
    absent: Counter[str] = Counter()
    for task, task_rows in tables.items():
        rows[task] = []
        for row in task_rows:
            ids = by_name.get(row.recording, set())
            if len(ids) > 1:
                raise LabelError(
                    f"'{row.recording}' in the table of '{task}' is the name of {len(ids)} recordings.",
                    advice="Name them by their path below the source, slashes as in the predicted folder names.",
                )
            if ids:
                rows[task].append(replace(row, recording=next(iter(ids))))
            else:
                absent[task] += 1
    notes = [f"{n} label rows of '{task}' are for recordings that are absent." for task, n in absent.items()]
    if tables and not any(rows.values()):
        raise LabelError(
            "No label is for a recording that is here.",
            advice="Name recordings in the table by their file name, or by their path below the source.",
        )
    return rows, notes


def _pseudonymous(rows: Sequence[Label], archive_ids: Mapping[str, str]) -> list[Label]:
    """Rows under the archive's ids, without the patient, who stands in the manifest as a pseudonym."""
    return [
        replace(row, recording=archive_ids[row.recording], patient=None)
        for row in rows
        if row.recording in archive_ids
    ]


def _private(out: Path) -> Path:
    return out.with_name(f"{out.name}-private")


def _private_key(out: Path) -> Pseudonyms:
    """The key of the archive's pseudonyms, made at the first time, kept beside the archive and never in it."""
    folder = _private(out)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "key"
    if not path.exists():
        temporary = folder / ".key"
        temporary.write_bytes(os.urandom(32))
        temporary.chmod(0o600)
        temporary.replace(path)
    return Pseudonyms(path.read_bytes())


def _write_mapping(out: Path, known: Sequence[_Known]) -> None:
    """Which recording got which id, for those who hold the key."""
    path = _private(out) / "recordings.csv"
    temporary = path.with_name(".recordings.csv")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["recording", "archive_id"])
        writer.writerows(sorted((item.found.id, item.recording.id) for item in known))
    temporary.replace(path)
