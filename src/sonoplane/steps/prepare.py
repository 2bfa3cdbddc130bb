"""From recordings and their labels to an archive that training can use."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sonoplane.clips.label_checks import past_end, refuse
from sonoplane.clips.label_matching import match_recordings
from sonoplane.clips.label_sources import read_label_source
from sonoplane.clips.labels import LabelTable
from sonoplane.clips.splits import audit, patient_of, split_by_patient
from sonoplane.errors import DamagedRecording, LabelError, UsageError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_writer import ArchiveWriter, create_archive
from sonoplane.frames.cleaning import clean
from sonoplane.frames.entries import facts_of
from sonoplane.frames.subsample import Subsampler
from sonoplane.models.card import Card
from sonoplane.models.normalization import Normalization
from sonoplane.records import Frame, Label, Recording
from sonoplane.report.folder import Failure
from sonoplane.steps.failures import failure_of
from sonoplane.steps.private import KnownSource, PrivateFolder, open_private
from sonoplane.steps.progress import progress, say
from sonoplane.steps.recipe import Recipe
from sonoplane.training.settings import InputSettings
from sonoplane.video.digest import content_digest
from sonoplane.video.discovery import Found, find_recordings
from sonoplane.video.opening import open_recording

__all__ = ["Prepared", "input_card", "prepare"]

Tables = Mapping[str, LabelTable]
"""Task -> its labels, under the ids that recordings have below their source."""


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
class _Opened:
    """A recording that opens, and what is known of it before its frames are read."""

    source: KnownSource
    recording: Recording
    """Its id is the archive's: a pseudonym."""
    patient: str
    """A pseudonym."""
    told_by: str
    """Who told the patient: the labels, DICOM, a pattern, ..."""
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

    Patients are split before any frame is read; those that an earlier run has put into the archive stay in their
    part. A recording that cannot be read is listed in `<archive>-private/failures.csv` and the others go on.

    Raises:
        LabelError: labels are wrong; recordings that were stored by then stay, and are not read again.
        SplitError: patients cannot be told, or would leak.
        UsageError: nothing is there to prepare.
    """
    card = input_card(recipe.input)
    geometry = "source" if source_resolution else f"card:{card.geometry_hash}"
    settings = recipe.model_dump(include={"region", "subsample", "input", "split"}, exclude_none=True)
    found = [item for item in find_recordings(sources) if not _inside(item.path, out)]
    tables = _tables(labels, found)
    private = open_private(out)
    stored = _stored(out, geometry, settings)

    failures: list[Failure] = []
    said = _said(tables)
    opened = list(_open_all(found, said, recipe, private, failures))
    notes = [*(note for table in tables.values() for note in table.notes), *_many_origins(opened)]
    split = _split(opened, tables, said, recipe, private, stored)
    private.remember(item.source for item in opened)
    with create_archive(out, geometry=geometry, settings=settings) as writer:
        stored_card = None if source_resolution else card
        done = list(_store_all(writer, opened, split, recipe, stored_card, failures))
    private.list_failures(failures)
    _add_labels(open_archive(out), writer, tables, done)
    return Prepared(
        n_done=len(done),
        n_patients=len({item.patient for item in done}),
        parts=dict(sorted(Counter(split[item.source.recording] for item in done).items())),
        failures=tuple(failures),
        notes=tuple(notes),
    )


def input_card(settings: InputSettings, classes: Sequence[str] = ("any",)) -> Card:
    """The card that the input settings describe; its background is the class of that name, where there is one."""
    background = next((name for name in classes if name.casefold() == "background"), None)
    numbers: dict[str, dict[str, float]] = {
        "dataset": {"mean": settings.mean, "std": settings.std},
        "standardize-image": {"scale": settings.scale},
    }
    kind = settings.normalization
    return Card(
        classes=tuple(classes),
        background=background,
        size=(settings.height, settings.width),
        fit=settings.fit,
        normalization=Normalization(kind=kind, **numbers.get(kind, {})),
    )


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _stored(out: Path, geometry: str, settings: dict[str, Any]) -> Archive | None:
    """What earlier runs have stored, where there is an archive; one that was killed is put in order first."""
    if not (out / "archive.json").exists():
        return None
    create_archive(out, geometry=geometry, settings=settings).close()
    return open_archive(out)


def _tables(labels: Mapping[str, Path], found: Sequence[Found]) -> dict[str, LabelTable]:
    """The label tables under the ids of the recordings that are here."""
    paths = {item.id: Path(item.below) for item in found}
    tables = {
        task: match_recordings(
            read_label_source(path, task=task), paths, name=f"The labels of '{task}'"
        ).table
        for task, path in labels.items()
    }
    if tables and not any(table.rows for table in tables.values()):
        raise LabelError(
            "No label is for a recording that is here.",
            advice="Name recordings in the table by their file name, or by their path below the source.",
        )
    return tables


def _said(tables: Tables) -> dict[tuple[str, str], str]:
    """(recording, `patient` or `centre` or `split`) -> what the tables say; a LabelError where they disagree."""
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


def _open_all(
    found: Sequence[Found],
    said: Mapping[tuple[str, str], str],
    recipe: Recipe,
    private: PrivateFolder,
    failures: list[Failure],
) -> Iterator[_Opened]:
    """Open every recording and tell whose it is."""
    n_failed = 0
    for item in found:
        try:
            source = _source(item, private)
            recording = open_recording(
                item.path, recording_id=source.archive_id, pseudonyms=private.pseudonyms
            )
        except Exception as error:
            n_failed += 1
            failures.append(failure_of(item.id, error))
            say(f"{item.id}: {failures[-1].reason} {failures[-1].what_to_do}")
            continue
        patient = patient_of(
            item.id,
            facts=recording.facts,
            labelled=said.get((item.id, "patient")),
            settings=recipe.split,
        )
        is_pseudonym = patient.origin in ("dicom", "study")
        yield _Opened(
            source=source,
            recording=recording,
            patient=patient.name if is_pseudonym else private.pseudonyms.of("patient", patient.name),
            told_by=patient.origin,
            centre=said.get((item.id, "centre")) or recording.facts.centre,
        )
    if n_failed == len(found):
        raise UsageError(
            "No recording could be opened.", advice="See the reasons above, or name other sources."
        )


def _many_origins(opened: Sequence[_Opened]) -> list[str]:
    """A warning where patients are told in several ways, in which one person may go by two names."""
    counts = Counter(item.told_by for item in opened)
    if len(counts) < 2:
        return []
    told = ", ".join(f"{n} by {origin}" for origin, n in counts.most_common())
    return [
        f"Patients are told in several ways ({told}): one person told in two ways counts as two and may be in two"
        " parts of the split. Name the patient of every recording in the label table."
    ]


def _source(item: Found, private: PrivateFolder) -> KnownSource:
    """What an archive remembers of a source; another recording under a known name is refused."""
    digest = content_digest(item.path) if item.path.exists() else ""
    known = private.sources.get(item.id)
    if known and known.sha256 != digest:
        raise DamagedRecording(
            "Another recording of this name, or an earlier state of this one, is in the archive.",
            advice="Give it another name, or prepare into a new archive.",
        )
    return known or KnownSource(
        recording=item.id, archive_id=private.pseudonyms.of("recording", item.id), sha256=digest
    )


def _split(
    opened: Sequence[_Opened],
    tables: Tables,
    said: Mapping[tuple[str, str], str],
    recipe: Recipe,
    private: PrivateFolder,
    stored: Archive | None,
) -> dict[str, str]:
    """Which part each recording is in: whole patients, even over labels and centres.

    A patient goes by the name of his first recording, so that the draw depends on the seed and the sources but not on
    the archive's key, and that an error names something that its reader can find.
    """
    names = {source.archive_id: source.recording for source in private.sources.values()}
    kept = {names.get(entry.id, entry.id): entry for entry in (stored.entries if stored else ())}
    whose = {name: entry.patient or name for name, entry in kept.items()}
    whose |= {item.source.recording: item.patient for item in opened}
    first: dict[str, str] = {}
    for recording in sorted(whose):
        first.setdefault(whose[recording], recording)
    patients = {recording: first[patient] for recording, patient in whose.items()}

    fixed = {name: entry.split for name, entry in kept.items() if entry.split}
    for item in opened:
        part = said.get((item.source.recording, "split"))
        if part:
            fixed.setdefault(item.source.recording, part)
    views = {row.recording: row.label for table in tables.values() for row in table.rows if row.start is None}
    centres = {item.source.recording: item.centre or "" for item in opened}
    split = split_by_patient(
        patients,
        fractions=recipe.split.fractions,
        seed=recipe.split.seed,
        strata=[{name: given.get(name, "") for name in patients} for given in (views, centres)],
        fixed=fixed,
    )
    studies = {item.source.recording: item.recording.facts.study for item in opened}
    audit(split, patients, {name: study for name, study in studies.items() if study})
    return split


def _store_all(
    writer: ArchiveWriter,
    opened: Sequence[_Opened],
    split: Mapping[str, str],
    recipe: Recipe,
    card: Card | None,
    failures: list[Failure],
) -> Iterator[_Opened]:
    """Read, clean and store every recording that the archive does not hold yet."""
    with progress("prepare", "recordings", len(opened)) as tell:
        for count, item in enumerate(opened, start=1):
            try:
                if not writer.has(item.recording.id):
                    _store(writer, item, split[item.source.recording], recipe, card)
            except Exception as error:
                failures.append(failure_of(item.source.recording, error))
                say(f"{item.source.recording}: {failures[-1].reason} {failures[-1].what_to_do}")
            else:
                yield item
            tell(count, None)


def _store(writer: ArchiveWriter, item: _Opened, part: str, recipe: Recipe, card: Card | None) -> None:
    frames = clean(item.recording, settings=recipe.region)
    box = frames.region.box
    facts = replace(
        facts_of(item.recording, box=box, split=part, warnings=frames.warnings),
        patient=item.patient,
        centre=item.centre,
    )
    subsampler = Subsampler(recipe.subsample, box=box)

    def prepared() -> Iterator[Frame]:
        for frame in frames:
            subsampler.see(frame.image)
            image = card.geometry(frame.image, box) if card else frame.image[box.slices]
            yield replace(frame, image=image)

    is_chosen = recipe.subsample.method != "none"
    writer.add(facts, prepared(), subsample=(lambda: subsampler.chosen) if is_chosen else None)


def _add_labels(archive: Archive, writer: ArchiveWriter, tables: Tables, done: Sequence[_Opened]) -> None:
    """Put the labels in under the archive's ids; those of recordings that this run did not see stay.

    The patient is left out of the rows: he stands in the manifest, as a pseudonym. Labels past a recording's last
    frame are a LabelError, and nothing is written.
    """
    ids = {item.source.recording: item.recording.id for item in done}
    lengths = {name: archive.entry(id).n_frames for name, id in ids.items()}
    for task, table in tables.items():
        refuse(past_end(table.placed, lengths), of=f"The labels of '{task}'")
    for task, table in tables.items():
        before = archive.labels(task) if task in archive.tasks else ()
        kept: list[Label] = [row for row in before if row.recording not in ids.values()]
        new = [
            replace(row, recording=ids[row.recording], patient=None)
            for row in table.rows
            if row.recording in ids
        ]
        writer.add_labels(task, [*kept, *new])
