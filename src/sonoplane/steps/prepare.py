"""From recordings and their labels to an archive that training can use."""

import errno
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sonoplane.errors import DamagedRecording, UsageError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_layout import ARCHIVE
from sonoplane.frames.archive_place import place_of
from sonoplane.frames.archive_writer import ArchiveWriter, create_archive
from sonoplane.frames.entries import Entry
from sonoplane.frames.layouts import Layout
from sonoplane.models.card import Card
from sonoplane.models.normalization import Normalization
from sonoplane.report.folder import Failure
from sonoplane.steps.failures import failure_of
from sonoplane.steps.jobs import run_jobs
from sonoplane.steps.label_tables import Said, Tables, add_labels, read_tables, said_in, unlabelled_notes
from sonoplane.steps.layouts import Settled, keep_layouts, known_layouts, settle, tag_of
from sonoplane.steps.pages import SHEET, write_sheet, write_statistics
from sonoplane.steps.private import KnownSource, PrivateFolder, open_private, private_folder
from sonoplane.steps.progress import say
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.sharing import Owner, check_unchanged, many_origins, owner_of, share_out
from sonoplane.steps.store import Place, Stored, Work, store
from sonoplane.steps.survey import Surveyed, stamp_of, survey
from sonoplane.steps.twins import review_twins
from sonoplane.training.settings import InputSettings
from sonoplane.video.discovery import Found, find_recordings
from sonoplane.video.pseudonyms import Pseudonyms

__all__ = ["Jobs", "Prepared", "Secrets", "input_card", "prepare", "verify"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Jobs:
    """Who does the work."""

    workers: int = 0
    """Processes on this machine, a core each; 0: this process alone."""
    scheduler: str | None = None
    """The address of a running Dask cluster, in place of processes here. Its machines see the same files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Secrets:
    """Where the pseudonyms come from; `open_private` tells more."""

    folder: Path | None = None
    key: Path | None = None
    pseudonyms: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What became of the sources."""

    n_done: int
    """Recordings of these sources that the archive holds now."""
    n_new: int
    """Those of them that this run stored."""
    n_patients: int
    parts: dict[str, int]
    """Recordings in each part of the split."""
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    """What was forgiven or left out, a sentence each."""
    private: str
    """The name of the private folder, in which the contact sheet lies."""


HERE = Jobs()
#: Errors of the archive's disk, not of a recording: full, over quota.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
OWN_SECRETS = Secrets()


def prepare(
    sources: Sequence[Path],
    out: Path | str,
    *,
    labels: Mapping[str, Path],
    recipe: Recipe,
    jobs: Jobs = HERE,
    secrets: Secrets = OWN_SECRETS,
) -> Prepared:
    """Clean every recording below `sources`, resize it as the network wants it, and store it with its labels.

    Patients are split before any recording is stored; those that an earlier run has put into the archive stay in their
    part, and what is unchanged since is passed over. A recording that cannot be read is listed in
    `<archive>-private/failures.csv` and the others go on.

    Raises:
        LabelError: labels are wrong; recordings that were stored by then stay, and are not read again.
        SplitError: patients cannot be told, or would leak, or near-duplicates are of two patients.
        UsageError: nothing is there to prepare.
    """
    failures = _Failures()
    found = _find(sources, str(out), secrets)
    tables = read_tables(labels, found, recipe.labels)
    said = said_in(tables)
    private = open_private(
        out,
        folder=secrets.folder,
        key=secrets.key,
        pseudonyms=secrets.pseudonyms,
        is_begun=place_of(out).read(ARCHIVE) is not None,
    )
    with private.alone():
        return _prepared(found, out, tables, said, recipe, jobs, private, failures)


def _prepared(
    found: Sequence[Found],
    out: Path | str,
    tables: Tables,
    said: Said,
    recipe: Recipe,
    jobs: Jobs,
    private: PrivateFolder,
    failures: "_Failures",
) -> Prepared:
    """Prepare what was found, while no other process does."""
    form = _Form.of(recipe)
    before = _archive_before(out, form)
    _refuse_renamed(before, private)
    private.keep_names()
    stored = _stored(before, found, private)
    listed = {name: entry for name, entry in stored.items() if name in private.sources}
    check_unchanged(stored, said, private.pseudonyms)

    layouts = known_layouts(before)
    current = {tag_of(layout) for layout in layouts}
    pending = [item for item in found if not _is_unchanged(item, private, stored, current)]
    surveyed = _survey(pending, private, stored, recipe, jobs, failures)
    if failures.errors and len(failures.errors) == len(found):
        raise UsageError(
            "No recording could be opened.", advice="See the reasons above, or name other sources."
        )
    owners = {
        name: owner_of(
            name, facts=known.facts, said=said, settings=recipe.split, pseudonyms=private.pseudonyms
        )
        for name, known in surveyed.items()
    }
    parts = {name: known.part for name, known in private.sources.items() if before is not None and known.part}
    decided = share_out(owners, stored, tables, said, recipe.split, parts=parts)
    layouts, settled = settle(surveyed, layouts, recipe, failures.add)
    private = private.remember(_sources(surveyed, private, decided.split))
    works = [
        _work(item, surveyed[item.id], settled[item.id], owners[item.id], decided.split[item.id], private)
        for item in pending
        if item.id in settled
    ]

    with create_archive(out, geometry=form.geometry, settings=form.settings) as writer:
        keep_layouts(writer, layouts, before)
        costs = _store_all(writer, works, listed, form, private, recipe, jobs, failures)
    private.list_failures(failures.listed)
    archive = open_archive(out)
    done = _done(found, archive, private, failures)
    if recipe.store.sheet:
        write_sheet(archive, private, failures.errors, recipe)
    add_labels(archive, writer, tables, done)
    near, across = review_twins(archive, writer, private, recipe.duplicates)
    notes = [
        *(note for table in tables.values() for note in table.notes),
        *unlabelled_notes(tables, done),
        *many_origins(list(owners.values())),
        *decided.notes,
        *_copies_notes(surveyed, private),
        *_left_notes(archive, layouts),
        *_cost_notes(costs),
        *near,
    ]
    write_statistics(archive, writer, recipe, duplicates=across)
    entries = [archive.entry(id) for id in done.values()]
    return Prepared(
        n_done=len(done),
        n_new=len(costs),
        n_patients=len({entry.patient for entry in entries}),
        parts=dict(sorted(Counter(entry.split or "" for entry in entries).items())),
        failures=tuple(failures.listed),
        notes=tuple(notes),
        private=private.folder.name,
    )


def verify(out: Path | str) -> list[str]:
    """Read all of an archive; a sentence for everything that is not as it was written."""
    return open_archive(out).verify()


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


class _Failures:
    """What went wrong so far, told at once and listed at the end."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, Exception]] = []

    @property
    def listed(self) -> list[Failure]:
        return [failure_of(recording, error) for recording, error in self.errors]

    def add(self, recording: str, error: Exception) -> None:
        self.errors.append((recording, error))
        failure = failure_of(recording, error)
        say(f"{recording}: {failure.reason} {failure.what_to_do}")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Form:
    """In which form frames are stored."""

    geometry: str
    card: Card | None
    """None: at the source's resolution."""
    settings: dict[str, Any]
    """An archive goes on only under these."""

    @classmethod
    def of(cls, recipe: Recipe) -> "_Form":
        card = input_card(recipe.input) if recipe.store.resolution == "network" else None
        kept = {"region", "subsample", "input", "split", "store"}
        return cls(
            geometry=f"card:{card.geometry_hash}" if card else "source",
            card=card,
            settings=recipe.model_dump(include=kept, exclude_none=True, mode="json"),
        )


def _find(sources: Sequence[Path], out: str, secrets: Secrets) -> list[Found]:
    """The recordings below the sources, without what prepare itself wrote."""
    ours = [private_folder(out, secrets.folder).resolve()]
    if "://" not in out:
        ours.append(Path(out).resolve())
    found = [
        item
        for item in find_recordings(sources)
        if not any(item.path.resolve().is_relative_to(folder) for folder in ours)
    ]
    if not found:
        raise UsageError("There is no recording.", advice="Name recordings, or folders that hold them.")
    return found


def _archive_before(out: Path | str, form: _Form) -> Archive | None:
    """What earlier runs have stored, where there is an archive; one that was killed is put in order first."""
    if place_of(out).read(ARCHIVE) is None:
        return None
    create_archive(out, geometry=form.geometry, settings=form.settings).close()
    return open_archive(out)


def _refuse_renamed(before: Archive | None, private: PrivateFolder) -> None:
    """Chosen names must not rename what is stored."""
    entries = before.entries if before else ()
    used = {name for entry in entries for name in (entry.id, entry.patient, entry.study)}
    hashed = Pseudonyms(private.pseudonyms.key)
    renamed = sum(hashed.of(*pair) in used for pair in private.pseudonyms.given)
    if renamed:
        raise UsageError(
            f"The table of pseudonyms renames {renamed} of what the archive holds.",
            advice="Take those rows out, or prepare into a new archive.",
        )


def _stored(before: Archive | None, found: Sequence[Found], private: PrivateFolder) -> dict[str, Entry]:
    """What the archive holds: recording -> entry, also where the list of sources was lost."""
    names = {private.pseudonyms.of("recording", item.id): item.id for item in found} | dict(private.names)
    return {names.get(entry.id, entry.id): entry for entry in (before.entries if before else ())}


def _is_unchanged(
    item: Found, private: PrivateFolder, stored: Mapping[str, Entry], current: Container[str]
) -> bool:
    """Whether the archive holds this recording as it is, under a layout that is as it was."""
    known, entry = private.sources.get(item.id), stored.get(item.id)
    if known is None or entry is None or known.stamp != stamp_of(item):
        return False
    return entry.layout is None or entry.layout in current


def _survey(
    pending: Sequence[Found],
    private: PrivateFolder,
    stored: Mapping[str, Entry],
    recipe: Recipe,
    jobs: Jobs,
    failures: _Failures,
) -> dict[str, Surveyed]:
    """Open every recording that may have to be stored; another recording under a stored one's name is refused."""
    look = partial(survey, pseudonyms=private.pseudonyms, settings=recipe.region)
    results = run_jobs(look, pending, what="look", workers=jobs.workers, scheduler=jobs.scheduler)
    surveyed: dict[str, Surveyed] = {}
    for item, result in results:
        if isinstance(result, Exception):
            failures.add(item.id, result)
        elif item.id in stored and _was_another(private.sources.get(item.id), result):
            failures.add(
                item.id,
                DamagedRecording(
                    "Another recording of this name, or an earlier state of this one, is in the archive.",
                    advice="Give it another name, or prepare into a new archive.",
                ),
            )
        else:
            surveyed[item.id] = result
    return {item.id: surveyed[item.id] for item in pending if item.id in surveyed}


def _was_another(known: KnownSource | None, now: Surveyed) -> bool:
    return known is not None and known.sha256 != now.sha256


def _sources(
    surveyed: Mapping[str, Surveyed], private: PrivateFolder, split: Mapping[str, str]
) -> Iterator[KnownSource]:
    for name, known in surveyed.items():
        yield KnownSource(
            recording=name,
            archive_id=private.pseudonyms.of("recording", name),
            sha256=known.sha256,
            stamp=known.stamp,
            part=split[name],
        )


def _work(
    item: Found, known: Surveyed, settled: Settled, owner: Owner, part: str, private: PrivateFolder
) -> Work:
    return Work(
        item=item,
        archive_id=private.pseudonyms.of("recording", item.id),
        region=settled.region,
        layout=settled.layout,
        warnings=(*known.warnings, *settled.warnings),
        patient=owner.patient,
        study=owner.study,
        centre=owner.centre,
        scanner=known.facts.scanner,
        n_claimed=known.n_claimed,
        split=part,
    )


def _store_all(
    writer: ArchiveWriter,
    works: Sequence[Work],
    listed: Mapping[str, Entry],
    form: _Form,
    private: PrivateFolder,
    recipe: Recipe,
    jobs: Jobs,
    failures: _Failures,
) -> list[Stored]:
    """Store what the archive does not hold yet, and anew what it holds under a layout that was corrected.

    Of what it holds, `listed` is known to be of these sources; the others are stored anew, too.
    """
    waiting = [
        work for work in works if (entry := listed.get(work.item.id)) is None or entry.layout != work.layout
    ]
    place = Place(
        writer=writer,
        card=form.card,
        subsample=recipe.subsample,
        grey=recipe.store.grey,
        pictures=private.folder / SHEET if recipe.store.sheet else None,
    )
    done: list[Stored] = []
    results = run_jobs(
        partial(store, place=place), waiting, what="store", workers=jobs.workers, scheduler=jobs.scheduler
    )
    for work, result in results:
        if isinstance(result, OSError) and result.errno in _NO_ROOM:
            raise UsageError(
                "There is no room for more recordings.",
                advice="Make room, and run the same command again: what is stored stays.",
            ) from result
        if isinstance(result, Exception):
            failures.add(work.item.id, result)
        else:
            done.append(result)
    return done


def _done(
    found: Sequence[Found], archive: Archive, private: PrivateFolder, failures: _Failures
) -> dict[str, str]:
    """The recordings of this run that the archive holds: name -> the archive's id."""
    failed = {failure.recording for failure in failures.listed}
    held = {entry.id for entry in archive.entries}
    ids = {item.id: private.pseudonyms.of("recording", item.id) for item in found if item.id not in failed}
    return {name: id for name, id in ids.items() if id in held}


def _left_notes(archive: Archive, layouts: Sequence[Layout]) -> list[str]:
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


def _copies_notes(surveyed: Mapping[str, Surveyed], private: PrivateFolder) -> list[str]:
    """A warning where recordings came under other names before, as they do when the source is named otherwise."""
    names = {known.sha256: name for name, known in private.sources.items() if name not in surveyed}
    n_copies = sum(known.sha256 in names for known in surveyed.values())
    if not n_copies:
        return []
    return [
        f"{n_copies} of these recordings are in the archive under other names, too: if the source was moved or named"
        " by another folder, prepare it under its first name, or into a new archive."
    ]


def _cost_notes(costs: Sequence[Stored]) -> list[str]:
    """What `--grey` cost."""
    rounded = [cost.rounding for cost in costs if cost.rounding is not None]
    if not rounded:
        return []
    return [
        f"Color was given up in {len(rounded)} of {len(costs)} recordings: their gray levels were rounded by"
        f" {sum(rounded) / len(rounded):.2f} on average. Predicting such a source in color differs a little"
        " from what is measured on this archive."
    ]
