"""Label rows find the recordings that they are about, by as much of a path as the labels tell."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from sonoplane.clips.label_checks import Fault, Place, contradictions, listed, overlaps, refuse
from sonoplane.clips.labels import LabelTable
from sonoplane.records import Label

__all__ = ["Matched", "match_recordings"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Matched:
    """A table under the ids that recordings have here."""

    table: LabelTable
    """Only rows of recordings that are here; notes tell the rest."""
    absent: tuple[Place, ...]
    """Places of the rows whose recording is not here."""


def match_recordings(
    table: LabelTable, recordings: Mapping[str, Path], *, name: str = "The labels"
) -> Matched:
    """Put the rows under the ids of recordings; `recordings` tells each id's path, best below the source folder.

    A row names a recording by its id, or by the end of its path, with or without the suffix: `apex/rec1.dcm`,
    `rec1.dcm`, `rec1`; where one lies right in the source folder, `rec1` is that one. It may tell more folders than
    the path has (`server/apex/rec1` finds `apex/rec1.dcm`, but never `mitral/rec1.dcm`), and letter case may differ;
    both are noted. Raises LabelError that lists the rows
    whose name fits several recordings, and those that clash once two names turn out to be one recording.
    """
    names = _Names.of(recordings)
    placed: dict[Place, Label] = {}
    faults: list[Fault] = []
    forgiven: list[Place] = []
    absent: list[Place] = []
    cache: dict[str, tuple[frozenset[str], bool]] = {}
    for place, row in table.placed.items():
        if row.recording not in cache:
            cache[row.recording] = names.find(row.recording)
        ids, loosely = cache[row.recording]
        if len(ids) > 1:
            remedy = "name it by more of its path below the source"
            faults.append((place, f"{len(ids)} recordings have this name; {remedy}"))
        elif ids:
            placed[place] = replace(row, recording=next(iter(ids)))
            if loosely:
                forgiven.append(place)
        else:
            absent.append(place)
    refuse(faults + contradictions(placed) + overlaps(placed), of=name)
    notes = list(table.notes)
    if forgiven:
        notes.append(
            f"{name}: letter case or folders of recordings' names were forgiven ({listed(forgiven)})."
        )
    if absent:
        remedy = "name recordings by their file name or by their path below the source, or add them"
        notes.append(
            f"{name}: {len(absent)} rows are for recordings that are absent ({listed(absent)}); {remedy}."
        )
    seen: dict[str, tuple[range, ...]] = defaultdict(tuple)
    for other, ranges in table.seen.items():
        ids, _ = cache.get(other) or names.find(other)
        if len(ids) == 1:
            seen[next(iter(ids))] += ranges
    found = replace(
        table, rows=tuple(placed.values()), places=tuple(placed), notes=tuple(notes), seen=dict(seen)
    )
    return Matched(table=found, absent=tuple(absent))


@dataclass(frozen=True, slots=True)
class _Names:
    """Every name that recordings may go by -> their ids."""

    own: Mapping[str, set[str]]
    """Ids and whole paths: such a name is not that of a recording of this name in some folder."""
    exact: Mapping[str, set[str]]
    caseless: Mapping[str, set[str]]
    whole: Mapping[str, set[str]]
    """Whole paths alone, letter case folded: folders before them are of elsewhere."""

    @classmethod
    def of(cls, recordings: Mapping[str, Path]) -> "_Names":
        own: dict[str, set[str]] = defaultdict(set)
        exact: dict[str, set[str]] = defaultdict(set)
        caseless: dict[str, set[str]] = defaultdict(set)
        whole: dict[str, set[str]] = defaultdict(set)
        for id_, path in recordings.items():
            parts = path.parts
            tails = [PurePosixPath(*parts[-n:]).as_posix() for n in range(1, len(parts) + 1)]
            bare = [tail[: -len(path.suffix)] if path.suffix else tail for tail in tails]
            for text in {id_, *tails, *bare}:
                exact[text].add(id_)
                caseless[text.casefold()].add(id_)
            for text in {id_, *tails[-1:], *bare[-1:]}:
                own[text].add(id_)
            for text in {*tails[-1:], *bare[-1:]}:
                whole[text.casefold()].add(id_)
        return cls(own, exact, caseless, whole)

    def find(self, name: str) -> tuple[frozenset[str], bool]:
        """The recordings of a name, and whether case or folders had to be forgiven."""
        parts = [part for part in name.strip().replace("\\", "/").split("/") if part not in ("", ".")]
        text = "/".join(parts)
        if text in self.own:
            return frozenset(self.own[text]), False
        if text in self.exact:
            return frozenset(self.exact[text]), False
        if text.casefold() in self.caseless:
            return frozenset(self.caseless[text.casefold()]), True
        for first in range(1, len(parts)):
            tail = "/".join(parts[first:]).casefold()
            if tail in self.whole:
                return frozenset(self.whole[tail]), True
        return frozenset(), False
