"""Which recordings there are, and which of them an archive does not hold as they are."""

from collections.abc import Container, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from sonoplane.errors import DamagedRecording, UsageError
from sonoplane.frames.archive import Archive
from sonoplane.frames.entries import Entry
from sonoplane.steps.failures import Failures
from sonoplane.steps.jobs import Jobs, run_jobs
from sonoplane.steps.private import KnownSource, PrivateFolder, Secrets, private_folder
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.survey import Surveyed, stamp_of, survey
from sonoplane.video.discovery import Found, find_recordings
from sonoplane.video.pseudonyms import Pseudonyms

__all__ = [
    "find_sources",
    "is_unchanged",
    "known_sources",
    "refuse_renamed",
    "stored_before",
    "survey_all",
]


def find_sources(sources: Sequence[Path], out: str, secrets: Secrets) -> list[Found]:
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


def refuse_renamed(before: Archive | None, private: PrivateFolder) -> None:
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


def stored_before(before: Archive | None, found: Sequence[Found], private: PrivateFolder) -> dict[str, Entry]:
    """What the archive holds: recording -> entry, also where the list of sources was lost."""
    names = {private.pseudonyms.of("recording", item.id): item.id for item in found} | dict(private.names)
    return {names.get(entry.id, entry.id): entry for entry in (before.entries if before else ())}


def is_unchanged(
    item: Found, private: PrivateFolder, stored: Mapping[str, Entry], current: Container[str]
) -> bool:
    """Whether the archive holds this recording as it is, under a layout that is as it was."""
    known, entry = private.sources.get(item.id), stored.get(item.id)
    if known is None or entry is None or known.stamp != stamp_of(item):
        return False
    return entry.layout is None or entry.layout in current


def survey_all(
    pending: Sequence[Found],
    private: PrivateFolder,
    stored: Mapping[str, Entry],
    recipe: Recipe,
    jobs: Jobs,
    failures: Failures,
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


def known_sources(
    surveyed: Mapping[str, Surveyed], private: PrivateFolder, split: Mapping[str, str]
) -> Iterator[KnownSource]:
    """What is remembered of them."""
    for name, known in surveyed.items():
        yield KnownSource(
            recording=name,
            archive_id=private.pseudonyms.of("recording", name),
            sha256=known.sha256,
            stamp=known.stamp,
            part=split[name],
        )
