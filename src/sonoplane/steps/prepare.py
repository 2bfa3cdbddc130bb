"""From recordings and their labels to an archive that training can use."""

import errno
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sonoplane.errors import UsageError
from sonoplane.frames.archive import Archive, open_archive
from sonoplane.frames.archive_layout import ARCHIVE
from sonoplane.frames.archive_place import place_of
from sonoplane.frames.archive_writer import ArchiveWriter, create_archive
from sonoplane.frames.entries import Entry
from sonoplane.models.card import Card
from sonoplane.report.folder import Failure
from sonoplane.steps.failures import Failures
from sonoplane.steps.input_card import input_card
from sonoplane.steps.jobs import HERE, Jobs, run_jobs
from sonoplane.steps.label_tables import Said, Tables, add_labels, read_tables, said_in, unlabelled_notes
from sonoplane.steps.layouts import Settled, keep_layouts, known_layouts, settle, tag_of
from sonoplane.steps.pages import SHEET, write_sheet, write_statistics
from sonoplane.steps.preparing_notes import copies_notes, cost_notes, left_notes
from sonoplane.steps.preparing_sources import (
    find_sources,
    is_unchanged,
    known_sources,
    refuse_renamed,
    stored_before,
    survey_all,
)
from sonoplane.steps.private import OWN_SECRETS, PrivateFolder, Secrets, open_private
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.sharing import Owner, check_unchanged, many_origins, owner_of, share_out
from sonoplane.steps.store import Place, Stored, Work, store
from sonoplane.steps.survey import Surveyed
from sonoplane.steps.twins import review_twins
from sonoplane.video.discovery import Found

__all__ = ["Prepared", "prepare", "verify"]


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


#: Errors of the archive's disk, not of a recording: full, over quota.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


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
    failures = Failures()
    found = find_sources(sources, str(out), secrets)
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
    failures: Failures,
) -> Prepared:
    """Prepare what was found, while no other process does."""
    form = _Form.of(recipe)
    before = _archive_before(out, form)
    refuse_renamed(before, private)
    private.keep_names()
    stored = stored_before(before, found, private)
    listed = {name: entry for name, entry in stored.items() if name in private.sources}
    check_unchanged(stored, said, private.pseudonyms)

    layouts = known_layouts(before)
    current = {tag_of(layout) for layout in layouts}
    pending = [item for item in found if not is_unchanged(item, private, stored, current)]
    surveyed = survey_all(pending, private, stored, recipe, jobs, failures)
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
    private = private.remember(known_sources(surveyed, private, decided.split))
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
        *copies_notes(surveyed, private),
        *left_notes(archive, layouts),
        *cost_notes(costs),
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


def _archive_before(out: Path | str, form: _Form) -> Archive | None:
    """What earlier runs have stored, where there is an archive; one that was killed is put in order first."""
    if place_of(out).read(ARCHIVE) is None:
        return None
    create_archive(out, geometry=form.geometry, settings=form.settings).close()
    return open_archive(out)


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
    failures: Failures,
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
    found: Sequence[Found], archive: Archive, private: PrivateFolder, failures: Failures
) -> dict[str, str]:
    """The recordings of this run that the archive holds: name -> the archive's id."""
    failed = {failure.recording for failure in failures.listed}
    held = {entry.id for entry in archive.entries}
    ids = {item.id: private.pseudonyms.of("recording", item.id) for item in found if item.id not in failed}
    return {name: id for name, id in ids.items() if id in held}
