"""Near-duplicate recordings: found by their fingerprints, and kept out of different parts of a split."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from sonoplane.clips.duplicates_settings import DuplicateSettings
from sonoplane.errors import SplitError
from sonoplane.records import Label

__all__ = [
    "Hashes",
    "Pair",
    "Verdict",
    "Verdicts",
    "audit_duplicates",
    "duplicates_across_classes",
    "likeliest_samples",
    "near_duplicates",
]

Hashes: TypeAlias = UInt8[np.ndarray, "_samples bytes"]
"""A recording's fingerprint, as `frames.fingerprint` makes it: bits, then which of them tell something."""
Vectors: TypeAlias = Float32[np.ndarray, "_samples bits"]
"""The same as vectors of length 1: the product of two is the agreement of two frames."""
Verdict: TypeAlias = Literal["different", "same"]
"""What a person said of a pair: two recordings that merely look alike, or one patient's."""
Verdicts: TypeAlias = Mapping[tuple[str, str], Verdict]
"""Pair of recordings, in the order of their names -> verdict."""

#: How many leaks one error shows.
SHOWN = 20
#: So many samples are looked up at once, in so many: what bounds the memory.
_PROBES_AT_ONCE, _SAMPLES_AT_ONCE = 1024, 16384


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Pair:
    """Two recordings that show the same."""

    recording: str
    other: str
    """Comes after `recording` in the order of names."""
    similarity: float
    """Share of the shorter one's fingerprinted frames that have a match in the other, 0 to 1; or, where that was looked
    at, how well their speckle agrees."""

    @property
    def names(self) -> tuple[str, str]:
        """Both, in order."""
        return self.recording, self.other


def near_duplicates(
    fingerprints: Mapping[str, Hashes], settings: DuplicateSettings | None = None
) -> tuple[Pair, ...]:
    """All pairs of recordings that are near-duplicates, in the order of names; recording -> fingerprint.

    Memory is bounded beyond the fingerprints themselves. A recording whose frames are all flat has no samples and is
    in no pair.

    >>> hashes = np.random.default_rng(0).integers(0, 256, (9, 102), np.uint8)
    >>> near_duplicates({"a": hashes, "trimmed": hashes[3:], "c": ~hashes})
    (Pair(recording='a', other='trimmed', similarity=1.0),)
    """
    settings = settings or DuplicateSettings()
    # From the shortest on, so that each is looked up only in those that are no shorter.
    told = {name: rows[_tells(rows)] for name, rows in fingerprints.items()}
    names = sorted(
        (name for name, rows in told.items() if len(rows)), key=lambda name: (len(told[name]), name)
    )
    hashes = [told[name] for name in names]
    found = []
    for short, long in _candidates(hashes, settings):
        matched = _best(_vectors(hashes[short]), _vectors(hashes[long])) >= settings.alike
        if (share := float(matched.mean())) >= settings.least_share:
            first, second = sorted((names[short], names[long]))
            found.append(Pair(recording=first, other=second, similarity=share))
    return tuple(sorted(found))


def likeliest_samples(
    hashes: Hashes, others: Hashes, *, probes: int = 8, most: int = 6
) -> list[tuple[int, list[int]]]:
    """Some samples of one recording, and for each those of another that are most like it, the likeliest first.

    >>> hashes = np.random.default_rng(0).integers(0, 256, (9, 102), np.uint8)
    >>> likeliest_samples(hashes, hashes[::-1], probes=3, most=1)
    [(0, [8]), (4, [4]), (8, [0])]
    """
    rows, columns = np.flatnonzero(_tells(hashes)), np.flatnonzero(_tells(others))
    if not len(rows) or not len(columns):
        return []
    chosen = rows[_places(len(rows), min(probes, len(rows)))]
    agreement = _vectors(hashes[chosen]) @ _vectors(others[columns]).T
    likeliest = columns[np.argsort(-agreement, axis=1, kind="stable")[:, :most]]
    return list(zip(chosen.tolist(), likeliest.tolist(), strict=True))


def audit_duplicates(
    pairs: Iterable[Pair],
    patients: Mapping[str, str],
    split: Mapping[str, str],
    verdicts: Verdicts | None = None,
) -> int:
    """Raise SplitError if near-duplicates are of two patients or in two parts; else count those in one part.

    `patients` and `split` tell each recording's patient and part; recordings that are in no part, and pairs that were
    found to be `different`, do not count.

    >>> pair = Pair(recording="a", other="b", similarity=0.97)
    >>> audit_duplicates([pair], {"a": "p1", "b": "p1"}, {"a": "train", "b": "train"})
    1
    >>> audit_duplicates([pair], {"a": "p1", "b": "p2"}, {"a": "train", "b": "train"}, {("a", "b"): "different"})
    0
    """
    verdicts = verdicts or {}
    placed = [
        pair
        for pair in pairs
        if verdicts.get(pair.names) != "different" and all(name in split for name in pair.names)
    ]
    leaks = []
    for pair in placed:
        one, other = pair.names
        wrong = []
        if one not in patients or patients[one] != patients.get(other):
            wrong.append("are of two patients")
        if split[one] != split[other]:
            wrong.append(f"are in '{split[one]}' and in '{split[other]}'")
        if wrong:
            said = ", and were found to be the same," if verdicts.get(pair.names) == "same" else ""
            leaks.append(
                f"'{one}' and '{other}' show the same ({pair.similarity:.0%}){said} but {' and '.join(wrong)}"
            )
    if leaks:
        more = [f"and {len(leaks) - SHOWN} more"] if len(leaks) > SHOWN else []
        raise SplitError(
            ".\n".join([*leaks[:SHOWN], *more]) + ".",
            advice="If they merely look alike, write 'different' into the verdict column of near-duplicates.csv and run"
            " again; else prepare into a new archive, with one patient for both in the label table or without one.",
        )
    return len(placed)


def duplicates_across_classes(
    pairs: Iterable[Pair], labels: Iterable[Label], verdicts: Verdicts | None = None
) -> list[str]:
    """A note for each pair of near-duplicates whose whole-recording labels, of one task, differ.

    >>> labels = [Label(recording="a", label="2CH"), Label(recording="b", label="4CH")]
    >>> duplicates_across_classes([Pair(recording="a", other="b", similarity=1.0)], labels)
    ["'a' is '2CH' and 'b' is '4CH', but they show the same (100%): correct one label, or leave one recording out."]
    """
    verdicts = verdicts or {}
    views = {row.recording: row.label for row in labels if row.start is None}
    notes = []
    for pair in pairs:
        one, other = (views.get(name) for name in pair.names)
        if one and other and one != other and verdicts.get(pair.names) != "different":
            told = f"'{pair.recording}' is '{one}' and '{pair.other}' is '{other}'"
            notes.append(
                f"{told}, but they show the same ({pair.similarity:.0%}): correct one label, or leave one recording"
                " out."
            )
    return notes


def _candidates(hashes: Sequence[Hashes], settings: DuplicateSettings) -> Iterator[tuple[int, int]]:
    """Pairs of positions (the shorter one's first) of which a probe of the shorter one has a match in the other."""
    found: set[tuple[int, int]] = set()
    n_probes = [min(settings.probes, len(rows)) for rows in hashes]
    probes = [_spread(rows, n) for rows, n in zip(hashes, n_probes, strict=True)]
    for columns in _blocks([len(rows) for rows in hashes], _SAMPLES_AT_ONCE):
        samples = _vectors(np.concatenate([hashes[i] for i in columns]))
        longer = np.repeat(np.array(columns), [len(hashes[i]) for i in columns])
        for rows in _blocks(n_probes[: columns.stop], _PROBES_AT_ONCE):
            agreement = _vectors(np.concatenate([probes[i] for i in rows])) @ samples.T
            probe, sample = np.divmod(np.flatnonzero(agreement >= settings.alike), len(samples))
            shorter = np.repeat(np.array(rows), n_probes[rows.start : rows.stop])
            pairs = zip(shorter[probe].tolist(), longer[sample].tolist(), strict=True)
            found.update((short, long) for short, long in pairs if short < long)
    yield from sorted(found)


def _blocks(lengths: Sequence[int], most: int) -> Iterator[range]:
    """Runs of positions whose lengths add up to about `most`."""
    block = (np.cumsum(lengths) - 1) // most  # the one in which each ends
    edges = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(lengths)]
    yield from (range(start, stop) for start, stop in pairwise(edges) if start < stop)


def _spread(hashes: Hashes, n: int) -> Hashes:
    """So many of the samples, spread from the first to the last."""
    spread: Hashes = hashes[_places(len(hashes), n)]
    return spread


def _places(length: int, n: int) -> Int64[np.ndarray, " _n"]:
    return np.linspace(0, length - 1, n).round().astype(np.int64)


def _tells(hashes: Hashes) -> Bool[np.ndarray, " _samples"]:
    """Which samples are not flat."""
    return np.asarray(hashes[:, hashes.shape[1] // 2 :].any(axis=1))


def _vectors(hashes: Hashes) -> Vectors:
    """-1 or 1 for each bit that tells something, 0 for the others, at length 1."""
    half = hashes.shape[1] // 2
    signs, told = (np.unpackbits(part, axis=1) for part in (hashes[:, :half], hashes[:, half:]))
    vectors: Vectors = np.where(told, 2 * signs.astype(np.float32) - 1, np.float32(0))
    vectors /= np.sqrt(np.maximum(told.sum(axis=1, dtype=np.float32), 1))[:, None]
    return vectors


def _best(samples: Vectors, others: Vectors) -> Float32[np.ndarray, " _samples"]:
    """How well each sample agrees with the one of the others that is most like it."""
    best: Float32[np.ndarray, " _samples"] = (samples @ others.T).max(axis=1)
    return best
