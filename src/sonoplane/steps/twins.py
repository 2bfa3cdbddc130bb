"""Near-duplicate recordings between an archive, the person who looks through them, and the split."""

from collections.abc import Mapping
from dataclasses import replace

from sonoplane.clips.duplicates import (
    Pair,
    Verdicts,
    audit_duplicates,
    duplicates_across_classes,
    near_duplicates,
)
from sonoplane.clips.duplicates_review import read_verdicts, review_table
from sonoplane.clips.duplicates_settings import DuplicateSettings
from sonoplane.frames.archive import Archive
from sonoplane.frames.archive_writer import ArchiveWriter
from sonoplane.frames.speckle import show_speckle
from sonoplane.steps.private import PrivateFolder
from sonoplane.steps.twins_speckle import SPECKLE, Speckle

__all__ = ["REVIEW", "audit_twins", "find_twins", "review_twins"]

#: The table of pairs: in the private folder under the names of the sources, for a person; in the archive under its ids.
REVIEW = "near-duplicates.csv"


def review_twins(
    archive: Archive, writer: ArchiveWriter, private: PrivateFolder, settings: DuplicateSettings
) -> tuple[list[str], list[str]]:
    """Lay out the near-duplicates of an archive for review, and see that none is of two patients.

    Returns sentences about how many there are, and sentences (under the archive's ids) about those whose labels differ.

    Raises:
        SplitError: near-duplicates are of two patients or in two parts, and nobody has said that they are different.
    """
    pairs, speckle = _search(archive, settings)
    writer.write_text(SPECKLE, speckle.text)
    names = private.names
    verdicts = read_verdicts(private.read_text(REVIEW) or "recording,other,similarity,verdict\n", name=REVIEW)
    named = [_renamed(pair, names) for pair in pairs]
    if pairs or verdicts:
        private.write_text(REVIEW, review_table(named, verdicts))
    ids = {name: id for id, name in names.items()}
    under_ids = {
        _sorted(ids[one], ids[other]): verdict
        for (one, other), verdict in verdicts.items()
        if one in ids and other in ids
    }
    writer.write_text(REVIEW, review_table(pairs, under_ids))
    audit_duplicates(
        named,
        {names.get(entry.id, entry.id): entry.patient for entry in archive.entries if entry.patient},
        {names.get(entry.id, entry.id): entry.split for entry in archive.entries if entry.split},
        verdicts,
    )
    many = "1 pair" if len(pairs) == 1 else f"{len(pairs)} pairs"
    told = f"{many} of recordings show the same: see {private.folder.name}/{REVIEW}."
    return [told] if pairs else [], [
        note
        for task in archive.tasks
        for note in duplicates_across_classes(pairs, archive.labels(task), under_ids)
    ]


def audit_twins(archive: Archive, settings: DuplicateSettings) -> None:
    """See that no near-duplicates of an archive are of two patients or in two parts; SplitError where they are."""
    audit_duplicates(
        find_twins(archive, settings),
        {entry.id: entry.patient for entry in archive.entries if entry.patient},
        {entry.id: entry.split for entry in archive.entries if entry.split},
        _verdicts(archive),
    )


def find_twins(archive: Archive, settings: DuplicateSettings) -> tuple[Pair, ...]:
    """The near-duplicates of an archive, in the order of ids.

    Fingerprints find pairs that may be near-duplicates, and the speckle of some stored frames decides, so that two
    patients seen alike by one scanner are not taken for one; it is the pair's similarity then. Where frames are too
    small to show speckle the fingerprints decide. Speckle that `review_twins` has measured is not measured again, as
    long as both recordings are as they were.
    """
    return _search(archive, settings)[0]


def _search(archive: Archive, settings: DuplicateSettings) -> tuple[tuple[Pair, ...], Speckle]:
    """The pairs, and the measure of their speckle."""
    hashes = {entry.id: archive.fingerprint(entry.id) for entry in archive.entries}
    small = settings.model_copy(update={"least_share": settings.least_share_small})
    perhaps = near_duplicates(hashes, settings.model_copy(update={"alike": settings.perhaps_alike}))
    speckle = Speckle(archive, hashes)
    found = []
    for pair in perhaps:
        if all(show_speckle(*_size(archive, name)) for name in pair.names):
            similarity = speckle.of(pair)
            if similarity >= settings.least_speckle:
                found.append(replace(pair, similarity=similarity))
        else:
            found.extend(near_duplicates({name: hashes[name] for name in pair.names}, small))
    return tuple(found), speckle


def _size(archive: Archive, name: str) -> tuple[int, int]:
    entry = archive.entry(name)
    return entry.height, entry.width


def _verdicts(archive: Archive) -> Verdicts:
    text = archive.read_text(REVIEW)
    return read_verdicts(text, name=REVIEW) if text else {}


def _renamed(pair: Pair, names: Mapping[str, str]) -> Pair:
    one, other = _sorted(*(names.get(name, name) for name in pair.names))
    return Pair(recording=one, other=other, similarity=pair.similarity)


def _sorted(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one <= other else (other, one)
